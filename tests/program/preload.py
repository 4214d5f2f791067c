"""Does what takes a run of the program longest and is the same in all: imports, and reading its own files."""

from __future__ import annotations

import gc
import importlib
import pkgutil

import pulumi_aws

import infra
from infra import archives
from infra.order_model import order_model

# Collecting garbage takes as long as importing all this. The runs, which are short, do without it, too.
gc.disable()

# Pulumi imports a service when it is first used.
for service in (
    pulumi_aws.apigateway,
    pulumi_aws.cloudfront,
    pulumi_aws.cloudwatch,
    pulumi_aws.cognito,
    pulumi_aws.dynamodb,
    pulumi_aws.ec2,
    pulumi_aws.iam,
    pulumi_aws.lambda_,
    pulumi_aws.rds,
    pulumi_aws.s3,
    pulumi_aws.secretsmanager,
    pulumi_aws.sns,
    pulumi_aws.sqs,
    pulumi_aws.vpc,
):
    hasattr(service, "first_use")

for module in pkgutil.iter_modules(infra.__path__):
    importlib.import_module(f"infra.{module.name}")
for source in archives.FUNCTIONS.rglob("*.py"):
    archives._imports(source)
order_model()
