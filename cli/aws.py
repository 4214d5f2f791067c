"""boto3 clients for a stack: the local administrator's, or on AWS the user's own."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cli.errors import AnswerError, SetUpError
from cli.stack import Stack

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

# Not a secret: the name and password of the administrator of every local stack.
LOCAL_ADMINISTRATOR = "test"
LONGEST_RUN = 900  # seconds that a function may take


class Clients:
    """The clients that the commands need, each made at its first use.

    Raises
    ------
    SetUpError
        The stack is on AWS, and no credentials were found.
    """

    def __init__(self, stack: Stack) -> None:
        self._endpoint = stack.endpoint
        self._config = Config(
            connect_timeout=5,
            read_timeout=20,
            retries={"mode": "standard", "max_attempts": 4},
            # Requests to this machine never go through a proxy that the environment names.
            proxies={} if stack.endpoint else None,
        )
        try:
            self._session = self._local(stack.region) if stack.endpoint else self._of_the_user(stack.region)
        except BotoCoreError as problem:  # an unknown AWS_PROFILE, a broken ~/.aws/config
            raise SetUpError(f"The AWS configuration cannot be used: {problem}.") from problem

    @cached_property
    def dynamodb(self) -> "DynamoDBClient":
        """Amazon DynamoDB."""
        return self._session.client("dynamodb", endpoint_url=self._endpoint, config=self._config)

    @cached_property
    def sqs(self) -> "SQSClient":
        """Amazon SQS."""
        return self._session.client("sqs", endpoint_url=self._endpoint, config=self._config)

    @cached_property
    def logs(self) -> "CloudWatchLogsClient":
        """Amazon CloudWatch Logs."""
        return self._session.client("logs", endpoint_url=self._endpoint, config=self._config)

    @cached_property
    def sns(self) -> "SNSClient":
        """Amazon SNS."""
        return self._session.client("sns", endpoint_url=self._endpoint, config=self._config)

    @cached_property
    def cloudwatch(self) -> "CloudWatchClient":
        """Amazon CloudWatch."""
        return self._session.client("cloudwatch", endpoint_url=self._endpoint, config=self._config)

    @cached_property
    def functions(self) -> "LambdaClient":
        """AWS Lambda, with patience for the longest run: asking again would start a second one."""
        patient = Config(read_timeout=LONGEST_RUN + 30, retries={"total_max_attempts": 1}, tcp_keepalive=True)
        config = self._config.merge(patient)
        return self._session.client("lambda", endpoint_url=self._endpoint, config=config)

    @cached_property
    def secrets(self) -> "SecretsManagerClient":
        """AWS Secrets Manager."""
        return self._session.client("secretsmanager", endpoint_url=self._endpoint, config=self._config)

    @cached_property
    def sts(self) -> Any:
        """AWS STS, which tells whose credentials these are."""
        return self._session.client("sts", endpoint_url=self._endpoint, config=self._config)

    @staticmethod
    def _local(region: str) -> boto3.Session:
        return boto3.Session(
            aws_access_key_id=LOCAL_ADMINISTRATOR,
            aws_secret_access_key=LOCAL_ADMINISTRATOR,
            region_name=region,
        )

    @staticmethod
    def _of_the_user(region: str) -> boto3.Session:
        session = boto3.Session(region_name=region)
        if session.get_credentials() is None:
            raise SetUpError(
                "No AWS credentials were found: type `aws configure` or `aws sso login`, or set AWS_PROFILE."
            )
        return session


# What services answer when something does not exist.
NOT_THERE = frozenset(
    {"ResourceNotFoundException", "AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"}
)


def is_not_there(error: BaseException | None) -> bool:
    """Whether AWS says that what it was asked about does not exist."""
    return isinstance(error, ClientError) and error.response["Error"].get("Code") in NOT_THERE


def problem(error: BotoCoreError | ClientError) -> str:
    """Say in one line why AWS did not answer a question."""
    if isinstance(error, ClientError):
        details = error.response["Error"]
        return f"{error.operation_name}: {details.get('Code', '?')}: {details.get('Message', '')}".rstrip(
            ": "
        )
    return " ".join(str(error).split())


@contextmanager
def asking() -> Iterator[None]:
    """Turn what AWS or the way to it says against a question into an `AnswerError`."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise AnswerError(f"{problem(error).rstrip('.')}.") from error
