"""The order-status page: a private bucket behind CloudFront, which also leads to the API."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_aws as aws

from infra import iam

WEB = Path(__file__).parent.parent / "web"
INDEX = "order-status"
CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
# Managed policies, the same in every account:
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html
CACHING_OPTIMIZED = "658327ea-f89d-4fab-a63d-7e88639e58f6"
ALL_VIEWER_EXCEPT_HOST_HEADER = "b689b0a8-53d0-40ab-baf2-68738e2966ac"
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
YEAR = 365 * 24 * 60 * 60  # seconds
# CloudFront keeps an error for ten seconds unless told otherwise; a dashboard wants the recovery at once.
ERRORS_NOT_KEPT = (500, 502, 503, 504)


@dataclass(frozen=True, kw_only=True)
class PageArgs:
    """What the page needs from outside."""

    rest_api_id: pulumi.Input[str]
    region: str
    stage: str


class Page(pulumi.ComponentResource):
    """One origin for the browser: `/` and `/order-status` from the bucket, `/<stage>/*` from the API.

    So the page needs no CORS, and the bucket lets in nobody but this distribution.
    """

    url: pulumi.Output[str]

    def __init__(self, name: str, args: PageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cafe:orders:Page", name, None, opts)
        self._child = pulumi.ResourceOptions(parent=self)

        bucket = aws.s3.Bucket("order-status-page", opts=self._child)
        closed = aws.s3.BucketPublicAccessBlock(
            "page",
            bucket=bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=self._child,
        )
        self._upload(bucket, args.stage)
        distribution = self._distribution(bucket, args)
        aws.s3.BucketPolicy(
            "page",
            bucket=bucket.id,
            policy=iam.policy(
                iam.accept_from(
                    {"Service": "cloudfront.amazonaws.com"},
                    ["s3:GetObject"],
                    pulumi.Output.concat(bucket.arn, "/*"),
                    StringEquals={"AWS:SourceArn": distribution.arn},
                )
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[closed]),
        )
        self.url = pulumi.Output.concat("https://", distribution.domain_name, f"/{INDEX}")
        self.register_outputs({"url": self.url})

    def _upload(self, bucket: aws.s3.Bucket, stage: str) -> None:
        for path in sorted(WEB.iterdir()):
            key = INDEX if path.name == f"{INDEX}.html" else path.name
            self._object(bucket, key, CONTENT_TYPES[path.suffix], pulumi.FileAsset(str(path)))
        api = pulumi.StringAsset(f"export const apiBase = {json.dumps('/' + stage)};\n")
        self._object(bucket, "config.js", CONTENT_TYPES[".js"], api)

    def _object(self, bucket: aws.s3.Bucket, key: str, content_type: str, source: pulumi.Asset) -> None:
        aws.s3.BucketObjectv2(
            key,
            bucket=bucket.id,
            key=key,
            source=source,
            content_type=content_type,
            # Asked for again each time, answered with 304 while nothing changed: a deploy shows at once.
            cache_control="no-cache",
            opts=self._child,
        )

    def _distribution(self, bucket: aws.s3.Bucket, args: PageArgs) -> aws.cloudfront.Distribution:
        access = aws.cloudfront.OriginAccessControl(
            "page",
            origin_access_control_origin_type="s3",
            signing_behavior="always",
            signing_protocol="sigv4",
            opts=self._child,
        )
        headers = self._security_headers()
        return aws.cloudfront.Distribution(
            "page",
            enabled=True,
            comment=f"{pulumi.get_project()} {pulumi.get_stack()}",
            default_root_object=INDEX,
            http_version="http2and3",
            is_ipv6_enabled=True,
            price_class="PriceClass_100",
            origins=[
                {
                    "origin_id": "page",
                    "domain_name": bucket.bucket_regional_domain_name,
                    "origin_access_control_id": access.id,
                },
                {
                    "origin_id": "api",
                    "domain_name": pulumi.Output.concat(
                        args.rest_api_id, f".execute-api.{args.region}.amazonaws.com"
                    ),
                    "custom_origin_config": {
                        "http_port": 80,
                        "https_port": 443,
                        "origin_protocol_policy": "https-only",
                        "origin_ssl_protocols": ["TLSv1.2"],
                    },
                },
            ],
            default_cache_behavior={
                "target_origin_id": "page",
                "viewer_protocol_policy": "redirect-to-https",
                "allowed_methods": ["GET", "HEAD"],
                "cached_methods": ["GET", "HEAD"],
                "cache_policy_id": CACHING_OPTIMIZED,
                "response_headers_policy_id": headers.id,
                "compress": True,
            },
            ordered_cache_behaviors=[
                {
                    "path_pattern": f"/{args.stage}/*",
                    "target_origin_id": "api",
                    "viewer_protocol_policy": "https-only",
                    "allowed_methods": ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"],
                    "cached_methods": ["GET", "HEAD"],
                    "cache_policy_id": self._short_caching().id,
                    "origin_request_policy_id": ALL_VIEWER_EXCEPT_HOST_HEADER,
                    "response_headers_policy_id": headers.id,
                    "compress": True,
                }
            ],
            custom_error_responses=[
                {"error_code": code, "error_caching_min_ttl": 0} for code in ERRORS_NOT_KEPT
            ],
            restrictions={"geo_restriction": {"restriction_type": "none"}},
            viewer_certificate={"cloudfront_default_certificate": True},
            opts=self._child,
        )

    def _short_caching(self) -> aws.cloudfront.CachePolicy:
        """Keep an answer of the API as long as it says itself, at most a second, for all viewers."""
        return aws.cloudfront.CachePolicy(
            "api",
            min_ttl=0,
            default_ttl=0,
            max_ttl=1,
            parameters_in_cache_key_and_forwarded_to_origin={
                "cookies_config": {"cookie_behavior": "none"},
                "headers_config": {"header_behavior": "none"},
                "query_strings_config": {"query_string_behavior": "none"},
                "enable_accept_encoding_gzip": True,
                "enable_accept_encoding_brotli": True,
            },
            opts=self._child,
        )

    def _security_headers(self) -> aws.cloudfront.ResponseHeadersPolicy:
        return aws.cloudfront.ResponseHeadersPolicy(
            "page",
            security_headers_config={
                "content_security_policy": {
                    "content_security_policy": CONTENT_SECURITY_POLICY,
                    "override": True,
                },
                "content_type_options": {"override": True},
                "frame_options": {"frame_option": "DENY", "override": True},
                "referrer_policy": {"referrer_policy": "no-referrer", "override": True},
                "strict_transport_security": {"access_control_max_age_sec": YEAR, "override": True},
            },
            opts=self._child,
        )
