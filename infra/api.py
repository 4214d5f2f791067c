"""The REST API: orders, their states, and what the pages show."""

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
from infra.lambda_function import Function
from infra.order_model import order_model
from infra.settings import Settings

SIGN_IN = "This is for people who have signed in: sign in on the order-status page or the kitchen's."
# Answers that API Gateway gives by itself: type, status and a sentence that says what to do.
GATEWAY_ANSWERS = {
    "BAD_REQUEST_BODY": (
        "400",
        'The body must be a JSON object with an order, such as {"item": "Latte", "quantity": 1}.',
    ),
    "MISSING_AUTHENTICATION_TOKEN": (
        "404",
        "There is nothing here: use POST /orders, GET /menu, GET /order-status, GET /ready, GET /track, "
        "GET /kitchen, GET /orders/{id} or PATCH /orders/{id}.",
    ),
    "UNAUTHORIZED": ("401", SIGN_IN),
    # A 403 by itself, after which a page would not ask for another token.
    "EXPIRED_TOKEN": ("401", SIGN_IN),
    "INVALID_API_KEY": ("403", "This cafe takes orders with its API key only: send it as x-api-key."),
    "THROTTLED": ("429", "Too many requests at once: try again in a second."),
}
# Bytes from which on an answer is compressed for whoever can read that. Smaller bodies of requests are not
# decompressed either, and an order is small.
COMPRESSED_FROM = 0
# Requests at once to paths that are open to everybody and read the database. Together they take 12 of the 20
# connections of its user `cafe_status` at most, so that no flood takes the order status's.
PUBLIC_BURSTS = {"ready": 4, "track": 8}
PUBLIC_RATES = {"ready": 8, "track": 20}  # a second; 100 customers who follow an order, every five seconds
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


VARIABLE = re.compile(r"\{\w+\}")  # a part of a path, such as `{id}`


@dataclass(frozen=True, kw_only=True)
class ApiArgs:
    """What the API needs from outside."""

    stage: str

    # Who may use it
    orders_api_key: bool
    rate_limit: int  # requests per second
    burst_limit: int  # requests at once

    # Its log
    log_retention_days: int
    manage_account: bool  # whether this stack sets API Gateway's log role, one per account and region

    @classmethod
    def of(cls, settings: Settings) -> ApiArgs:
        """Take them from the stack's settings."""
        return cls(
            stage=settings.api_stage,
            orders_api_key=settings.orders_api_key,
            rate_limit=settings.api_rate_limit,
            burst_limit=settings.api_burst_limit,
            log_retention_days=settings.log_retention_days,
            manage_account=settings.manage_api_gateway_account,
        )


