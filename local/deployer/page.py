"""Resources of CloudFront."""

from __future__ import annotations

from typing import Any

from local.deployer.cloud import Cloud
from local.deployer.inputs import Inputs
from local.deployer.registry import Result, resource

_EVERYWHERE = "one machine serves the page"


@resource("aws:cloudfront/originAccessControl:OriginAccessControl")
def origin_access_control(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    physical = inputs.get("name", cloud.physical_name(name))
    configuration = {
        "Name": physical,
        "SigningProtocol": inputs.text("signingProtocol"),
        "SigningBehavior": inputs.text("signingBehavior"),
        "OriginAccessControlOriginType": inputs.text("originAccessControlOriginType"),
    }
    created = cloud.client("cloudfront").create_origin_access_control(OriginAccessControlConfig=configuration)
    return created["OriginAccessControl"]["Id"], {"name": physical}


@resource("aws:cloudfront/responseHeadersPolicy:ResponseHeadersPolicy")
def response_headers_policy(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    physical = inputs.get("name", cloud.physical_name(name))
    headers = _pascal(inputs.require("securityHeadersConfig"))
    policy = headers["ContentSecurityPolicy"]
    policy["ContentSecurityPolicy"] = cloud.deviations.addresses(policy["ContentSecurityPolicy"])
    created = cloud.client("cloudfront").create_response_headers_policy(
        ResponseHeadersPolicyConfig={"Name": physical, "SecurityHeadersConfig": headers}
    )
    return created["ResponseHeadersPolicy"]["Id"], {"name": physical}


@resource("aws:cloudfront/cachePolicy:CachePolicy")
def cache_policy(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    physical = inputs.get("name", cloud.physical_name(name))
    key = _pascal(inputs.require("parametersInCacheKeyAndForwardedToOrigin"))
    if headers := key["HeadersConfig"].get("Headers"):
        headers |= _counted(headers["Items"])
    configuration = {
        "Name": physical,
        "MinTTL": inputs.require("minTtl"),
        "DefaultTTL": inputs.require("defaultTtl"),
        "MaxTTL": inputs.require("maxTtl"),
        "ParametersInCacheKeyAndForwardedToOrigin": key,
    }
    created = cloud.client("cloudfront").create_cache_policy(CachePolicyConfig=configuration)
    return created["CachePolicy"]["Id"], {"name": physical}


@resource("aws:cloudfront/function:Function")
def viewer_function(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    client = cloud.client("cloudfront")
    physical = inputs.get("name", cloud.physical_name(name))
    created = client.create_function(
        Name=physical,
        FunctionConfig={"Comment": inputs.get("comment", ""), "Runtime": inputs.text("runtime")},
        FunctionCode=inputs.text("code").encode(),
    )
    if inputs.flag("publish", default=True):
        client.publish_function(Name=physical, IfMatch=created["ETag"])
    return physical, {
        "name": physical,
        "arn": created["FunctionSummary"]["FunctionMetadata"]["FunctionARN"],
        "etag": created["ETag"],
    }


@resource(
    "aws:cloudfront/distribution:Distribution",
    {
        "priceClass": _EVERYWHERE,
        "restrictions": _EVERYWHERE,
        "httpVersion": "the local gateway supports HTTP/1.1 only",
        "isIpv6Enabled": "the local gateway listens on 127.0.0.1 only",
        "viewerCertificate": "the page is served without TLS, see the deviations",
    },
)
def distribution(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    behaviors = [_behavior(cloud, item) for item in inputs.sections("orderedCacheBehaviors")]
    errors = [
        {"ErrorCode": item.require("errorCode"), "ErrorCachingMinTTL": item.require("errorCachingMinTtl")}
        for item in inputs.sections("customErrorResponses")
    ]
    configuration = {
        "CallerReference": name,
        "Comment": inputs.get("comment", ""),
        "Enabled": inputs.flag("enabled"),
        "DefaultRootObject": inputs.get("defaultRootObject", ""),
        "Origins": _counted([_origin(cloud, item) for item in inputs.sections("origins")]),
        "DefaultCacheBehavior": _behavior(cloud, inputs.section("defaultCacheBehavior")),
        "CacheBehaviors": _counted(behaviors),
        "CustomErrorResponses": _counted(errors),
    }
    created = cloud.client("cloudfront").create_distribution(DistributionConfig=configuration)
    result = created["Distribution"]
    cloud.served.page = cloud.address(f"https://{result['DomainName']}").netloc
    if configuration["DefaultRootObject"]:
        cloud.served.pages.append("/")
    return result["Id"], {
        "arn": result["ARN"],
        "domainName": result["DomainName"],
        "status": result["Status"],
    }


def _origin(cloud: Cloud, origin: Inputs) -> dict[str, Any]:
    result = {
        "Id": origin.text("originId"),
        "DomainName": origin.text("domainName"),
        "OriginPath": origin.get("originPath", ""),
    }
    if "customOriginConfig" not in origin:
        access = origin.text("originAccessControlId")
        empty_identity = {"OriginAccessIdentity": ""}
        return {**result, "OriginAccessControlId": access, "S3OriginConfig": empty_identity}
    custom = _pascal(origin.get("customOriginConfig"))
    custom["OriginSslProtocols"] = _counted(custom["OriginSslProtocols"])
    headers = [
        {"HeaderName": item.text("name"), "HeaderValue": item.text("value")}
        for item in origin.sections("customHeaders")
    ]
    result["CustomHeaders"] = _counted(headers)
    local = cloud.deviations.api_origin(result["DomainName"], result["OriginPath"])
    return {**result, "CustomOriginConfig": custom, **(local or {})}


def _behavior(cloud: Cloud, behavior: Inputs) -> dict[str, Any]:
    policy = cloud.deviations.viewer_protocol_policy(behavior.text("viewerProtocolPolicy"))
    cached = _counted(behavior.texts("cachedMethods"))
    functions = [
        {"EventType": item.text("eventType"), "FunctionARN": item.text("functionArn")}
        for item in behavior.sections("functionAssociations")
    ]
    return {
        **behavior.capitalized("targetOriginId", "pathPattern", "cachePolicyId", "originRequestPolicyId"),
        **behavior.capitalized("responseHeadersPolicyId", "compress"),
        "FunctionAssociations": _counted(functions),
        "ViewerProtocolPolicy": policy,
        "AllowedMethods": {**_counted(behavior.texts("allowedMethods")), "CachedMethods": cached},
    }


def _counted(items: list[Any]) -> dict[str, Any]:
    """Return a list as CloudFront's API expects it."""
    return {"Quantity": len(items), "Items": items} if items else {"Quantity": 0}


def _pascal(value: Any) -> Any:
    """Convert the provider's names (`cookieBehavior`, `httpPort`) to those of CloudFront's API."""
    if isinstance(value, dict):
        return {_pascal_name(key): _pascal(item) for key, item in value.items()}
    return value


def _pascal_name(name: str) -> str:
    acronyms = {"httpPort": "HTTPPort", "httpsPort": "HTTPSPort"}
    return acronyms.get(name, name[0].upper() + name[1:])
