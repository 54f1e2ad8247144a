"""Trails narrowed by Athena. No emulator runs a query: the answers are scripted on botocore's Stubber.

The Stubber checks requests and answers against AWS's own model of the API; that the SQL means what it should is
checked here as text, and could be proved by Athena alone. The files themselves are on the embedded AWS.
"""

from __future__ import annotations

import gzip
import uuid
from dataclasses import dataclass, field
from datetime import date
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest
from botocore.stub import ANY, Stubber

from recovery.errors import AwsError
from rules.backtest import ALL_TIME, days
from rules.errors import AccessDeniedError, SafetyNetError, UsageError
from watcher.archives.archive_athena import AthenaArchive
from watcher.archives.archive_s3 import S3Archive, TrailFilter
from watcher.archives.athena_query import athena_table, narrowing_query

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_s3 import S3Client

    from recovery.testing.embedded_aws import EmbeddedEndpoint

TEXT = b'{"Records": []}'
TABLE = athena_table("audit.cloudtrail_logs", "s3://results/here/", "auditors")
DAY = "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/11/23"
PERIOD = days(date(2026, 11, 22), date(2026, 11, 23))
ID = "11111111-2222-4333-8444-555555555555"


@dataclass(slots=True)
class Desk:
    """A trail with two files, and an Athena that answers what it is told to."""

    s3: S3Client
    bucket: str
    client: Any
    stubber: Stubber
    slept: list[float] = field(default_factory=list)

    def archive(self, wanted: TrailFilter | None = None) -> AthenaArchive:
        """The archive over both."""
        wanted = wanted or TrailFilter()
        trail = S3Archive(self.s3, f"s3://{self.bucket}", wanted)
        return AthenaArchive(self.client, trail, TABLE, wanted, self.slept.append)

    def paths(self, wanted: TrailFilter | None = None) -> list[str]:
        """The keys of the pieces; every scripted answer must have been asked for."""
        found = [piece.label.removeprefix(f"s3://{self.bucket}/") for piece in self.archive(wanted).pieces()]
        self.stubber.assert_no_pending_responses()
        return found

    def start(self, partitions: tuple[tuple[str, str], ...] = ()) -> None:
        """Script the table and the start of a query."""
        keys = [{"Name": name, "Type": kind} for name, kind in partitions]
        self.stubber.add_response(
            "get_table_metadata",
            {"TableMetadata": {"Name": "cloudtrail_logs", "PartitionKeys": keys}},
            {"CatalogName": "AwsDataCatalog", "DatabaseName": "audit", "TableName": "cloudtrail_logs"},
        )
        self.stubber.add_response(
            "start_query_execution",
            {"QueryExecutionId": ID},
            {
                "QueryString": ANY,
                "QueryExecutionContext": {"Database": "audit"},
                "ResultConfiguration": {"OutputLocation": "s3://results/here/"},
                "WorkGroup": "auditors",
            },
        )

    def state(self, *states: str, reason: str = "") -> None:
        """Script how the query is doing, one answer a question."""
        for state in states:
            status = {"State": state, **({"StateChangeReason": reason} if reason else {})}
            self.stubber.add_response(
                "get_query_execution", {"QueryExecution": {"Status": status}}, {"QueryExecutionId": ID}
            )

    def results(self, *pages: list[str]) -> None:
        """Script the result's pages; the first row of the first is the head."""
        for number, page in enumerate(pages):
            rows = [
                {"Data": [{"VarCharValue": value}]} for value in (["$path"] if number == 0 else []) + page
            ]
            answer: dict[str, Any] = {"ResultSet": {"Rows": rows}}
            request = {"QueryExecutionId": ID}
            if number + 1 < len(pages):
                answer["NextToken"] = f"page-{number + 1}"
            if number:
                request["NextToken"] = f"page-{number}"
            self.stubber.add_response("get_query_results", answer, request)

    def file(self, name: str) -> str:
        """The path of a trail file."""
        return f"s3://{self.bucket}/{DAY}/{name}"