class Api(pulumi.ComponentResource):
    """A regional REST API with throttling and an access log, deployed anew when its definition changes."""

    rest_api: aws.apigateway.RestApi
    stage: aws.apigateway.Stage
    orders_key: pulumi.Output[str] | None = None
    """What `POST /orders` wants as `x-api-key`, if it wants any."""
    orders_key_hash: pulumi.Output[str] | None = None
    """What the function compares it with."""

    def __init__(self, name: str, args: ApiArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cafe:orders:Api", name, None, opts)
        self._child = pulumi.ResourceOptions(parent=self)
        self._args = args
        self._parts: list[pulumi.Resource] = []  # what a deployment is a picture of
        # The same, as text to compare. A deployment has the API's compression, too.
        self._definition: list[pulumi.Input[object]] = [COMPRESSED_FROM]
        self._resources: dict[str, aws.apigateway.Resource] = {}  # by their paths

        self.rest_api = aws.apigateway.RestApi(
            "orders",
            endpoint_configuration={"types": "REGIONAL"},
            minimum_compression_size=str(COMPRESSED_FROM),
            opts=self._child,
        )
        self._key = aws.apigateway.ApiKey("orders", opts=self._child) if args.orders_api_key else None
        if self._key:
            self.orders_key = pulumi.Output.secret(self._key.value)
            digest = self._key.value.apply(lambda key: hashlib.sha256(key.encode()).hexdigest())
            self.orders_key_hash = pulumi.Output.unsecret(digest)
        self.register_outputs({})

    def open(
        self,
        access: Access,
        *,
        place_order: Function,
        get_order_status: Function,
        get_menu: Function,
        staff_orders: Function,
        public_orders: Function,
    ) -> None:
        """Lead the paths to their functions.

        Apart from the making of the API, because who may read the status is invited to the page, and the page
        has to know where the API is.
        """
        keyed = self._key is not None
        people = self._authorizer(access)
        self._route("POST", "orders", place_order, api_key_required=keyed, **self._body())
        self._route("GET", "menu", get_menu)
        readers = self._signed_in(people, READ_STATUS) if access.mode == "login" else {}
        self._route("GET", "order-status", get_order_status, **readers)
        staff = self._signed_in(people, WORK_ON_ORDERS)
        self._route("GET", "kitchen", staff_orders, **staff)
        self._route("GET", "orders/{id}", staff_orders, **staff)
        self._route("PATCH", "orders/{id}", staff_orders, **staff)
        self._route("GET", "ready", public_orders)
        self._route("GET", "track", public_orders)
        for answer, (status, message) in GATEWAY_ANSWERS.items():
            self._answer(answer, status, message)
        self.stage = self._deploy(self._args)
        if self._key:
            self._admit(self._key)

    def url(self, path: str) -> pulumi.Output[str]:
        """Address a path of the API, such as `/orders`."""
        return pulumi.Output.concat(self.stage.invoke_url, path)

    def _body(self) -> dict[str, Any]:
        """Check that the body is an order's shape before the function is called."""
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
        """Check the tokens of people who signed in."""
        authorizer = aws.apigateway.Authorizer(
            "readers",
            rest_api=self.rest_api.id,
            type="COGNITO_USER_POOLS",
            provider_arns=[access.user_pool.arn],
            # A token that has expired is not remembered as a good one.
            authorizer_result_ttl_in_seconds=0,
            opts=self._child,
        )
        self._parts.append(authorizer)
        self._definition.append(access.user_pool.arn)
        return authorizer

    @staticmethod
    def _signed_in(people: aws.apigateway.Authorizer, scope: str) -> dict[str, Any]:
        """Let in access tokens with a scope; without one, an ID token would pass."""
        return {
            "authorization": "COGNITO_USER_POOLS",
            "authorizer_id": people.id,
            "authorization_scopes": [scope],
        }

    def _admit(self, key: aws.apigateway.ApiKey) -> None:
        """Let a key open `POST /orders`, the one method that asks for any."""
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
                self.rest_api.execution_arn, f"/{self._args.stage}/{verb}/{VARIABLE.sub('*', path)}"
            ),
            opts=self._child,
        )
        self._parts += [method, integration]
        self._definition.append([verb, path, authorization, request, function.function.invoke_arn])

    def _resource(self, path: str) -> aws.apigateway.Resource:
        """Return the resource of a path, once there for all its methods."""
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

    def _answer(self, response_type: str, status: str, message: str) -> None:
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
        """Limit the requests to methods; where the stack's own limit is lower, that one holds."""
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
        """Let API Gateway write logs at all: a setting of the account and region, not of one API.

        It stays when the stack goes, because other APIs may log by it.
        https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html
        """
        stays = pulumi.ResourceOptions(parent=self, retain_on_delete=True)
        role = aws.iam.Role(
            "api-gateway-logs",
            assume_role_policy=iam.assumed_by("apigateway.amazonaws.com"),
            opts=stays,
        )
        policy = aws.iam.RolePolicyAttachment(
            "api-gateway-logs",
            role=role.name,
            policy_arn="arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs",
            opts=stays,
        )
        return [
            aws.apigateway.Account(
                "account",
                cloudwatch_role_arn=role.arn,
                opts=pulumi.ResourceOptions.merge(stays, pulumi.ResourceOptions(depends_on=[policy])),
            )
        ]


def _name(path: str) -> str:
    """Write a path as part of a resource's name: `orders-id` for `orders/{id}`."""
    return "-".join(re.findall(r"[\w-]+", path))


def access_log() -> str:
    """Return the format of a line of the access log, which is JSON once its variables have values."""
    text = json.dumps(ACCESS_LOG)
    # The one variable that brings its own quotes, and escapes what an error's message holds.
    return text.replace(f'"{ACCESS_LOG["error"]}"', ACCESS_LOG["error"])
