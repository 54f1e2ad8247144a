"""The stand-in for DynamoDB's own loads: it takes and gives what botocore's model allows, and nothing else."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from recovery.testing.embedded_aws import ACCOUNT, REGION
from recovery.testing.managed_front import ManagedFront
from recovery.testing.managed_loads import MOST_AT_ONCE
from recovery.testing.managed_operation import Script
from recovery.testing.memory_vault import MemoryVault
from recovery.testing.model_check import answer_faults, model_faults
from tests.recovery.recovering import key, make_table, some_items

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

    from recovery.testing.embedded_aws import EmbeddedEndpoint


@pytest.fixture(scope="module")
def front(endpoint: EmbeddedEndpoint) -> Iterator[ManagedFront]:
    """A front of this module's own."""
    with ManagedFront(endpoint, MemoryVault()) as running:
        yield running


@pytest.fixture(scope="module")
def _client(front: ManagedFront) -> Any:
    return front.aws(max_attempts=1).dynamodb()


@pytest.fixture
def client(front: ManagedFront, _client: Any) -> Any:
    """A boto3 client of the front, with 20 items in an otherwise empty S3."""
    vault = MemoryVault("")
    vault.put("in/1.json.gz", gzip.compress(b"".join(line(item) for item in some_items(12))))
    vault.put("in/2.json.gz", gzip.compress(b"".join(line(item) for item in some_items(20)[12:])))
    front.loads.reset(vault)
    return _client


def line(item: dict[str, Any]) -> bytes:
    """A line of a data file."""
    return json.dumps({"Item": item}).encode() + b"\n"


def bulk(table: str, **more: Any) -> dict[str, Any]:
    """A request to load what there is."""
    return {
        "ClientToken": "token",
        "TableName": table,
        "InputS3Configuration": {
            "S3Bucket": "vault",
            "S3KeyPrefix": "in/",
            "InputFormat": "DYNAMODB_JSON",
            "InputCompressionType": "GZIP",
        },
        "OutputS3Configuration": {"S3Bucket": "vault", "S3KeyPrefix": "out/", "OutputType": ["ERROR"]},
        **more,
    }


def importing(table: str, **more: Any) -> dict[str, Any]:
    """A request to import what there is."""
    return {
        "ClientToken": "token",
        "S3BucketSource": {"S3Bucket": "vault", "S3KeyPrefix": "in/"},
        "InputFormat": "DYNAMODB_JSON",
        "InputCompressionType": "GZIP",
        "TableCreationParameters": {"TableName": table, "BillingMode": "PAY_PER_REQUEST", **key("pk")},
        **more,
    }


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    """AWS's error code."""
    return error.value.response["Error"]["Code"]


def test_answers_are_of_the_model(
    front: ManagedFront, client: Any, plain: DynamoDBClient, table: str
) -> None:
    """What it says has the members, types and limits of botocore's model, at each stage."""
    make_table(plain, table)
    for call, body in [("StartBulkPutItems", bulk(table)), ("ImportTable", importing(f"{table}.imported"))]:
        status, answer = front.loads.answer(call, body)
        assert (status, answer_faults("dynamodb", call, answer)) == (200, [])
    for operation in front.loads.operations:
        describe, list_them, name = (
            ("DescribeBulkOperation", "ListBulkOperations", "BulkOperationArn")
            if operation.kind == "bulk"
            else ("DescribeImport", "ListImports", "ImportArn")
        )
        while operation.under_way:
            answer = front.loads.answer(describe, {name: operation.arn})[1]
            assert answer_faults("dynamodb", describe, answer) == []
        assert answer_faults("dynamodb", list_them, front.loads.answer(list_them, {})[1]) == []
        assert operation.status == "COMPLETED"
    assert plain.scan(TableName=table)["Items"] == plain.scan(TableName=f"{table}.imported")["Items"]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"MaxWriteRequestUnits": 1023}, "MaxWriteRequestUnits: is less than 1024"),
        ({"PerformanceTier": "FASTEST"}, "PerformanceTier: is none of STANDARD, ACCELERATED"),
        ({"ClientToken": "a$b"}, "ClientToken: does not fit"),
        ({"Speed": 1}, "Speed: is not in the model"),
        ({"TableName": 1}, "TableName: is no string"),
        ({"InputS3Configuration": {"S3Bucket": "vault"}}, "InputFormat: is required"),
        ({"OutputS3Configuration": {"OutputType": ["ALL"]}}, "OutputType[0]: is none of ERROR"),
        (
            {"OutputS3Configuration": {"OutputType": [], "S3KeyPrefix": "x" * 1025}},
            "S3KeyPrefix: is more than 1024",
        ),
    ],
)
def test_requests_that_the_model_does_not_allow(change: dict[str, Any], fault: str) -> None:
    """Each rule of the model is looked at, patterns and upper ends as well."""
    faults = model_faults("dynamodb", "StartBulkPutItems", bulk("orders", **change))
    assert [found for found in faults if fault in found], faults
    assert model_faults("dynamodb", "StartBulkPutItems", bulk("orders")) == []


def test_what_boto3_lets_through_is_refused(client: Any, plain: DynamoDBClient, table: str) -> None:
    """boto3 does not look at enumerations; DynamoDB does, and so does this."""
    make_table(plain, table)
    with pytest.raises(ClientError, match="PerformanceTier: is none of") as caught:
        client.start_bulk_put_items(**bulk(table, PerformanceTier="FASTEST"))
    assert code_of(caught) == "ValidationException"
    with pytest.raises(ClientError) as caught:
        client.start_bulk_put_items(**bulk("no-such-table"))
    assert code_of(caught) == "ResourceNotFoundException"


