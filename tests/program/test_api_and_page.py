"""The API, and the pages behind CloudFront."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from pulumi import RunError

from infra import api, web_files
from infra.api import PUBLIC_BURSTS
from infra.recording import ROOT, record
from stores.mysql import users
from tests.program.conftest import FORKS, NEUTRAL, Program
from tests.program.setting_values import CHANGED


def matching_behavior(program: Program, path: str) -> dict[str, Any]:
    """Return the cache behavior of a path of the API: the first that matches."""
    distribution = program.one("cloudfront/distribution:Distribution").inputs
    behaviors: list[dict[str, Any]] = distribution["orderedCacheBehaviors"]
    return next(item for item in behaviors if fnmatch.fnmatchcase(path, item["pathPattern"]))


METHODS = {
    "POST-orders": ("PlaceOrder", "POST/orders"),
    "GET-order-status": ("GetOrderStatusLambda", "GET/order-status"),
    "GET-menu": ("GetMenu", "GET/menu"),
    "GET-kitchen": ("StaffOrders", "GET/kitchen"),
    "GET-orders-id": ("StaffOrders", "GET/orders/*"),
    "PATCH-orders-id": ("StaffOrders", "PATCH/orders/*"),
    "GET-ready": ("PublicOrders", "GET/ready"),
    "GET-track": ("PublicOrders", "GET/track"),
}


def test_these_are_the_methods(program: Program) -> None:
    assert {method.name for method in program.all("apigateway/method:Method")} == set(METHODS)


def test_the_methods_of_an_order_share_its_resource(program: Program) -> None:
    resource = program.one("apigateway/resource:Resource", "orders-id").inputs
    assert (resource["pathPart"], resource["parentId"]) == ("{id}", "id-Resource.orders")
    for name in ("GET-orders-id", "PATCH-orders-id"):
        assert program.one("apigateway/method:Method", name).inputs["resourceId"] == "id-Resource.orders-id"


@pytest.mark.parametrize("path", ["/prod/orders/7f4df1a3", "/prod/kitchen", "/prod/track"])
def test_personal_responses_are_never_cached_and_requests_keep_their_headers(
    program: Program, path: str
) -> None:
    found = matching_behavior(program, path)
    caching_disabled = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
    all_viewer_except_host_header = "b689b0a8-53d0-40ab-baf2-68738e2966ac"
    # CloudFront forwards `Authorization` only without caching.
    assert found["cachePolicyId"] == caching_disabled
    assert found["originRequestPolicyId"] == all_viewer_except_host_header
    assert "PATCH" in found["allowedMethods"]
    assert found["targetOriginId"] == "api"
    assert found["viewerProtocolPolicy"] == "https-only"
    assert found["responseHeadersPolicyId"] == "id-ResponseHeadersPolicy.page"


@pytest.mark.parametrize("path", ["/prod/orders", "/prod/order-status", "/prod/menu", "/prod/ready"])
def test_public_responses_are_cached_for_a_second(program: Program, path: str) -> None:
    assert matching_behavior(program, path)["cachePolicyId"] == "id-CachePolicy.api"


@pytest.mark.parametrize(("name", "function"), [(name, METHODS[name][0]) for name in METHODS])
def test_a_method_invokes_its_function(program: Program, name: str, function: str) -> None:
    integration = program.one("apigateway/integration:Integration", name).inputs
    assert integration["type"] == "AWS_PROXY"
    assert integration["uri"] == f"arn:invoke:Function.{function}"


@pytest.mark.parametrize(("name", "path"), [(name, METHODS[name][1]) for name in METHODS])
def test_the_api_may_invoke_a_function_for_one_method_of_one_stage(
    with_settings: Callable[..., Program], name: str, path: str
) -> None:
    permission = with_settings(apiStage="v1").one("lambda/permission:Permission", name).inputs
    assert permission["sourceArn"] == f"arn:execute:RestApi.orders/v1/{path}"
    assert permission["principal"] == "apigateway.amazonaws.com"


def test_the_body_is_validated_before_the_function(program: Program) -> None:
    method = program.one("apigateway/method:Method", "POST-orders").inputs
    assert method["requestModels"] == {"application/json": "Order"}
    assert method["requestValidatorId"] == "id-RequestValidator.body"


def test_the_model_is_the_order_of_the_openapi_document_in_draft_4(program: Program) -> None:
    model = json.loads(program.one("apigateway/model:Model").inputs["schema"])
    document = yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text(encoding="utf-8"))
    order = document["components"]["schemas"]["Order"]
    assert model["$schema"] == "http://json-schema.org/draft-04/schema#"
    assert (model["title"], model["type"]) == ("Order", "object")
    assert {"item", "quantity", "customer_name", "orderId"} <= set(model["properties"])
    for name, field in order["properties"].items():
        # The function validates the fields.
        assert model["properties"][name] == {"description": field["description"]}


def test_responses_are_compressed_and_small_compressed_orders_are_decompressed(program: Program) -> None:
    # API Gateway does not decompress smaller bodies.
    assert program.one("apigateway/restApi:RestApi").inputs["minimumCompressionSize"] == "0"
    caching = program.one("cloudfront/cachePolicy:CachePolicy").inputs
    key = caching["parametersInCacheKeyAndForwardedToOrigin"]
    assert key["enableAcceptEncodingGzip"] is key["enableAcceptEncodingBrotli"] is True
    assert program.behavior("page")["compress"] is program.behavior("api")["compress"] is True


def test_the_gateways_own_responses_are_json_with_a_message(program: Program) -> None:
    for response in program.all("apigateway/response:Response"):
        message = json.loads(response.inputs["responseTemplates"]["application/json"])["message"]
        assert message.endswith(".")


def test_a_deployment_depends_on_the_whole_definition(program: Program) -> None:
    deployment = program.one("apigateway/deployment:Deployment")
    parts = ("method:Method", "integration:Integration", "model:Model", "response:Response")
    needed = {part.urn for kind in parts for part in program.all(f"apigateway/{kind}")}
    assert needed <= set(deployment.depends_on)


def test_only_a_changed_definition_is_redeployed(
    dev: Program, limited: Program, invited: Program, with_settings: Callable[..., Program]
) -> None:
    def fingerprint(program: Program) -> str:
        return str(program.one("apigateway/deployment:Deployment").inputs["triggers"]["definition"])

    assert fingerprint(with_settings(monthlyBudget="30", alarmEmail="ops@example.org")) == fingerprint(dev)
    assert len({fingerprint(program) for program in (dev, limited, invited)}) == 3


def fingerprint_with_compression(size: int) -> object:
    """Run the program with another compression size; call it in a separate process."""
    api.MIN_COMPRESSION_SIZE = size
    resources = record("dev", NEUTRAL)["resources"]
    (deployment,) = (r for r in resources if r["type"] == "aws:apigateway/deployment:Deployment")
    return deployment["inputs"]["triggers"]["definition"]


def test_a_changed_compression_size_is_redeployed(dev: Program) -> None:
    with ProcessPoolExecutor(1, FORKS) as apart:
        changed = apart.submit(fingerprint_with_compression, 1024).result()
    assert changed != dev.one("apigateway/deployment:Deployment").inputs["triggers"]["definition"]


def test_the_stage_throttles_and_logs(program: Program) -> None:
    limits = {
        each.inputs["methodPath"]: each.inputs["settings"]
        for each in program.all("apigateway/methodSettings:MethodSettings")
    }
    assert limits == {
        "*/*": {"throttlingRateLimit": 50, "throttlingBurstLimit": 100},
        "ready/GET": {"throttlingRateLimit": 8, "throttlingBurstLimit": 4},
        "track/GET": {"throttlingRateLimit": 20, "throttlingBurstLimit": 8},
    }
    # Each concurrent request may use a connection.
    assert sum(PUBLIC_BURSTS.values()) < users.STATUS_CONNECTIONS * 2 / 3
    log = program.one("apigateway/stage:Stage").inputs["accessLogSettings"]
    assert log["destinationArn"] == "arn:LogGroup.api-access"
    # API Gateway quotes and escapes this value itself.
    error = "$context.error.messageString"
    assert f'"error": {error},' in log["format"]
    line = json.loads(log["format"].replace(error, '"the message"'))
    assert line["status"] == "$context.status"
    # The cause of a function's 5xx, which the error message does not contain
    assert line["cause"] == "$context.integration.error"


def test_the_log_role_of_the_account_outlives_the_stack(program: Program) -> None:
    """Another stack's API may use it."""
    retained = {resource.name for resource in program.resources if resource.retained}
    assert retained - {"orders-backup", "ErasedOrders"} == {"api-gateway-logs", "account"}
    assert program.one("apigateway/account:Account").retained
    assert program.one("iam/role:Role", "api-gateway-logs").retained
    assert program.one("iam/rolePolicyAttachment:RolePolicyAttachment").retained