@pytest.fixture
def desk(endpoint: EmbeddedEndpoint) -> Iterator[Desk]:
    """Both, and a bucket of the test's own."""
    aws, bucket = endpoint.aws(max_attempts=1), f"trail-{uuid.uuid4().hex[:12]}"
    s3, client = aws.s3(), aws.athena()
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    for name in ("a.json.gz", "b.json.gz"):
        s3.put_object(Bucket=bucket, Key=f"{DAY}/{name}", Body=gzip.compress(TEXT))
    with Stubber(client) as stubber:
        yield Desk(s3, bucket, client, stubber)


def test_the_files_that_the_query_finds_are_read_as_they_are(desk: Desk) -> None:
    """Whole records come from the trail, not from columns that have lost half of them."""
    desk.start()
    desk.state("QUEUED", "RUNNING", "SUCCEEDED")
    desk.results([desk.file("a.json.gz")])
    (piece,) = desk.archive().pieces()
    assert (piece.label, piece.fetch(Event()).read()) == (desk.file("a.json.gz"), TEXT)
    assert len(desk.slept) == 2


def test_all_pages_of_the_result_are_read(desk: Desk) -> None:
    """Only the first page has a head to leave out."""
    desk.start()
    desk.state("SUCCEEDED")
    desk.results([desk.file("a.json.gz")], [desk.file("b.json.gz")], [desk.file("c.json.gz")])
    assert [path.rpartition("/")[2] for path in desk.paths()] == ["a.json.gz", "b.json.gz", "c.json.gz"]


def test_nothing_found_is_an_empty_archive(desk: Desk) -> None:
    """Nothing watched was called: a good answer, not a fault."""
    desk.start()
    desk.state("SUCCEEDED")
    desk.results([])
    assert desk.paths() == []


def test_files_of_unwanted_days_and_regions_are_left_out(desk: Desk) -> None:
    """As without Athena."""
    for wanted in (
        TrailFilter(days(date(2026, 11, 1), date(2026, 11, 2))),
        TrailFilter(regions=("us-east-1",)),
    ):
        desk.start()
        desk.state("SUCCEEDED")
        desk.results([desk.file("a.json.gz")])
        assert desk.paths(wanted) == []


def test_a_table_over_another_place_is_told(desk: Desk) -> None:
    """An empty report would look like a quiet year."""
    desk.start()
    desk.state("SUCCEEDED")
    desk.results(["s3://somewhere-else/a.json.gz"])
    with pytest.raises(UsageError, match="other files"):
        desk.paths()


@pytest.mark.parametrize(
    ("state", "reason", "error"),
    [
        ("FAILED", "SYNTAX_ERROR: line 1:8: Column 'eventsource' cannot be resolved", AwsError),
        ("FAILED", "Access denied when writing output to url: s3://results/", AccessDeniedError),
        ("CANCELLED", "", AwsError),
    ],
)
def test_a_query_that_fails_says_why(
    desk: Desk, state: str, reason: str, error: type[SafetyNetError]
) -> None:
    """In Athena's words, with the id to look it up by."""
    desk.start()
    desk.state(state, reason=reason)
    with pytest.raises(error, match=ID) as caught:
        desk.paths()
    assert reason in str(caught.value)


def test_a_query_nobody_waits_for_is_stopped(desk: Desk) -> None:
    """Ctrl-C: Athena charges for what it scans."""
    desk.start()
    desk.state("RUNNING")
    desk.stubber.add_response("stop_query_execution", {}, {"QueryExecutionId": ID})

    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    trail = S3Archive(desk.s3, f"s3://{desk.bucket}", TrailFilter())
    with pytest.raises(KeyboardInterrupt):
        list(AthenaArchive(desk.client, trail, TABLE, TrailFilter(), interrupted).pieces())
    desk.stubber.assert_no_pending_responses()


def test_a_missing_permission_is_told(desk: Desk) -> None:
    """With the call that is not allowed."""
    desk.stubber.add_client_error("get_table_metadata", "AccessDeniedException")
    with pytest.raises(AccessDeniedError) as error:
        desk.paths()
    assert "GetTableMetadata" in error.value.hint


