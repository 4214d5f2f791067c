"""Resources of S3."""

from __future__ import annotations

from local.deployer.archives import read_asset
from local.deployer.cloud import Cloud
from local.deployer.inputs import Inputs
from local.deployer.registry import Result, resource


@resource("aws:s3/bucket:Bucket", {"forceDestroy": "the local stack is removed when it stops"})
def bucket(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    physical = inputs.get("bucket", cloud.lower_case_name(name))
    cloud.client("s3").create_bucket(Bucket=physical)
    return physical, {
        "bucket": physical,
        "arn": f"arn:aws:s3:::{physical}",
        "bucketRegionalDomainName": f"{physical}.s3.{cloud.region}.amazonaws.com",
    }


@resource("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock")
def bucket_public_access_block(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    names = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    configuration = inputs.capitalized(*names)
    cloud.client("s3").put_public_access_block(
        Bucket=inputs.text("bucket"), PublicAccessBlockConfiguration=configuration
    )
    return inputs.text("bucket"), {}


@resource("aws:s3/bucketVersioning:BucketVersioning")
def bucket_versioning(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    cloud.client("s3").put_bucket_versioning(
        Bucket=inputs.text("bucket"),
        VersioningConfiguration={"Status": inputs.section("versioningConfiguration").text("status")},
    )
    return inputs.text("bucket"), {}


@resource("aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration")
def bucket_encryption(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    rules = [
        {"SSEAlgorithm": rule.section("applyServerSideEncryptionByDefault").text("sseAlgorithm")}
        for rule in inputs.sections("rules")
    ]
    cloud.client("s3").put_bucket_encryption(
        Bucket=inputs.text("bucket"),
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": rule} for rule in rules]
        },
    )
    return inputs.text("bucket"), {}


@resource(
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
    {"rules": "the files are removed with the local stack, long before they expire"},
)
def bucket_lifetimes(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    return inputs.text("bucket"), {}


@resource("aws:s3/bucketObjectv2:BucketObjectv2")
def bucket_object(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    content = cloud.deviations.addresses(inputs.get("content", "")).encode()
    body = read_asset(inputs.get("source")) if "source" in inputs else content
    created = cloud.client("s3").put_object(
        Bucket=inputs.text("bucket"),
        Key=inputs.text("key"),
        Body=body,
        **inputs.capitalized("contentType", "cacheControl"),
    )
    is_page = inputs.get("contentType", "").startswith("text/html")
    (cloud.served.pages if is_page else cloud.served.files).append(f"/{inputs.text('key')}")
    return inputs.text("key"), {"etag": created["ETag"].strip('"')}


@resource("aws:s3/bucketPolicy:BucketPolicy")
def bucket_policy(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    policy = cloud.deviations.resource_policy(inputs.text("policy"))
    cloud.client("s3").put_bucket_policy(Bucket=inputs.text("bucket"), Policy=policy)
    return inputs.text("bucket"), {}
