"""A trail simulator: it stands in for CloudTrail, which no emulator has.

Every management call that somebody makes with clients from here becomes a record of the documented shape
(CloudTrail user guide, 'CloudTrail record contents') and is put on EventBridge, as CloudTrail does. From
there on nothing is simulated: the deployment's event rule matches it and SQS delivers it. Unlike in AWS a
record arrives within milliseconds.
"""

from __future__ import annotations

import json
import threading
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from recovery.aws import Aws

EVENT_SOURCES = {"DynamoDB": "dynamodb.amazonaws.com", "CloudFormation": "cloudformation.amazonaws.com"}
# CloudTrail logs these as data events, and only when told to.
DATA_EVENTS = frozenset(
    {"BatchGetItem", "BatchWriteItem", "DeleteItem", "GetItem", "PutItem", "Query", "Scan", "UpdateItem"}
)
READ_ONLY = ("Describe", "Get", "List")
PARAMETERS, OMITTED = "_TrailParameters", frozenset({"_RawBody"})


@dataclass(frozen=True, slots=True)
class Caller:
    """How somebody's calls look in the trail: ``userIdentity``, address, user agent, console or not."""

    identity: Mapping[str, Any]
    source_ip: str
    user_agent: str
    from_console: bool = False


class TrailSimulator:
    """Turns calls into records on the default event bus."""

    def __init__(self, trail: Aws) -> None:
        self._events = trail.session.client("events", endpoint_url=trail.endpoint_url)
        self._cloudformation = trail.session.client("cloudformation", endpoint_url=trail.endpoint_url)
        self._region = trail.region
        self._account = trail.account
        self._lock = threading.Lock()
        self.records: list[dict[str, Any]] = []

    def record(self, aws: Aws, caller: Caller) -> Aws:
        """Have every management call made with ``aws`` from now on recorded as ``caller``'s; returns it."""
        recorder = _Recorder(self, caller)
        for service in ("dynamodb", "cloudformation"):
            aws.session.events.register(f"before-parameter-build.{service}", recorder.keep_parameters)
            aws.session.events.register(f"after-call.{service}", recorder.after_call)
        return aws

    def tables_of(self, stack: str) -> list[str]:
        """The tables of a stack, while it is there."""
        resources = self._cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
        return [
            resource["PhysicalResourceId"]
            for resource in resources
            if resource["ResourceType"] == "AWS::DynamoDB::Table"
        ]

    def put(self, service: str, call: str, caller: Caller, parts: Mapping[str, Any]) -> None:
        """Complete a record and put it on the bus."""
        record = {
            "eventVersion": "1.11",
            "userIdentity": dict(caller.identity),
            "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "eventSource": EVENT_SOURCES[service],
            "eventName": call,
            "awsRegion": self._region,
            "sourceIPAddress": caller.source_ip,
            "userAgent": caller.user_agent,
            "requestID": uuid.uuid4().hex.upper(),
            "eventID": str(uuid.uuid4()),
            "readOnly": False,
            "eventType": "AwsApiCall",
            "managementEvent": True,
            "recipientAccountId": self._account,
            "eventCategory": "Management",
            **({"sessionCredentialFromConsole": "true"} if caller.from_console else {}),
            **parts,
        }
        with self._lock:
            self.records.append(record)
            # AWS itself would refuse a source of aws.*; the embedded one lets it through.
            self._events.put_events(
                Entries=[
                    {
                        "Source": "aws." + EVENT_SOURCES[service].removesuffix(".amazonaws.com"),
                        "DetailType": "AWS API Call via CloudTrail",
                        "Detail": json.dumps(record),
                    }
                ]
            )


class _Recorder:
    """Listens to one caller's clients."""

    def __init__(self, trail: TrailSimulator, caller: Caller) -> None:
        self._trail = trail
        self._caller = caller

    def keep_parameters(
        self, params: dict[str, Any], model: Any, context: dict[str, Any], **_: object
    ) -> None:
        """Before the call: remember its parameters, and the tables of a stack that is about to go."""
        context[PARAMETERS] = {key: value for key, value in params.items() if key not in OMITTED}
        if model.name == "DeleteStack":
            context["_TrailTables"] = self._trail.tables_of(params["StackName"])

    def after_call(
        self, http_response: Any, parsed: dict[str, Any], model: Any, context: dict[str, Any], **_: object
    ) -> None:
        """After the call: write its record, and those of the calls that CloudFormation makes because of it."""
        del http_response
        service, call = str(model.service_model.service_id), str(model.name)
        if call in DATA_EVENTS or call.startswith(READ_ONLY):
            return
        answer = {key: value for key, value in parsed.items() if key != "ResponseMetadata"}
        error = answer.pop("Error", None)
        parts: dict[str, Any] = {"requestParameters": _camel(context.get(PARAMETERS, {}))}
        if error:
            parts.update(errorCode=error["Code"], errorMessage=error["Message"], responseElements=None)
        else:
            # DeleteStack answers nothing; CloudTrail then writes null.
            parts["responseElements"] = _camel(answer) or None
            arn = answer.get("TableDescription", {}).get("TableArn")
            if arn:
                parts["resources"] = [
                    {"accountId": arn.split(":")[4], "type": "AWS::DynamoDB::Table", "ARN": arn}
                ]
        self._trail.put(service, call, self._caller, parts)
        for table in context.get("_TrailTables", ()):
            self._trail.put(
                "DynamoDB", "DeleteTable", _through_cloudformation(self._caller), _table_gone(table)
            )


def _through_cloudformation(caller: Caller) -> Caller:
    """How a call looks that CloudFormation makes on somebody's behalf, without a service role."""
    service = EVENT_SOURCES["CloudFormation"]
    return Caller({**caller.identity, "invokedBy": service}, service, service)


def _table_gone(table: str) -> dict[str, Any]:
    return {
        "requestParameters": {"tableName": table},
        "responseElements": {"tableDescription": {"tableName": table, "tableStatus": "DELETING"}},
    }


def _camel(value: Any) -> Any:
    """AWS's ``TableName`` is ``tableName`` in CloudTrail; times are text."""
    convert: Callable[[str], str] = lambda name: name[:1].lower() + name[1:]  # noqa: E731 - as short as it is
    if isinstance(value, dict):
        return {convert(str(key)): _camel(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_camel(child) for child in value]
    if isinstance(value, datetime):
        return value.strftime("%b %-d, %Y, %-I:%M:%S %p")
    return value
