"""What can be told beforehand about putting a table's settings back: reads only, in words, and never a failure.

A plan is shown to a person who decides by it. What cannot be found out is said as such, or not at all where it would
only be noise, and nothing here keeps a plan from being made.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from botocore.config import Config

from recovery.aws import aws_errors
from recovery.definitions.put_replicas import OLD_VERSION
from recovery.definitions.putting import ODD_SHAPES
from recovery.definitions.reader import Reader
from recovery.definitions.readings import Known
from recovery.errors import AwsError, TableNotFoundError
from rules.errors import SafetyNetError

if TYPE_CHECKING:
    from collections.abc import Callable

    from recovery.aws import Aws
    from recovery.clock import Sleep
    from recovery.definitions.putting import Wanted

log = logging.getLogger(__name__)

# A plan does not wait long for what it can do without.
_BRIEFLY = Config(retries={"mode": "standard", "total_max_attempts": 1}, connect_timeout=3, read_timeout=15)
_LOAD = (
    "dynamodb:CreateTable",
    "dynamodb:DescribeTable",
    "dynamodb:BatchWriteItem",
    "dynamodb:Scan",
    "dynamodb:ListTagsOfResource",
    "dynamodb:TagResource",
    "dynamodb:UntagResource",
    "dynamodb:UpdateTable",
)
# What each part takes beside that, with the table itself for the resource.
_NEEDED = {
    "pitr": ("dynamodb:UpdateContinuousBackups",),
    "ttl": ("dynamodb:UpdateTimeToLive",),
    "resource_policy": ("dynamodb:PutResourcePolicy",),
    "kinesis_destinations": ("dynamodb:EnableKinesisStreamingDestination",),
    "contributor_insights": ("dynamodb:UpdateContributorInsights",),
    "replicas": ("dynamodb:CreateTableReplica",),
}
_ALLOWED = "allowed"
# IAM is global, and each partition's answers from one region (botocore's endpoints.json, 'iam').
_REGIONS_OF_IAM = frozenset({"us-east-1", "cn-north-1", "us-gov-west-1"})


def warnings_for(aws: Aws, wanted: Wanted, sleep: Sleep = time.sleep) -> list[str]:
    """What is likely to go wrong, or to come about without anybody expecting it, one line each.

    The encryption key (KMS DescribeKey), consumers of the stream (Lambda GetFunctionConfiguration), Kinesis streams
    (DescribeStreamSummary), replicas, and permissions (IAM SimulatePrincipalPolicy, where the caller may ask it).
    """
    checks: dict[str, Callable[[], list[str]]] = {
        "the encryption key": lambda: _key(Reader(lambda: aws.reader("kms"), sleep), wanted),
        "the stream's consumers": lambda: _consumers(Reader(lambda: aws.reader("lambda"), sleep), wanted),
        "the Kinesis streams": lambda: _kinesis(Reader(lambda: _client(aws, "kinesis"), sleep), wanted),
        "the replicas": lambda: _replicas(aws.region, wanted),
    }
    warnings: list[str] = []
    for what, check in checks.items():
        try:
            warnings += check()
        except (SafetyNetError, *ODD_SHAPES) as error:
            warnings.append(f"{what} could not be checked: {error}")
    if wanted.source.region in _REGIONS_OF_IAM - {aws.region}:
        # The table comes back elsewhere, its own region may be down, and nothing may hang on that.
        return warnings
    try:
        warnings += _permissions(aws, Reader(lambda: _client(aws, "iam"), sleep), wanted)
    except (SafetyNetError, *ODD_SHAPES) as error:
        # Few may ask, and it says nothing about what they may do otherwise.
        log.info("permissions could not be simulated: %s", error)
    return warnings


def _client(aws: Aws, service: str) -> Any:
    with aws_errors(f"set up {service}"):
        session: Any = aws.session
        return session.client(service, endpoint_url=aws.endpoint_url, config=_BRIEFLY)


def _wanted(wanted: Wanted, part: str) -> Any:
    where = wanted.settings if part in type(wanted.settings).model_fields else wanted.surroundings
    found = getattr(where, part)
    return found.value if isinstance(found, Known) else None


def _key(kms: Reader, wanted: Wanted) -> list[str]:
    key = wanted.create_table.get("SSESpecification", {}).get("KMSMasterKeyId")
    if not key:
        return []
    try:
        found = kms.ask("describe_key", KeyId=key)["KeyMetadata"]
    except AwsError as error:
        if error.code != "NotFoundException":
            raise
        return [f"the encryption key {key} does not exist: the table cannot be created with it"]
    state = found.get("KeyState", "Enabled")
    if state == "PendingDeletion":
        when = found.get("DeletionDate")
        until = f" on {when:%Y-%m-%d}" if when else ""
        return [
            (
                f"the encryption key {key} is to be deleted{until}: the table cannot be created with it until that is "
                f"cancelled (aws kms cancel-key-deletion --key-id {key}, then aws kms enable-key --key-id {key})"
            )
        ]
    if state != "Enabled":
        return [f"the encryption key {key} is {state}: the table cannot be created with it"]
    return []


def _consumers(functions: Reader, wanted: Wanted) -> list[str]:
    consumers = _wanted(wanted, "stream_consumers") or ()
    names = [str(consumer["CreateEventSourceMapping"]["FunctionName"]) for consumer in consumers]
    if not names:
        return []
    told = [
        (
            f"{len(names)} of Lambda's functions will read the new stream, from what is written after the recovery on: "
            f"{', '.join(_short(name) for name in names)}"
        )
    ]
    unseen = [
        name for name, consumer in zip(names, consumers, strict=True) if consumer.get("FilterCriteriaError")
    ]
    told += [
        f"the filter of {_short(name)} could not be read at backup: it will not be enabled" for name in unseen
    ]
    for name in names:
        try:
            functions.ask("get_function_configuration", FunctionName=name)
        except TableNotFoundError:  # ResourceNotFoundException, of Lambda
            told.append(f"the function {_short(name)} that read the stream does not exist")
        except SafetyNetError as error:
            told.append(f"whether the function {_short(name)} exists could not be checked: {error}")
    return told


def _short(function: str) -> str:
    """A function's name, with version or alias, of its ARN."""
    return function.partition(":function:")[2] or function