def test_a_token_is_one_operation(
    front: ManagedFront, client: Any, plain: DynamoDBClient, table: str
) -> None:
    """The same request is the same operation for eight hours; another one with its token is refused."""
    make_table(plain, table)
    first = client.start_bulk_put_items(**bulk(table))["BulkOperationDescription"]["BulkOperationArn"]
    again = client.start_bulk_put_items(**bulk(table))["BulkOperationDescription"]["BulkOperationArn"]
    assert first == again
    with pytest.raises(ClientError) as caught:
        client.start_bulk_put_items(**bulk(table, MaxWriteRequestUnits=2048))
    assert code_of(caught) == "IdempotentParameterMismatchException"
    front.loads.let_tokens_expire()
    later = client.start_bulk_put_items(**bulk(table))["BulkOperationDescription"]["BulkOperationArn"]
    assert later != first
    listed = client.list_bulk_operations()["BulkOperationsSummaryList"]
    assert [one["BulkOperationArn"] for one in listed] == [later, first]


def test_a_table_that_is_imported_is_creating(
    front: ManagedFront, client: Any, plain: DynamoDBClient, table: str
) -> None:
    """Until the import has ended it takes no item and no tag and cannot be deleted; it has one TableId throughout."""
    made = client.import_table(**importing(table))["ImportTableDescription"]
    before = client.describe_table(TableName=table)["Table"]
    assert (before["TableStatus"], before["TableId"]) == ("CREATING", made["TableId"])
    arn = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}"
    refusals: list[Callable[[], Any]] = [
        lambda: client.delete_table(TableName=table),
        lambda: client.tag_resource(ResourceArn=arn, Tags=[{"Key": "a", "Value": "b"}]),
        lambda: client.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": {"pk": {"S": "x"}}}}]}),
        lambda: client.import_table(**importing(table, ClientToken="another")),
    ]
    for refused in refusals:
        with pytest.raises(ClientError) as caught:
            refused()
        assert code_of(caught) in {"ResourceInUseException", "ResourceNotFoundException"}
    front.loads.finish()
    after = client.describe_table(TableName=table)["Table"]
    assert (after["TableStatus"], after["TableId"]) == ("ACTIVE", made["TableId"])
    client.delete_table(TableName=table)
    make_table(plain, table)
    assert client.describe_table(TableName=table)["Table"]["TableId"] != made["TableId"]


def test_wrong_compression_is_an_error_of_each_object(client: Any, plain: DynamoDBClient, table: str) -> None:
    """What is told of the objects counts, not how their keys end."""
    make_table(plain, table)
    request = bulk(table)
    request["InputS3Configuration"]["InputCompressionType"] = "ZSTD"
    arn = client.start_bulk_put_items(**request)["BulkOperationDescription"]["BulkOperationArn"]
    described = client.describe_bulk_operation(BulkOperationArn=arn)["BulkOperationDescription"]
    assert (described["BulkOperationStatus"], described["FailedItemCount"]) == ("COMPLETED_WITH_ERRORS", 2)
    assert plain.scan(TableName=table)["Count"] == 0


def test_a_script_ends_a_load_in_between(
    front: ManagedFront, client: Any, plain: DynamoDBClient, table: str
) -> None:
    """What was put by then stays; the next load is no longer scripted."""
    front.loads.script(Script(after_items=7, code="Why", message="because"))
    client.import_table(**importing(table))
    front.loads.finish()
    (operation,) = front.loads.operations
    described = client.describe_import(ImportArn=operation.arn)["ImportTableDescription"]
    assert (described["ImportStatus"], described["FailureCode"], described["FailureMessage"]) == (
        "FAILED",
        "Why",
        "because",
    )
    assert plain.scan(TableName=table)["Count"] == described["ImportedItemCount"] == 7
    client.start_bulk_put_items(**bulk(table, ClientToken="next"))
    front.loads.finish()
    assert plain.scan(TableName=table)["Count"] == 20


def test_no_more_than_fifty_at_once(front: ManagedFront, client: Any, table: str) -> None:
    """The quota of imports, which counts for all loads here."""
    client.import_table(**importing(table))
    front.loads.operations.extend(front.loads.operations * (MOST_AT_ONCE - 1))
    with pytest.raises(ClientError) as caught:
        client.import_table(**importing(f"{table}.more", ClientToken="another"))
    assert code_of(caught) == "LimitExceededException"


def test_everything_else_is_the_emulators(front: ManagedFront, client: Any) -> None:
    """S3 and STS are passed on unchanged, sizes of bodies that are not sent included."""
    aws = front.aws(max_attempts=1)
    assert aws.account == ACCOUNT
    s3 = aws.s3()
    s3.create_bucket(Bucket="behind-the-front", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket="behind-the-front", Key="a/b c", Body=b"\x00" * 3000)
    assert s3.head_object(Bucket="behind-the-front", Key="a/b c")["ContentLength"] == 3000
    assert s3.get_object(Bucket="behind-the-front", Key="a/b c")["Body"].read() == b"\x00" * 3000
    assert [one["Key"] for one in s3.list_objects_v2(Bucket="behind-the-front")["Contents"]] == ["a/b c"]
