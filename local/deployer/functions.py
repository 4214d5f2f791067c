"""Resources of IAM, Lambda and logs, and what invokes functions."""

from __future__ import annotations

from local.deployer.archives import zipped
from local.deployer.cloud import Cloud
from local.deployer.inputs import InputError, Inputs
from local.deployer.registry import Result, resource


@resource("aws:iam/role:Role")
def role(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    physical = inputs.get("name", cloud.physical_name(name))
    if inputs.get("permissionsBoundary"):
        cloud.deviations.permissions_boundary()
    created = cloud.client("iam").create_role(
        RoleName=physical, AssumeRolePolicyDocument=inputs.text("assumeRolePolicy")
    )["Role"]
    return physical, {"name": physical, "arn": created["Arn"], "uniqueId": created["RoleId"]}


@resource("aws:iam/rolePolicy:RolePolicy")
def role_policy(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    physical = inputs.get("name", cloud.physical_name(name))
    document = cloud.deviations.role_policy(inputs.text("policy"))
    cloud.client("iam").put_role_policy(
        RoleName=inputs.text("role"), PolicyName=physical, PolicyDocument=document
    )
    return f"{inputs.text('role')}:{physical}", {"name": physical}


@resource("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
def role_policy_attachment(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    role_name, policy = inputs.text("role"), inputs.text("policyArn")
    cloud.client("iam").attach_role_policy(RoleName=role_name, PolicyArn=policy)
    return f"{role_name}/{policy}", {}


@resource("aws:cloudwatch/logGroup:LogGroup")
def log_group(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    logs = cloud.client("logs")
    physical = inputs.get("name", cloud.physical_name(name))
    logs.create_log_group(logGroupName=physical)
    logs.put_retention_policy(logGroupName=physical, retentionInDays=inputs.require("retentionInDays"))
    return physical, {"name": physical, "arn": cloud.arn("logs", f"log-group:{physical}")}


@resource("aws:lambda/function:Function")
def function(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    physical = inputs.get("name", cloud.physical_name(name))
    network, logging = inputs.section("vpcConfig"), inputs.section("loggingConfig")
    created = cloud.client("lambda").create_function(
        FunctionName=physical,
        Code={"ZipFile": zipped(inputs.require("code"), cloud.deviations.archive_replacements())},
        Runtime=cloud.deviations.runtime(inputs.text("runtime")),
        Architectures=inputs.texts("architectures"),
        Handler=inputs.text("handler"),
        Role=inputs.text("role"),
        Timeout=inputs.require("timeout"),
        MemorySize=inputs.require("memorySize"),
        Environment={
            "Variables": cloud.deviations.environment(inputs.section("environment").get("variables", {}))
        },
        VpcConfig=network.capitalized("subnetIds", "securityGroupIds", "ipv6AllowedForDualStack"),
        LoggingConfig=logging.capitalized("logFormat", "logGroup"),
    )
    arn = created["FunctionArn"]
    invoke_path = f"path/2015-03-31/functions/{arn}/invocations"
    return physical, {
        "name": physical,
        "arn": arn,
        "invokeArn": f"arn:aws:apigateway:{cloud.region}:lambda:{invoke_path}",
        "version": created["Version"],
    }


@resource("aws:lambda/permission:Permission")
def permission(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    # Statement ids are alphanumeric.
    statement = inputs.get("statementId", "".join(filter(str.isalnum, cloud.physical_name(name))))
    cloud.client("lambda").add_permission(
        FunctionName=inputs.text("function"),
        StatementId=statement,
        Action=inputs.text("action"),
        Principal=inputs.text("principal"),
        SourceArn=inputs.text("sourceArn"),
    )
    return statement, {"statementId": statement}


@resource("aws:lambda/invocation:Invocation", {"triggers": "a new stack invokes the function once"})
def invocation(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    function_name = inputs.text("functionName")
    response = cloud.client("lambda").invoke(
        FunctionName=function_name, Payload=inputs.text("input").encode()
    )
    result = response["Payload"].read().decode()
    if "FunctionError" in response:
        raise InputError(f"invoked {function_name}, which failed: {result[:1000]}")
    return f"{function_name}_$LATEST", {"result": result}


@resource("aws:lambda/eventSourceMapping:EventSourceMapping")
def event_source_mapping(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    created = cloud.client("lambda").create_event_source_mapping(
        EventSourceArn=inputs.text("eventSourceArn"),
        FunctionName=inputs.text("functionName"),
        BatchSize=cloud.deviations.batch_size(inputs.get("batchSize", 10)),
        ScalingConfig=inputs.section("scalingConfig").capitalized("maximumConcurrency"),
        **inputs.capitalized("maximumBatchingWindowInSeconds", "functionResponseTypes"),
    )
    return created["UUID"], {"uuid": created["UUID"], "functionArn": created["FunctionArn"]}


@resource("aws:cloudwatch/eventRule:EventRule")
def event_rule(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    physical = inputs.get("name", cloud.physical_name(name))
    arn = cloud.client("events").put_rule(
        Name=physical,
        ScheduleExpression=inputs.text("scheduleExpression"),
        **inputs.capitalized("description"),
    )["RuleArn"]
    return physical, {"name": physical, "arn": arn}


@resource("aws:cloudwatch/eventTarget:EventTarget")
def event_target(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    rule = inputs.text("rule")
    target = inputs.get("targetId", cloud.physical_name(name))
    cloud.client("events").put_targets(
        Rule=rule, Targets=[{"Id": target, "Arn": inputs.text("arn"), **inputs.capitalized("input")}]
    )
    return f"{rule}-{target}", {"targetId": target}


@resource("aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig")
def event_invoke_config(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    function_name = inputs.text("functionName")
    cloud.client("lambda").put_function_event_invoke_config(
        FunctionName=function_name,
        **inputs.capitalized("maximumRetryAttempts", "maximumEventAgeInSeconds"),
    )
    return function_name, {}
