"""boto3 clients for a stack: the local administrator's, or on AWS the user's own."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cli import environment
from cli.errors import OperationError
from cli.stack import Stack
from local import clients

if TYPE_CHECKING:  # `as` exports them to the modules that take one client
    from mypy_boto3_cloudwatch import CloudWatchClient as CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient as DynamoDBClient
    from mypy_boto3_lambda import LambdaClient as LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient as CloudWatchLogsClient
    from mypy_boto3_secretsmanager import SecretsManagerClient as SecretsManagerClient
    from mypy_boto3_sns import SNSClient as SNSClient
    from mypy_boto3_sqs import SQSClient as SQSClient

LONGEST_RUN = 900  # seconds that a function may take
MOST_KEYS = 100  # of one BatchGetItem


def _client(service: Any, **options: Any) -> Any:
    """Return a property that is the client of a service, made at its first use."""

    def make(clients: "Clients") -> Any:
        config = clients.config.merge(Config(**options))
        with environment.configuration_errors():
            return clients.session.client(service, endpoint_url=clients.endpoint, config=config)

    return cached_property(make)


class Clients:
    """The clients that the commands need; raises SetUpError without credentials, or with a wrong setting."""

    cloudwatch: "CloudWatchClient" = _client("cloudwatch")
    dynamodb: "DynamoDBClient" = _client("dynamodb")
    events: Any = _client("events")
    # For the longest run of a function, and without retries, which would start another.
    functions: "LambdaClient" = _client(
        "lambda", read_timeout=LONGEST_RUN + 30, retries={"total_max_attempts": 1}, tcp_keepalive=True
    )
    logs: "CloudWatchLogsClient" = _client("logs")
    rds: Any = _client("rds")
    s3: Any = _client("s3")
    secrets: "SecretsManagerClient" = _client("secretsmanager")
    sns: "SNSClient" = _client("sns")
    sqs: "SQSClient" = _client("sqs")
    sts: Any = _client("sts")
    users: Any = _client("cognito-idp")

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.endpoint = stack.endpoint
        self.config = Config(
            connect_timeout=5,
            read_timeout=20,
            retries={"mode": "standard", "max_attempts": 4} if stack.endpoint else None,
        )
        self.session = clients.session(stack.region) if stack.endpoint else environment.session(stack.region)

    def account(self) -> str:
        """Return the account of the credentials; raises what boto3 does."""
        return str(self.sts.get_caller_identity()["Account"])


def items(dynamodb: Any, table: str, keys: Iterable[dict[str, Any]], **options: Any) -> Iterator[Any]:
    """Yield the items that exist under keys, read consistently; raises what boto3 does."""
    left = iter(keys)
    while some := list(islice(left, MOST_KEYS)):
        request: Any = {table: {"Keys": some, "ConsistentRead": True, **options}}
        while request:
            response = dynamodb.batch_get_item(RequestItems=request)
            yield from response["Responses"].get(table, [])
            request = response.get("UnprocessedKeys")


def scan(dynamodb: Any, table: str, **options: Any) -> Iterator[Any]:
    """Yield the items of a table, read consistently; raises what boto3 does."""
    pages = dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True, **options)
    return (item for page in pages for item in page["Items"])


# The services' error codes for something that does not exist.
NOT_FOUND = frozenset(
    {
        "AWS.SimpleQueueService.NonExistentQueue",
        "NoSuchBucket",
        "NotFound",  # SNS
        "QueueDoesNotExist",
        "ResourceNotFoundException",
    }
)


def is_not_found(error: BaseException | None) -> bool:
    """Return whether an error of AWS means that something does not exist."""
    return isinstance(error, ClientError) and error.response["Error"].get("Code") in NOT_FOUND


# Permissions of the operations whose refusals may not name them, such as those of S3 and SQS.
PERMISSIONS = {
    "ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "DeleteMessageBatch": "sqs:DeleteMessage",
    "GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "GetQueueAttributes": "sqs:GetQueueAttributes",
    "HeadObject": "s3:GetObject",
    "Invoke": "lambda:InvokeFunction",
    "ListObjectVersions": "s3:ListBucketVersions",
    "ListObjectsV2": "s3:ListBucket",
    "ReceiveMessage": "sqs:ReceiveMessage",
    "SendMessageBatch": "sqs:SendMessage",
}
DENIED = frozenset({"403", "AccessDenied", "AccessDeniedException"})


def problem(error: BotoCoreError | ClientError) -> str:
    """Return in one line why a request failed, with the missing permission if it was denied."""
    if not isinstance(error, ClientError):
        return " ".join(str(error).split())
    details = error.response["Error"]
    code, message = str(details.get("Code", "?")), str(details.get("Message", ""))
    sentence = f"{error.operation_name}: {code}: {message}".rstrip(": ")
    permission = PERMISSIONS.get(error.operation_name) if code in DENIED else None
    if permission is None or permission.lower() in message.lower():
        return sentence
    return f"{sentence.rstrip('.')}: your credentials need {permission}"


@contextmanager
def translated_errors() -> Iterator[None]:
    """Convert AWS and network errors to `OperationError`."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise OperationError(f"{problem(error).rstrip('.')}.") from error
