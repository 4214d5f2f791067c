"""Resources of API Gateway."""

from __future__ import annotations

from typing import Any

from pulumi.runtime import rpc

from local.deployer.cloud import Cloud
from local.deployer.inputs import Inputs
from local.deployer.registry import Result, resource

_METHOD = ("requestModels", "requestValidatorId", "apiKeyRequired", "authorizerId", "authorizationScopes")


@resource("aws:apigateway/restApi:RestApi")
def rest_api(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    client = cloud.client("apigateway")
    types = [inputs.section("endpointConfiguration").text("types")]
    compressed_from = int(inputs.text("minimumCompressionSize"))
    physical = inputs.get("name", cloud.physical_name(name))
    identifier = client.create_rest_api(
        name=physical, endpointConfiguration={"types": types}, minimumCompressionSize=compressed_from
    )["id"]
    root = next(item for item in client.get_resources(restApiId=identifier)["items"] if item["path"] == "/")
    cloud.api_paths[root["id"]] = root["path"]
    return identifier, {
        "name": physical,
        "rootResourceId": root["id"],
        "arn": f"arn:aws:apigateway:{cloud.region}::/restapis/{identifier}",
        "executionArn": cloud.arn("execute-api", identifier),
    }


@resource("aws:apigateway/model:Model")
def model(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    created = cloud.client("apigateway").create_model(
        restApiId=inputs.text("restApi"),
        name=inputs.text("name"),
        contentType=inputs.text("contentType"),
        schema=inputs.text("schema"),
    )
    return created["id"], {}


@resource("aws:apigateway/requestValidator:RequestValidator")
def request_validator(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    physical = inputs.get("name", cloud.physical_name(name))
    created = cloud.client("apigateway").create_request_validator(
        restApiId=inputs.text("restApi"),
        name=physical,
        validateRequestBody=inputs.flag("validateRequestBody"),
    )
    return created["id"], {"name": physical}


@resource("aws:apigateway/resource:Resource")
def path(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    created = cloud.client("apigateway").create_resource(
        restApiId=inputs.text("restApi"),
        parentId=inputs.text("parentId"),
        pathPart=inputs.text("pathPart"),
    )
    cloud.api_paths[created["id"]] = created["path"]
    return created["id"], {"path": created["path"]}


@resource("aws:apigateway/method:Method")
def method(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    key = _method_key(inputs)
    authorization = inputs.text("authorization")
    cloud.client("apigateway").put_method(
        **key,
        authorizationType=authorization,
        **inputs.renamed({name: name for name in _METHOD}),
    )
    served = (key["httpMethod"], cloud.api_paths[key["resourceId"]], authorization != "NONE")
    cloud.served.methods.append(served)
    return f"agm-{'-'.join(key.values())}", {}


@resource("aws:apigateway/authorizer:Authorizer")
def authorizer(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    created = cloud.client("apigateway").create_authorizer(
        restApiId=inputs.text("restApi"),
        name=inputs.get("name", cloud.physical_name(name)),
        type=inputs.text("type"),
        providerARNs=inputs.texts("providerArns"),
        authorizerResultTtlInSeconds=inputs.require("authorizerResultTtlInSeconds"),
        identitySource=inputs.get("identitySource", "method.request.header.Authorization"),
    )
    return created["id"], {"name": created["name"]}


@resource("aws:apigateway/apiKey:ApiKey")
def api_key(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    physical = inputs.get("name", cloud.physical_name(name))
    created = cloud.client("apigateway").create_api_key(
        name=physical, enabled=True, **inputs.renamed({"description": "description"})
    )
    return created["id"], {"name": physical, "value": rpc.wrap_rpc_secret(created["value"])}


@resource("aws:apigateway/usagePlan:UsagePlan")
def usage_plan(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    physical = inputs.get("name", cloud.physical_name(name))
    stages = [
        {"apiId": item.text("apiId"), "stage": item.text("stage")} for item in inputs.sections("apiStages")
    ]
    created = cloud.client("apigateway").create_usage_plan(name=physical, apiStages=stages)
    return created["id"], {"name": physical}


@resource("aws:apigateway/usagePlanKey:UsagePlanKey")
def usage_plan_key(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    created = cloud.client("apigateway").create_usage_plan_key(
        usagePlanId=inputs.text("usagePlanId"), keyId=inputs.text("keyId"), keyType=inputs.text("keyType")
    )
    return created["id"], {}


@resource("aws:apigateway/integration:Integration")
def integration(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    key = _method_key(inputs)
    cloud.client("apigateway").put_integration(
        **key,
        type=inputs.text("type"),
        integrationHttpMethod=inputs.text("integrationHttpMethod"),
        uri=inputs.text("uri"),
    )
    return f"agi-{'-'.join(key.values())}", {}


@resource("aws:apigateway/response:Response")
def gateway_response(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    api, kind = inputs.text("restApiId"), inputs.text("responseType")
    cloud.client("apigateway").put_gateway_response(
        restApiId=api,
        responseType=kind,
        statusCode=inputs.text("statusCode"),
        responseTemplates=inputs.require("responseTemplates"),
    )
    return f"aggr-{api}-{kind}", {}


@resource("aws:apigateway/deployment:Deployment", {"triggers": "a new stack is deployed once"})
def deployment(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    created = cloud.client("apigateway").create_deployment(restApiId=inputs.text("restApi"))
    return created["id"], {}


@resource("aws:apigateway/stage:Stage")
def stage(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    client = cloud.client("apigateway")
    api, stage_name = inputs.text("restApi"), inputs.text("stageName")
    client.create_stage(restApiId=api, stageName=stage_name, deploymentId=inputs.text("deployment"))
    access_log = inputs.section("accessLogSettings")
    settings = {"destinationArn": access_log.text("destinationArn"), "format": access_log.text("format")}
    _patch_stage(client, api, stage_name, {f"/accessLogSettings/{key}": v for key, v in settings.items()})
    host = f"{api}.execute-api.{cloud.region}.amazonaws.com"
    address = cloud.address(f"https://{host}/{stage_name}")
    cloud.served.api, cloud.served.stage = address.path, f"/{stage_name}"
    return f"ags-{api}-{stage_name}", {
        "arn": f"arn:aws:apigateway:{cloud.region}::/restapis/{api}/stages/{stage_name}",
        "executionArn": cloud.arn("execute-api", f"{api}/{stage_name}"),
        "invokeUrl": f"https://{host}/{stage_name}",
    }


@resource("aws:apigateway/methodSettings:MethodSettings")
def method_settings(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    api, stage_name, methods = (inputs.text(key) for key in ("restApi", "stageName", "methodPath"))
    settings = inputs.section("settings").renamed(
        {"throttlingRateLimit": "throttling/rateLimit", "throttlingBurstLimit": "throttling/burstLimit"}
    )
    patch = {f"/{methods}/{key}": str(value) for key, value in settings.items()}
    _patch_stage(cloud.client("apigateway"), api, stage_name, patch)
    return f"{api}-{stage_name}-{methods}", {}


@resource("aws:apigateway/account:Account")
def account(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    role = inputs.text("cloudwatchRoleArn")
    change = {"op": "replace", "path": "/cloudwatchRoleArn", "value": role}
    cloud.client("apigateway").update_account(patchOperations=[change])
    return "api-gateway-account", {}


def _method_key(inputs: Inputs) -> dict[str, str]:
    """Return the identifiers of a method: API, resource and verb."""
    return {
        "restApiId": inputs.text("restApi"),
        "resourceId": inputs.text("resourceId"),
        "httpMethod": inputs.text("httpMethod"),
    }


def _patch_stage(client: Any, api: str, stage_name: str, values: dict[str, str]) -> None:
    changes = [{"op": "replace", "path": path, "value": value} for path, value in values.items()]
    client.update_stage(restApiId=api, stageName=stage_name, patchOperations=changes)
