"""Imports what a run of the program takes longest to import; Pulumi does so when a service is first used."""

from __future__ import annotations

import gc

import pulumi_aws

# Collecting garbage takes as long as importing all this. The runs, which are short, do without it, too.
gc.disable()

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
