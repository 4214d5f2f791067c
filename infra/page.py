"""The pages in a private bucket, and the CloudFront distribution for them and for the API.

`web_files.py` has the files and their headers, such as the Content-Security-Policy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from infra import iam, web_files
from infra.access import ORIGIN_HEADER, Access
from infra.api import Api
from infra.domain import Domain, DomainArgs
from infra.settings import Settings

# Managed policies, the same in every account:
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html
CACHING_OPTIMIZED = "658327ea-f89d-4fab-a63d-7e88639e58f6"
CACHING_DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
ALL_VIEWER_EXCEPT_HOST_HEADER = "b689b0a8-53d0-40ab-baf2-68738e2966ac"
YEAR = 365 * 24 * 60 * 60  # seconds
# Paths of the API with personal responses: of staff, and a customer's own order. CloudFront forwards
# `Authorization` only if caching is disabled, or if the header is part of the cache key:
# https://repost.aws/knowledge-center/cloudfront-authorization-header
UNCACHED_PATHS = ("orders/*", "kitchen", "track")
# CloudFront caches errors for ten seconds by default; the pages must see a recovery at once.
UNCACHED_ERRORS = (500, 502, 503, 504)


@dataclass(frozen=True, kw_only=True)
class PageArgs:
    """Inputs of Page."""

    # The API
    rest_api_id: pulumi.Input[str]
    region: str
    stage: str
    orders_api_key: bool  # required for orders

    # The kitchen
    warn_minutes: int
    overdue_minutes: int

    # A domain of one's own
    domain: DomainArgs | None

    # The reader
    access: Access
    time_zone: str
    locale: str

    @classmethod
    def of(
        cls, settings: Settings, region: str, domain: DomainArgs | None, access: Access, api: Api
    ) -> PageArgs:
        """Read the other inputs from the settings."""
        return cls(
            rest_api_id=api.rest_api.id,
            region=region,
            stage=settings.api_stage,
            orders_api_key=settings.orders_api_key,
            warn_minutes=settings.warn_minutes,
            overdue_minutes=settings.overdue_minutes,
            domain=domain,
            access=access,
            time_zone=settings.time_zone,
            locale=settings.locale,
        )


class Page(pulumi.ComponentResource):
    """One origin for browsers, without CORS: the bucket with the pages, and the API under `/<stage>/`.

    The component also creates the user pool (`Access.create_user_pool`), which needs the distribution's URL.
    """

    origin: pulumi.Output[str]
    """At the domain of one's own, else at cloudfront.net."""
    url: pulumi.Output[str]
    cloudfront_url: pulumi.Output[str]
    """Stays valid with a domain."""
    domain: Domain | None

    def __init__(self, name: str, args: PageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cafe:orders:Page", name, None, opts)
        self._child = pulumi.ResourceOptions(parent=self)

        bucket = aws.s3.Bucket("order-status-page", opts=self._child)
        public_access = aws.s3.BucketPublicAccessBlock(
            "page",
            bucket=bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=self._child,
        )
        self.domain = Domain("domain", args.domain, opts=self._child) if args.domain else None
        distribution = self._distribution(bucket, args)
        cloudfront = pulumi.Output.concat("https://", distribution.domain_name)
        self.origin = self.domain.point_to(distribution) if self.domain else cloudfront
        self.url = pulumi.Output.concat(self.origin, f"/{web_files.INDEX}")
        self.cloudfront_url = pulumi.Output.concat(cloudfront, f"/{web_files.INDEX}")
        self._upload(bucket, args, [self.origin, cloudfront] if self.domain else [cloudfront])
        objects = pulumi.Output.concat(bucket.arn, "/*")
        aws.s3.BucketPolicy(
            "page",
            bucket=bucket.id,
            policy=iam.policy(
                iam.grant(
                    {"Service": "cloudfront.amazonaws.com"},
                    ["s3:GetObject"],
                    objects,
                    StringEquals={"AWS:SourceArn": distribution.arn},
                ),
                iam.require_tls("s3", bucket.arn, objects),
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[public_access]),
        )
        self.register_outputs({"url": self.url})

    def _upload(self, bucket: aws.s3.Bucket, args: PageArgs, origins: Sequence[pulumi.Output[str]]) -> None:
        uploaded = [
            self._upload_file(bucket, key, path.suffix, source=pulumi.FileAsset(str(path)))
            for key, path in web_files.files().items()
        ]
        sign_in, staff_sign_in = args.access.create_user_pool(*origins)
        settings = pulumi.Output.json_dumps(
            {
                "apiBase": f"/{args.stage}",
                "timeZone": args.time_zone,
                "locale": args.locale,
                "access": args.access.mode,
                "signIn": sign_in,
                "staffSignIn": staff_sign_in,
                "ordersApiKey": args.orders_api_key,
                "warnMinutes": args.warn_minutes,
                "overdueMinutes": args.overdue_minutes,
                "version": web_files.version(),
            }
        )
        script = pulumi.Output.concat("export const settings = ", settings, ";\n")
        # Uploaded last: open pages reload when it changes, and then need all other files.
        self._upload_file(bucket, web_files.SETTINGS, ".js", after=uploaded, content=script)

    def _upload_file(
        self,
        bucket: aws.s3.Bucket,
        key: str,
        suffix: str,
        after: Sequence[pulumi.Resource] = (),
        **content: Any,
    ) -> aws.s3.BucketObjectv2:
        return aws.s3.BucketObjectv2(
            key,
            bucket=bucket.id,
            key=key,
            content_type=web_files.CONTENT_TYPES[suffix],
            cache_control=web_files.cache_control(suffix),
            opts=pulumi.ResourceOptions(parent=self, depends_on=after),
            **content,
        )

    def _distribution(self, bucket: aws.s3.Bucket, args: PageArgs) -> aws.cloudfront.Distribution:
        access = aws.cloudfront.OriginAccessControl(
            "page",
            origin_access_control_origin_type="s3",
            signing_behavior="always",
            signing_protocol="sigv4",
            opts=self._child,
        )
        headers = self._security_headers(args.access)
        guard = _guard(args.access)
        return aws.cloudfront.Distribution(
            "page",
            enabled=True,
            comment=f"{pulumi.get_project()} {pulumi.get_stack()}",
            aliases=[self.domain.name] if self.domain else None,
            default_root_object=web_files.INDEX,
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
                    "custom_headers": _origin_headers(args.access),
                },
            ],
            default_cache_behavior={
                "target_origin_id": "page",
                "viewer_protocol_policy": "redirect-to-https",
                "allowed_methods": ["GET", "HEAD"],
                "cached_methods": ["GET", "HEAD"],
                "cache_policy_id": CACHING_OPTIMIZED,
                "response_headers_policy_id": headers.id,
                "function_associations": guard,
                "compress": True,
            },
            # The first match applies; `/<stage>/*` is for the other paths.
            ordered_cache_behaviors=[
                *(self._api_behavior(args, path, CACHING_DISABLED, headers) for path in UNCACHED_PATHS),
                self._api_behavior(args, "*", self._short_caching(args.access).id, headers),
            ],
            custom_error_responses=[
                {"error_code": code, "error_caching_min_ttl": 0} for code in UNCACHED_ERRORS
            ],
            restrictions={"geo_restriction": {"restriction_type": "none"}},
            viewer_certificate=(
                self.domain.viewer_certificate if self.domain else {"cloudfront_default_certificate": True}
            ),
            opts=self._child,
        )

    def _api_behavior(
        self,
        args: PageArgs,
        path: str,
        cache_policy_id: pulumi.Input[str],
        headers: aws.cloudfront.ResponseHeadersPolicy,
    ) -> aws.cloudfront.DistributionOrderedCacheBehaviorArgsDict:
        return {
            "path_pattern": f"/{args.stage}/{path}",
            "target_origin_id": "api",
            "viewer_protocol_policy": "https-only",
            "allowed_methods": ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"],
            "cached_methods": ["GET", "HEAD"],
            "cache_policy_id": cache_policy_id,
            "origin_request_policy_id": ALL_VIEWER_EXCEPT_HOST_HEADER,
            "response_headers_policy_id": headers.id,
            "function_associations": _guard(args.access),
            "compress": True,
        }

    def _short_caching(self, access: Access) -> aws.cloudfront.CachePolicy:
        """Cache API responses for their own `max-age`, at most one second.

        With `login`, the cache key contains the `Authorization` header, so that users do not share responses.
        """
        by_token: aws.cloudfront.CachePolicyParametersInCacheKeyAndForwardedToOriginHeadersConfigArgsDict = {
            "header_behavior": "whitelist",
            "headers": {"items": ["Authorization"]},
        }
        return aws.cloudfront.CachePolicy(
            "api",
            min_ttl=0,
            default_ttl=0,
            max_ttl=1,
            parameters_in_cache_key_and_forwarded_to_origin={
                "cookies_config": {"cookie_behavior": "none"},
                "headers_config": by_token if access.mode == "login" else {"header_behavior": "none"},
                "query_strings_config": {"query_string_behavior": "none"},
                "enable_accept_encoding_gzip": True,
                "enable_accept_encoding_brotli": True,
            },
            opts=self._child,
        )

    def _security_headers(self, access: Access) -> aws.cloudfront.ResponseHeadersPolicy:
        return aws.cloudfront.ResponseHeadersPolicy(
            "page",
            security_headers_config={
                "content_security_policy": {
                    "content_security_policy": access.sign_in_url.apply(web_files.content_security_policy),
                    "override": True,
                },
                "content_type_options": {"override": True},
                "frame_options": {"frame_option": "DENY", "override": True},
                "referrer_policy": {"referrer_policy": "no-referrer", "override": True},
                "strict_transport_security": {"access_control_max_age_sec": YEAR, "override": True},
            },
            opts=self._child,
        )


def _guard(
    access: Access,
) -> list[aws.cloudfront.DistributionOrderedCacheBehaviorFunctionAssociationArgsDict]:
    if access.guard is None:
        return []
    return [{"event_type": "viewer-request", "function_arn": access.guard.arn}]


def _origin_headers(access: Access) -> list[aws.cloudfront.DistributionOriginCustomHeaderArgsDict]:
    if access.origin_secret is None:
        return []
    return [{"name": ORIGIN_HEADER, "value": access.origin_secret}]