def _kinesis(streams: Reader, wanted: Wanted) -> list[str]:
    told = []
    for destination in _wanted(wanted, "kinesis_destinations") or ():
        arn = destination["StreamArn"]
        try:
            streams.ask("describe_stream_summary", StreamARN=arn)
        except TableNotFoundError:  # ResourceNotFoundException, of Kinesis
            told.append(f"the Kinesis stream {arn} that the table fed does not exist")
    return told


def _replicas(region: str, wanted: Wanted) -> list[str]:
    found = _wanted(wanted, "replicas") or {}
    places = [one["RegionName"] for one in found.get("Replicas", ()) if one["RegionName"] != region]
    if not places:
        return []
    where = ", ".join(places)
    if found.get("MultiRegionConsistency") == "STRONG" or found.get("GlobalTableVersion") == OLD_VERSION:
        return [f"replicas in {where} are not added: such a global table takes them only while it is empty"]
    return [
        (
            f"replicas in {where} are added afterwards; their data is copied. Where the table still exists there, it may "
            "hold newer data than the backup, and no replica can be added"
        )
    ]


def _permissions(aws: Aws, iam: Reader, wanted: Wanted) -> list[str]:
    principal = _principal(aws.caller, iam)
    if not principal:
        return []
    actions = [*_LOAD, *(one for part, needed in _NEEDED.items() if _wanted(wanted, part) for one in needed)]
    partition = wanted.source.arn.split(":")[1]
    arn = f"arn:{partition}:dynamodb:{aws.region}:{aws.account}:table/{wanted.table}"
    results = iam.listed(
        "simulate_principal_policy",
        "EvaluationResults",
        marker="Marker",
        next_marker="Marker",
        PolicySourceArn=principal,
        ActionNames=actions,
        ResourceArns=[arn],
    )
    denied = sorted({one["EvalActionName"] for one in results if one["EvalDecision"] != _ALLOWED})
    return [f"permissions that {principal} lacks, as IAM simulates it: {', '.join(denied)}"] if denied else []


def _principal(caller: str, iam: Reader) -> str:
    """The user or role whose policies count; "" for the root user, who may do everything.

    The ARN of a session has the role's name and not its path, which IAM wants.
    """
    kind, _, name = caller.rpartition(":")[2].partition("/")
    if kind == "assumed-role":
        return str(iam.ask("get_role", RoleName=name.partition("/")[0])["Role"]["Arn"])
    return caller if kind == "user" else ""