def test_throttling_is_waited_for(desk: Desk) -> None:
    """Athena allows a few calls a second."""
    desk.stubber.add_client_error("get_table_metadata", "TooManyRequestsException")
    desk.start()
    desk.state("SUCCEEDED")
    desk.results([desk.file("a.json.gz")])
    assert len(desk.paths()) == 1


def test_the_query_asks_for_watched_calls_in_the_period() -> None:
    """Sources and names of what is watched, times as CloudTrail writes them; no status changes, no data events."""
    query = narrowing_query(TABLE, PERIOD, {})
    assert query.startswith('SELECT DISTINCT "$path" FROM "audit"."cloudtrail_logs"\nWHERE ')
    assert "'dynamodb.amazonaws.com'" in query
    assert "'DeleteTable'" in query
    assert "'DeleteObject'" not in query
    assert "'StackStatusChange'" not in query
    assert "eventtime >= '2026-11-22T00:00:00Z'" in query
    assert "eventtime < '2026-11-24T00:00:00Z'" in query
    assert "eventtime" not in narrowing_query(TABLE, ALL_TIME, {})


def test_data_events_of_the_vault_are_asked_for() -> None:
    """Who deletes backups object by object is found, without all that others do in S3."""
    query = narrowing_query(TABLE, ALL_TIME, {}, "my-vault")
    assert "eventname IN ('DeleteObject', 'DeleteObjects')" in query
    assert "json_extract_scalar(requestparameters, '$.bucketName') = 'my-vault'" in query


@pytest.mark.parametrize(
    ("partitions", "expected"),
    [
        ({"timestamp": "string"}, ["\"timestamp\" >= '2026/11/22'", "\"timestamp\" <= '2026/11/25'"]),
        (
            {"region": "string", "year": "string", "month": "string", "day": "string"},
            ["\"year\" >= '2026'", "\"month\" <= '11'", "\"day\" >= '22'", "\"day\" <= '25'"],
        ),
        ({"year": "int", "month": "int", "day": "int"}, ['"year" >= 2026', '"month" <= 11', '"day" >= 22']),
        ({"year": "string"}, ["\"year\" <= '2026'"]),
    ],
)
def test_partitions_keep_the_query_from_scanning_everything(
    partitions: dict[str, str], expected: list[str]
) -> None:
    """Those of the documented tables, with a day more at the end for what was delivered late."""
    query = narrowing_query(TABLE, PERIOD, partitions)
    assert [part for part in expected if part not in query] == []
    assert '"region"' not in query


def test_months_and_days_are_left_out_where_they_would_exclude_too_much() -> None:
    """From November to January no month is in between."""
    parts = {"year": "string", "month": "string", "day": "string"}
    over_years = narrowing_query(TABLE, days(date(2025, 11, 5), date(2026, 1, 3)), parts)
    assert '"year"' in over_years
    assert '"month"' not in over_years
    over_months = narrowing_query(TABLE, days(date(2026, 10, 30), date(2026, 11, 2)), parts)
    assert '"month"' in over_months
    assert '"day"' not in over_months


@pytest.mark.parametrize(
    "name",
    ["", "table", "a.b.c", 'a."b"', "a.b; DROP TABLE x", "a.b'--", "a.b c", "a.bé", ".b", "a.", "a.b\n"],
)
def test_names_that_could_be_sql_are_refused(name: str) -> None:
    """Only letters, digits and underscores reach a query."""
    with pytest.raises(UsageError, match="not an Athena table"):
        athena_table(name)


def test_a_vault_that_could_be_sql_is_refused() -> None:
    """A bucket's name comes from the settings, and S3 itself takes no such name."""
    with pytest.raises(UsageError):
        narrowing_query(TABLE, ALL_TIME, {}, "x' OR '1'='1")


def test_results_go_to_s3_and_workgroups_have_plain_names() -> None:
    """Both are told before a query is started."""
    with pytest.raises(UsageError, match="place for results"):
        athena_table("a.b", "results/")
    with pytest.raises(UsageError, match="workgroup"):
        athena_table("a.b", "", "a b")
