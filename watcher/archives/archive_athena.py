"""A large trail, narrowed by an Athena query first: only the files in which it found something are read.

The query asks for the files (``"$path"``, Athena guide, 'SELECT: getting file locations'), not for the records. The
columns of a CloudTrail table cannot give a record back as it was: the documented DDL (Athena guide, 'Query CloudTrail
logs') has no ``sourceIdentity`` and no ``sessionCredentialFromConsole``, writes ``userIdentity`` as a struct with
its keys in small letters, and people's tables differ. Rules match on all of that, so a back-test over rebuilt
records would judge otherwise than the watcher did. The files are the records themselves.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from recovery.aws import aws_errors
from recovery.errors import AwsError
from recovery.pacing import patient
from rules.errors import AccessDeniedError, SafetyNetError, UsageError
from rules.net import ANY_NET
from watcher.archives.athena_query import narrowing_query

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recovery.clock import Sleep
    from rules.net import NetParts
    from watcher.archives.archive import Piece
    from watcher.archives.archive_s3 import S3Archive, TrailFilter
    from watcher.archives.athena_query import AthenaTable

_ENDED = frozenset({"SUCCEEDED", "FAILED", "CANCELLED"})
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.5, 5.0


class AthenaClient(Protocol):
    """What is used of boto3's Athena client."""

    def get_table_metadata(self, **request: Any) -> dict[str, Any]:
        """Athena's GetTableMetadata."""
        ...

    def start_query_execution(self, **request: Any) -> dict[str, Any]:
        """Athena's StartQueryExecution."""
        ...

    def get_query_execution(self, **request: Any) -> dict[str, Any]:
        """Athena's GetQueryExecution."""
        ...

    def get_query_results(self, **request: Any) -> dict[str, Any]:
        """Athena's GetQueryResults."""
        ...

    def stop_query_execution(self, **request: Any) -> dict[str, Any]:
        """Athena's StopQueryExecution."""
        ...


class AthenaArchive:
    """The files of an S3 trail in which a query over its table finds watched calls."""

    def __init__(
        self,
        client: AthenaClient,
        trail: S3Archive,
        table: AthenaTable,
        wanted: TrailFilter,
        sleep: Sleep,
        net: NetParts = ANY_NET,
    ) -> None:
        self._client = client
        self._trail = trail
        self._table = table
        self._wanted = wanted
        self._sleep = sleep
        self._net = net

    @property
    def location(self) -> str:
        """The trail's, and the table's name."""
        return f"{self._trail.location} (narrowed by {self._table.database}.{self._table.table})"

    def pieces(self) -> Iterator[Piece]:
        """See Archive.pieces. No file at all is no error: then nothing watched was called.

        Raises UsageError where the table is over another place than the trail.
        """
        elsewhere = ""
        found = False
        for path in self._paths(self._run()):
            if not path.startswith(self._trail.location):
                elsewhere = path
                continue
            found = True
            key = path.removeprefix("s3://").partition("/")[2]
            if self._wanted.wants_file(key):
                yield self._trail.piece(key, None)
        if elsewhere and not found:
            raise UsageError(f"the Athena table is over other files than {self._trail.location}: {elsewhere}")

    def _run(self) -> str:
        query = self._query()
        request: dict[str, Any] = {
            "QueryString": query,
            "QueryExecutionContext": {"Database": self._table.database},
        }
        if self._table.output:
            request["ResultConfiguration"] = {"OutputLocation": self._table.output}
        if self._table.workgroup:
            request["WorkGroup"] = self._table.workgroup
        started: str = self._call("start the Athena query", self._client.start_query_execution, request)[
            "QueryExecutionId"
        ]
        try:
            status = self._wait_for(started)
        except BaseException:
            # Athena charges for what is scanned; nobody waits for it any more.
            with suppress(SafetyNetError), aws_errors("stop the Athena query"):
                self._client.stop_query_execution(QueryExecutionId=started)
            raise
        if status["State"] != "SUCCEEDED":
            raise _failed(started, status.get("StateChangeReason", ""), status["State"])
        return started

    def _query(self) -> str:
        metadata = self._call(
            "look at the Athena table",
            self._client.get_table_metadata,
            {
                "CatalogName": "AwsDataCatalog",
                "DatabaseName": self._table.database,
                "TableName": self._table.table,
            },
        )
        keys = metadata["TableMetadata"].get("PartitionKeys", [])
        partitions = {key["Name"].lower(): key.get("Type", "string") for key in keys}
        return narrowing_query(self._table, self._wanted.period, partitions, self._net.vault_bucket)

    def _wait_for(self, started: str) -> dict[str, Any]:
        """How the query ended (the API's QueryExecutionStatus)."""
        wait = _FIRST_WAIT_SECONDS
        while True:
            status: dict[str, Any] = self._call(
                "ask for the Athena query", self._client.get_query_execution, {"QueryExecutionId": started}
            )["QueryExecution"]["Status"]
            if status["State"] in _ENDED:
                return status
            self._sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT_SECONDS)

    def _paths(self, started: str) -> Iterator[str]:
        """The one column of the result. The first row of the first page is its head (GetQueryResults)."""
        request: dict[str, Any] = {"QueryExecutionId": started}
        first = True
        while True:
            answer = self._call("read the Athena result", self._client.get_query_results, request)
            for row in answer["ResultSet"]["Rows"][1 if first else 0 :]:
                value = row["Data"][0].get("VarCharValue", "")
                if value:
                    yield value
            first = False
            if not answer.get("NextToken"):
                return
            request = {"QueryExecutionId": started, "NextToken": answer["NextToken"]}

    def _call(self, doing: str, call: Any, request: dict[str, Any]) -> dict[str, Any]:
        def ask() -> dict[str, Any]:
            with aws_errors(doing):
                answer: dict[str, Any] = call(**request)
                return answer

        return patient(self._sleep)(ask)


def _failed(started: str, reason: str, state: str) -> SafetyNetError:
    text = f"Athena query {started} {state.lower()}: {reason[:500] or 'no reason given'}"
    if "denied" in reason.lower() or "permission" in reason.lower():
        return AccessDeniedError(text, hint="The caller needs to read the table, the trail and the results.")
    return AwsError(text, code=state, hint="Look at the query in Athena's console, under its history.")
