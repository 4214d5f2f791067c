"""Imports modules and reads files once, for all runs of the program, which are forked from this process."""

from __future__ import annotations

import gc
import importlib
import pkgutil

import pulumi.runtime.resource
import pulumi_aws
from pulumi.runtime.proto import source_pb2

import infra
from infra import archives
from infra.order_model import order_model

# Garbage collection takes as long as these imports, and the runs are too short to need it.
gc.disable()

# The engine gets the stack of calls of each resource, and mocks ignore it.
pulumi.runtime.resource._get_stack_trace = source_pb2.StackTrace

# Pulumi imports a service at its first use.
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
