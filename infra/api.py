"""The REST API in API Gateway: its routes, authorization, throttling and access log."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from infra import iam
from infra.access import READ_STATUS, WORK_ON_ORDERS, Access
from infra.lambda_function import Function, Functions
from infra.order_model import order_model
from infra.settings import Settings

SIGN_IN = "Sign-in required: use the order-status page or the kitchen page."
# Responses that API Gateway generates itself: type, status and message.
GATEWAY_RESPONSES = {
    "BAD_REQUEST_BODY": (
        "400",
        'The body must be a JSON object with an order, such as {"item": "Latte", "quantity": 1}.',
    ),
    "MISSING_AUTHENTICATION_TOKEN": (
        "404",
        "Unknown method or path: use POST /orders, GET /menu, GET /order-status, GET /ready, GET /track, "
        "GET /kitchen, GET /orders/{id} or PATCH /orders/{id}.",
    ),
    "UNAUTHORIZED": ("401", SIGN_IN),
    # API Gateway's default is 403, after which a page would not refresh its token.
    "EXPIRED_TOKEN": ("401", SIGN_IN),
    "INVALID_API_KEY": ("403", "Orders require an API key: send it as x-api-key."),
    "THROTTLED": ("429", "Too many requests: try again in a second."),
}
# Bytes of the smallest body that API Gateway compresses in a response, or decompresses in a request.
MIN_COMPRESSION_SIZE = 0
# Concurrent requests to public paths that read the database. Together they use at most 12 of the 20
# connections of the user `cafe_status`, and leave the others to the order status.
PUBLIC_BURSTS = {"ready": 4, "track": 8}
PUBLIC_RATES = {"ready": 8, "track": 20}  # per second; 100 customers track an order every five seconds
ACCESS_LOG = {
    "requestId": "$context.requestId",
    "time": "$context.requestTime",
    "ip": "$context.identity.sourceIp",
    "method": "$context.httpMethod",
    "path": "$context.path",
    "status": "$context.status",
    "latency": "$context.responseLatency",
    "error": "$context.error.messageString",
    "cause": "$context.integration.error",
}
PATH_PARAMETER = re.compile(r"\{\w+\}")  # such as `{id}`


@dataclass(frozen=True, kw_only=True)
class ApiArgs:
    """Inputs of Api."""

    stage: str

    # Access and throttling
    orders_api_key: bool
    rate_limit: int  # requests per second
    burst_limit: int  # concurrent requests

    # Access log
    log_retention_days: int
    manage_account: bool  # set API Gateway's log role; there is one per account and region

    @classmethod
    def of(cls, settings: Settings) -> ApiArgs:
        """Read the inputs from the settings."""
        return cls(
            stage=settings.api_stage,
            orders_api_key=settings.orders_api_key,
            rate_limit=settings.api_rate_limit,
            burst_limit=settings.api_burst_limit,
            log_retention_days=settings.log_retention_days,
            manage_account=settings.manage_api_gateway_account,
        )


class Api(pulumi.ComponentResource):
    """A regional REST API that is redeployed when its definition changes."""

    rest_api: aws.apigateway.RestApi
    stage: aws.apigateway.Stage
    orders_key: pulumi.Output[str] | None = None
    """API key that `POST /orders` requires in `x-api-key`; None: no key."""
    orders_key_hash: pulumi.Output[str] | None = None
    """SHA-256 of the API key, for the function."""

    def __init__(self, name: str, args: ApiArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cafe:orders:Api", name, None, opts)
        self._child = pulumi.ResourceOptions(parent=self)
        self._args = args
        self._parts: list[pulumi.Resource] = []  # that a deployment depends on
        # Inputs of a deployment: a change of their hash redeploys the API.
        self._definition: list[pulumi.Input[object]] = [MIN_COMPRESSION_SIZE]
        self._resources: dict[str, aws.apigateway.Resource] = {}  # by path

        self.rest_api = aws.apigateway.RestApi(
            "orders",
            endpoint_configuration={"types": "REGIONAL"},
            minimum_compression_size=str(MIN_COMPRESSION_SIZE),
            opts=self._child,
        )
        self._key = aws.apigateway.ApiKey("orders", opts=self._child) if args.orders_api_key else None
        if self._key:
            self.orders_key = pulumi.Output.secret(self._key.value)
            digest = self._key.value.apply(lambda key: hashlib.sha256(key.encode()).hexdigest())
            self.orders_key_hash = pulumi.Output.unsecret(digest)
        self.register_outputs({})

    def add_routes(self, access: Access, functions: Functions) -> None:
        """Connect the paths to their functions, and deploy the API.

        Separate from the constructor: the page needs the API's id, the user pool the page's URL, and the
        authorizer the pool.
        """
        has_key = self._key is not None
        authorizer = self._authorizer(access)
        self._route("POST", "orders", functions.place_order, api_key_required=has_key, **self._body())
        self._route("GET", "menu", functions.get_menu)
        readers = self._signed_in(authorizer, READ_STATUS) if access.mode == "login" else {}
        self._route("GET", "order-status", functions.get_order_status, **readers)
        staff = self._signed_in(authorizer, WORK_ON_ORDERS)
        self._route("GET", "kitchen", functions.staff_orders, **staff)
        self._route("GET", "orders/{id}", functions.staff_orders, **staff)
        self._route("PATCH", "orders/{id}", functions.staff_orders, **staff)
        self._route("GET", "ready", functions.public_orders)
        self._route("GET", "track", functions.public_orders)
        for response_type, (status, message) in GATEWAY_RESPONSES.items():
            self._gateway_response(response_type, status, message)
        self.stage = self._deploy(self._args)
        if self._key:
            self._add_usage_plan(self._key)

    def url(self, path: str) -> pulumi.Output[str]:
        """Return the URL of a path such as `/orders`."""
        return pulumi.Output.concat(self.stage.invoke_url, path)

    def _body(self) -> dict[str, Any]:
        """Validate the body against the model of an order before the function is invoked."""
        schema = order_model()
        model = aws.apigateway.Model(
            "Order",
            rest_api=self.rest_api.id,
            name="Order",
            content_type="application/json",
            schema=json.dumps(schema),
            opts=self._child,
        )
        validator = aws.apigateway.RequestValidator(
            "body", rest_api=self.rest_api.id, validate_request_body=True, opts=self._child
        )
        self._parts += [model, validator]
        self._definition.append(schema)
        return {"request_models": {"application/json": model.name}, "request_validator_id": validator.id}

    def _authorizer(self, access: Access) -> aws.apigateway.Authorizer:
        """Validate access tokens of the user pool."""
        authorizer = aws.apigateway.Authorizer(
            "readers",
            rest_api=self.rest_api.id,
            type="COGNITO_USER_POOLS",
            provider_arns=[access.user_pool.arn],
            # A cached result would accept a token after its expiry.
            authorizer_result_ttl_in_seconds=0,
            opts=self._child,
        )
        self._parts.append(authorizer)
        self._definition.append(access.user_pool.arn)
        return authorizer

    @staticmethod
    def _signed_in(authorizer: aws.apigateway.Authorizer, scope: str) -> dict[str, Any]:
        """Require an access token with a scope; without a scope, API Gateway accepts ID tokens, too."""
        return {
            "authorization": "COGNITO_USER_POOLS",
            "authorizer_id": authorizer.id,
            "authorization_scopes": [scope],
        }

    def _add_usage_plan(self, key: aws.apigateway.ApiKey) -> None:
        """Accept the API key for `POST /orders`, the only method that requires one."""
        plan = aws.apigateway.UsagePlan(
            "orders",
            api_stages=[{"api_id": self.rest_api.id, "stage": self.stage.stage_name}],
            opts=self._child,
        )
        aws.apigateway.UsagePlanKey(
            "orders", key_id=key.id, key_type="API_KEY", usage_plan_id=plan.id, opts=self._child
        )

    def _route(
        self, verb: str, path: str, function: Function, *, authorization: str = "NONE", **request: Any
    ) -> None:
        name = f"{verb}-{_name(path)}"
        resource = self._resource(path)
        method = aws.apigateway.Method(
            name,
            rest_api=self.rest_api.id,
            resource_id=resource.id,
            http_method=verb,
            authorization=authorization,
            opts=self._child,
            **request,
        )
        integration = aws.apigateway.Integration(
            name,
            rest_api=self.rest_api.id,
            resource_id=resource.id,
            http_method=method.http_method,
            type="AWS_PROXY",
            integration_http_method="POST",
            uri=function.function.invoke_arn,
            opts=self._child,
        )
        aws.lambda_.Permission(
            name,
            action="lambda:InvokeFunction",
            function=function.function.name,
            principal="apigateway.amazonaws.com",
            source_arn=pulumi.Output.concat(
                self.rest_api.execution_arn, f"/{self._args.stage}/{verb}/{PATH_PARAMETER.sub('*', path)}"
            ),
            opts=self._child,
        )
        self._parts += [method, integration]
        self._definition.append([verb, path, authorization, request, function.function.invoke_arn])

    def _resource(self, path: str) -> aws.apigateway.Resource:
        """Return the resource of a path, which all its methods share."""
        if path not in self._resources:
            parent, _, part = path.rpartition("/")
            self._resources[path] = aws.apigateway.Resource(
                _name(path),
                rest_api=self.rest_api.id,
                parent_id=self._resource(parent).id if parent else self.rest_api.root_resource_id,
                path_part=part,
                opts=self._child,
            )
        return self._resources[path]

    def _gateway_response(self, response_type: str, status: str, message: str) -> None:
        template = json.dumps({"message": message})
        response = aws.apigateway.Response(
            response_type,
            rest_api_id=self.rest_api.id,
            response_type=response_type,
            status_code=status,
            response_templates={"application/json": template},
            opts=self._child,
        )
        self._parts.append(response)
        self._definition.append([response_type, status, template])

    def _deploy(self, args: ApiArgs) -> aws.apigateway.Stage:
        definition = pulumi.Output.json_dumps(self._definition)
        deployment = aws.apigateway.Deployment(
            "orders",
            rest_api=self.rest_api.id,
            triggers={"definition": definition.apply(lambda text: hashlib.sha256(text.encode()).hexdigest())},
            opts=pulumi.ResourceOptions(parent=self, depends_on=self._parts),
        )
        log_group = aws.cloudwatch.LogGroup(
            "api-access", retention_in_days=args.log_retention_days, opts=self._child
        )
        stage = aws.apigateway.Stage(
            "orders",
            rest_api=self.rest_api.id,
            deployment=deployment.id,
            stage_name=args.stage,
            access_log_settings={"destination_arn": log_group.arn, "format": access_log()},
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=self._log_role() if args.manage_account else []
            ),
        )
        self._throttle("orders", "*/*", stage, args.rate_limit, args.burst_limit)
        for path, burst in PUBLIC_BURSTS.items():
            self._throttle(path, f"{path}/GET", stage, PUBLIC_RATES[path], burst)
        return stage

    def _throttle(self, name: str, methods: str, stage: aws.apigateway.Stage, rate: int, burst: int) -> None:
        """Limit the requests to methods, to no more than the limits of the whole API."""
        aws.apigateway.MethodSettings(
            name,
            rest_api=self.rest_api.id,
            stage_name=stage.stage_name,
            method_path=methods,
            settings={
                "throttling_rate_limit": min(rate, self._args.rate_limit),
                "throttling_burst_limit": min(burst, self._args.burst_limit),
            },
            opts=self._child,
        )

    def _log_role(self) -> list[pulumi.Resource]:
        """Let API Gateway write logs: a setting of the account and region, not of one API.

        It is retained when the stack is destroyed, because other APIs may use it.
        https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html
        """
        retained = pulumi.ResourceOptions(parent=self, retain_on_delete=True)
        role = aws.iam.Role(
            "api-gateway-logs",
            assume_role_policy=iam.assumed_by("apigateway.amazonaws.com"),
            opts=retained,
        )
        policy = aws.iam.RolePolicyAttachment(
            "api-gateway-logs",
            role=role.name,
            policy_arn="arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs",
            opts=retained,
        )
        return [
            aws.apigateway.Account(
                "account",
                cloudwatch_role_arn=role.arn,
                opts=pulumi.ResourceOptions.merge(retained, pulumi.ResourceOptions(depends_on=[policy])),
            )
        ]


def _name(path: str) -> str:
    """Return a path as part of a logical name: `orders-id` for `orders/{id}`."""
    return "-".join(re.findall(r"[\w-]+", path))


def access_log() -> str:
    """Return the format of a line of the access log, which is JSON with its variables replaced."""
    text = json.dumps(ACCESS_LOG)
    # API Gateway quotes and escapes the value of this variable itself.
    return text.replace(f'"{ACCESS_LOG["error"]}"', ACCESS_LOG["error"])
