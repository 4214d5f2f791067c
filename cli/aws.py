"""boto3 clients for a stack: the local administrator's, or on AWS the user's own."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cli import environment
from cli.errors import AnswerError
from cli.stack import Stack
from local import clients

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

LONGEST_RUN = 900  # seconds that a function may take
MOST_KEYS = 100  # of one BatchGetItem


class Clients:
    """The clients that the commands need, each made at its first use.

    Raises
    ------
    SetUpError
        The stack is on AWS, and no credentials were found, or a setting of the environment is wrong.
    """

    def __init__(self, stack: Stack) -> None:
        self._endpoint = stack.endpoint
        self._config = Config(
            connect_timeout=5,
            read_timeout=20,
            retries={"mode": "standard", "max_attempts": 4} if stack.endpoint else None,
        )
        self._session = clients.session(stack.region) if stack.endpoint else environment.session(stack.region)

    @cached_property
    def dynamodb(self) -> "DynamoDBClient":
        """Amazon DynamoDB."""
        with environment.blamed():
            return self._session.client("dynamodb", endpoint_url=self._endpoint, config=self._config)

    @cached_property
    def sqs(self) -> "SQSClient":
        """Amazon SQS."""
        with environment.blamed():
            return self._session.client("sqs", endpoint_url=self._endpoint, config=self._config)

    @cached_property
    def logs(self) -> "CloudWatchLogsClient":
        """Amazon CloudWatch Logs."""
        with environment.blamed():
            return self._session.client("logs", endpoint_url=self._endpoint, config=self._config)

    @cached_property
    def sns(self) -> "SNSClient":
        """Amazon SNS."""
        with environment.blamed():
            return self._session.client("sns", endpoint_url=self._endpoint, config=self._config)

    @cached_property
    def cloudwatch(self) -> "CloudWatchClient":
        """Amazon CloudWatch."""
        with environment.blamed():
            return self._session.client("cloudwatch", endpoint_url=self._endpoint, config=self._config)

    @cached_property
    def functions(self) -> "LambdaClient":
        """AWS Lambda, with patience for the longest run: asking again would start a second one."""
        patient = Config(read_timeout=LONGEST_RUN + 30, retries={"total_max_attempts": 1}, tcp_keepalive=True)
        config = self._config.merge(patient)
        with environment.blamed():
            return self._session.client("lambda", endpoint_url=self._endpoint, config=config)

    @cached_property
    def secrets(self) -> "SecretsManagerClient":
        """AWS Secrets Manager."""
        with environment.blamed():
            return self._session.client("secretsmanager", endpoint_url=self._endpoint, config=self._config)

    @cached_property
    def users(self) -> Any:
        """Amazon Cognito's user pools."""
        with environment.blamed():
            return self._session.client("cognito-idp", endpoint_url=self._endpoint, config=self._config)

    @cached_property
    def events(self) -> Any:
        """Amazon EventBridge, which calls functions by the clock."""
        with environment.blamed():
            return self._session.client("events", endpoint_url=self._endpoint, config=self._config)

    @cached_property
    def s3(self) -> Any:
        """Amazon S3."""
        with environment.blamed():
            return self._session.client("s3", endpoint_url=self._endpoint, config=self._config)

    @cached_property
    def rds(self) -> Any:
        """Amazon RDS, with the database's backups."""
        with environment.blamed():
            return self._session.client("rds", endpoint_url=self._endpoint, config=self._config)

    @cached_property
    def sts(self) -> Any:
        """AWS STS, which tells whose credentials these are."""
        with environment.blamed():
            return self._session.client("sts", endpoint_url=self._endpoint, config=self._config)


def items(dynamodb: Any, table: str, keys: Iterable[dict[str, Any]], **options: Any) -> Iterator[Any]:
    """Yield the items that there are under keys, as they are now; raises what boto3 does."""
    left = iter(keys)
    while some := list(islice(left, MOST_KEYS)):
        request: Any = {table: {"Keys": some, "ConsistentRead": True, **options}}
        while request:
            answer = dynamodb.batch_get_item(RequestItems=request)
            yield from answer["Responses"].get(table, [])
            request = answer.get("UnprocessedKeys")


# What services answer when something does not exist.
NOT_THERE = frozenset(
    {
        "AWS.SimpleQueueService.NonExistentQueue",
        "NoSuchBucket",
        "NotFound",  # SNS
        "QueueDoesNotExist",
        "ResourceNotFoundException",
    }
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