def test_an_expired_token_gets_401(program: Program) -> None:
    statuses = {r.name: r.inputs["statusCode"] for r in program.all("apigateway/response:Response")}
    assert statuses["EXPIRED_TOKEN"] == statuses["UNAUTHORIZED"] == "401"


def test_a_second_stack_of_an_account_does_not_set_its_log_role(
    with_settings: Callable[..., Program],
) -> None:
    program = with_settings(**CHANGED)
    assert program.all("apigateway/account:Account") == []
    assert program.one("apigateway/stage:Stage").inputs["accessLogSettings"]


def test_only_the_distribution_may_read_the_bucket(program: Program) -> None:
    closed = program.one("s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "page").inputs
    assert closed == {"bucket": "id-Bucket.order-status-page"} | dict.fromkeys(
        ["blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"], True
    )
    assert program.one("s3/bucketPolicy:BucketPolicy", "page").policy() == [
        {
            "Effect": "Allow",
            "Action": ["s3:GetObject"],
            "Resource": ["arn:Bucket.order-status-page/*"],
            "Principal": {"Service": "cloudfront.amazonaws.com"},
            "Condition": {"StringEquals": {"AWS:SourceArn": "arn:Distribution.page"}},
        },
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": ["arn:Bucket.order-status-page", "arn:Bucket.order-status-page/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
    ]


@pytest.mark.parametrize("which", ["page", "api"])
def test_https_is_required(program: Program, which: str) -> None:
    assert program.behavior(which)["viewerProtocolPolicy"] in ("redirect-to-https", "https-only")


def test_the_pages_get_the_stacks_settings(limited: Program) -> None:
    settings = limited.page_settings()
    del settings["staffSignIn"]
    assert settings == {
        "apiBase": "/prod",
        "timeZone": "Europe/Berlin",
        "locale": "de-DE",
        "access": "cidrs",
        "signIn": None,
        "ordersApiKey": True,
        "warnMinutes": 3,
        "overdueMinutes": 6,
        "version": web_files.version(),
    }


def test_the_settings_are_uploaded_after_all_other_files(program: Program) -> None:
    settings = program.one("s3/bucketObjectv2:BucketObjectv2", "config.js")
    files = [program.one("s3/bucketObjectv2:BucketObjectv2", name).urn for name in web_files.files()]
    assert set(files) <= set(settings.depends_on)


def test_a_file_of_an_unknown_type_stops_the_deploy(tmp_path: Path) -> None:
    (tmp_path / "photo.heic").touch()
    with pytest.raises(RunError, match=r"web/photo\.heic: unknown type"):
        web_files.files(tmp_path)


def test_the_key_of_a_page_has_no_suffix(tmp_path: Path) -> None:
    for name in ("order.html", "order-status.html", "order.js"):
        (tmp_path / name).touch()
    assert set(web_files.files(tmp_path)) == {"order", "order-status", "order.js"}


def test_one_origin_serves_the_page_and_the_api(with_settings: Callable[..., Program]) -> None:
    program = with_settings(apiStage="v1")
    assert program.behavior("api")["pathPattern"] == "/v1/*"
    assert program.page_settings()["apiBase"] == "/v1"
    distribution = program.one("cloudfront/distribution:Distribution").inputs
    assert distribution["defaultRootObject"] == "order-status"
    assert [origin["domainName"] for origin in distribution["origins"]] == [
        "order-status-page.s3.us-east-1.amazonaws.com",
        "id-RestApi.orders.execute-api.us-east-1.amazonaws.com",
    ]


def test_the_viewers_host_header_is_not_forwarded(program: Program) -> None:
    all_viewer_except_host_header = "b689b0a8-53d0-40ab-baf2-68738e2966ac"
    assert program.behavior("api")["originRequestPolicyId"] == all_viewer_except_host_header


def test_responses_are_cached_for_at_most_a_second(program: Program) -> None:
    policy = program.one("cloudfront/cachePolicy:CachePolicy").inputs
    assert (policy["minTtl"], policy["defaultTtl"], policy["maxTtl"]) == (0, 0, 1)


def test_errors_of_the_api_are_not_cached(program: Program) -> None:
    """CloudFront ignores the `no-store` of these, and otherwise caches them for ten seconds."""
    responses = program.one("cloudfront/distribution:Distribution").inputs["customErrorResponses"]
    lifetimes = {response["errorCode"]: response["errorCachingMinTtl"] for response in responses}
    assert lifetimes == dict.fromkeys((500, 502, 503, 504), 0)


def test_only_the_pages_own_scripts_and_styles_run(program: Program) -> None:
    headers = program.one("cloudfront/responseHeadersPolicy:ResponseHeadersPolicy").inputs[
        "securityHeadersConfig"
    ]
    policy = headers["contentSecurityPolicy"]["contentSecurityPolicy"]
    assert "default-src 'none'" in policy
    assert "font-src 'self'" in policy
    assert "unsafe" not in policy
    assert headers["strictTransportSecurity"]["accessControlMaxAgeSec"] >= 31_536_000
    for which in ("page", "api"):
        assert program.behavior(which)["responseHeadersPolicyId"] == "id-ResponseHeadersPolicy.page"


def test_every_file_has_its_type_and_is_revalidated_except_fonts(program: Program) -> None:
    objects = program.all("s3/bucketObjectv2:BucketObjectv2")
    types = {resource.inputs["key"]: resource.inputs["contentType"] for resource in objects}
    assert types["order-status"] == "text/html; charset=utf-8"
    assert types["order-status.js"] == "text/javascript; charset=utf-8"
    fonts = {key for key in types if key.endswith(".woff2")}
    assert {types[font] for font in fonts} == {"font/woff2"}
    for resource in objects:
        expected = "public, max-age=31536000, immutable" if resource.inputs["key"] in fonts else "no-cache"
        assert resource.inputs["cacheControl"] == expected


def test_there_is_no_cors(program: Program) -> None:
    assert "Access-Control-Allow-Origin" not in json.dumps([r.inputs for r in program.resources])
