"""Change sets: made, looked at, executed and waited for (API reference, 'CreateChangeSet', 'ExecuteChangeSet').

Nothing is done to a stack but through one of these, for a change set says beforehand what would become of each
table. Each carries a name of its own; one of that name that is there already is thrown away first, for nobody can
tell with which hidden values it was made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_fixed

from recovery.aws import aws_errors
from recovery.definitions.reader import Reader
from recovery.errors import AwsError
from recovery.pacing import patient
from recovery.stacks.documents import store_template
from recovery.stacks.live import REVIEW, look
from rules.errors import NotFoundError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from recovery.aws import Aws
    from recovery.clock import Sleep
    from recovery.stacks.live import LiveStack
    from recovery.vault.vault import Vault

Kind = Literal["CREATE", "UPDATE", "IMPORT"]

POLL_SECONDS = 5
# A stack may take hours to be made; a change set takes minutes.
STACK_POLLS = 4 * 3600 // POLL_SECONDS
CHANGE_SET_POLLS = 1800 // POLL_SECONDS
BODY_LIMIT = 51_200
_TO_COME = frozenset({"AVAILABLE", "EXECUTE_IN_PROGRESS"})
_BEGUN = frozenset({"EXECUTE_IN_PROGRESS", "EXECUTE_COMPLETE", "EXECUTE_FAILED"})
_NOTHING_TO_DO = ("didn't contain changes", "No updates are to be performed")
_ALREADY = frozenset({"AlreadyExistsException"})
_UNDER_WAY = frozenset({"InvalidChangeSetStatus", "InvalidChangeSetStatusException"})
_GONE = frozenset({"ChangeSetNotFound", "ChangeSetNotFoundException"})
_START_OF_AN_OPERATION = frozenset({"CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "IMPORT_IN_PROGRESS", REVIEW})
_HIDDEN = "****"


class StackFailedError(AwsError):
    """CloudFormation could not make what it was told to; the message carries its first reason. ``code``: the status."""

    default_hint = "Remove the cause and run the command again; it goes on from here. No table was touched."


@dataclass(frozen=True, slots=True)
class Change:
    """What a change set would do to one resource. ``replacement``: True, False, Conditional or ""."""

    action: str
    logical_id: str
    physical_id: str
    type: str
    replacement: str = ""


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """A change set that is ready. ``is_empty``: it would change nothing and cannot be executed."""

    arn: str
    name: str
    stack: str
    changes: tuple[Change, ...]
    is_empty: bool = False


class ChangeSets:
    """The change sets of one stack of this account and region.

    ``secrets`` are values that must not be told, wherever AWS repeats them; ``notes`` is told what happens.
    """

    def __init__(
        self,
        aws: Aws,
        stack: str,
        sleep: Sleep,
        *,
        notes: Callable[[str], None],
        secrets: Collection[str] = (),
        vault: Vault | None = None,
    ) -> None:
        self._aws = aws
        self._client: Any = aws.service("cloudformation")
        self.stacks = Reader(self._client, sleep)
        self._stack = stack
        self._sleep = sleep
        self._notes = notes
        self._secrets = sorted({secret for secret in secrets if secret}, key=len, reverse=True)
        self._vault = vault

    def look(self) -> LiveStack | None:
        """The stack as it is."""
        return look(self.stacks, self._stack)

    def make(self, kind: Kind, name: str, template: str, **request: Any) -> ChangeSet:
        """CreateChangeSet, and wait until it is ready. What of ``request`` is empty is left out.

        Raises StackFailedError where CloudFormation refuses, AccessDeniedError, UnavailableError.
        """
        arguments = {
            "StackName": self._stack,
            "ChangeSetName": name,
            "ChangeSetType": kind,
            **self._template(template),
            **{key: value for key, value in request.items() if value not in (None, [], {}, False, "")},
        }
        try:
            self._call("create_change_set", **arguments)
        except AwsError as error:
            if error.code not in _ALREADY:
                raise
            # Ours, whose answer got lost, or that of a run which ended before it was executed.
            self._call("delete_change_set", StackName=self._stack, ChangeSetName=name)
            self._call("create_change_set", **arguments)
        return self._ready(name)

    def execute(self, change_set: ChangeSet) -> None:
        """ExecuteChangeSet; one whose answer got lost and that is under way is no error."""
        try:
            self._call(
                "execute_change_set",
                StackName=self._stack,
                ChangeSetName=change_set.arn,
                ClientRequestToken=change_set.name,
            )
        except AwsError as error:
            if error.code in _UNDER_WAY and self._execution(change_set) in _BEGUN:
                return
            raise

    def discard(self, change_set: ChangeSet) -> None:
        """DeleteChangeSet. A stack that only it has made stays behind, empty, and is used by the next one."""
        self._call("delete_change_set", StackName=self._stack, ChangeSetName=change_set.arn)

    def wait(self, change_set: ChangeSet | None = None) -> LiveStack:
        """Wait until nothing is going on with the stack, and the change set, if given, is through.

        Raises UnavailableError after four hours, NotFoundError for a stack that went away meanwhile.
        """
        said: list[str] = []

        def settled() -> LiveStack | None:
            live = self.look()
            if live is None:
                raise NotFoundError(f"stack {self._stack} is not there any more")
            if live.status not in said:
                said.append(live.status)
                self._notes(f"stack {self._stack}: {live.status}")
            if live.status.endswith("_IN_PROGRESS") and (live.status != REVIEW or change_set is not None):
                return None
            if change_set is not None and self._execution(change_set) in _TO_COME:
                return None
            return live

        found: LiveStack | None = self._polling(STACK_POLLS, lambda: patient(self._sleep)(settled))
        if not found:
            raise UnavailableError(
                f"stack {self._stack} is still busy: {said[-1]}", hint="Run the command again; it continues."
            )
        return found

    def failure(self, doing: str, live: LiveStack) -> StackFailedError:
        """What went wrong with the last operation, in the words of the first resource that failed."""
        reason = next(iter(self._reasons()), "") or live.reason or "CloudFormation tells no reason"
        hint = live.way_out or None
        return StackFailedError(
            self._hidden(f"cannot {doing}: the stack is {live.status}: {reason}"), code=live.status, hint=hint
        )

    def call(self, operation: str, **request: Any) -> dict[str, Any]:
        """Any call about the stack, with the same patience."""
        return self._call(operation, StackName=self._stack, **request)

    def _ready(self, name: str) -> ChangeSet:
        def described() -> dict[str, Any] | None:
            found = self.stacks.ask("describe_change_set", StackName=self._stack, ChangeSetName=name)
            done = found["Status"] not in {"CREATE_PENDING", "CREATE_IN_PROGRESS"}
            return found if done else None

        found: dict[str, Any] | None = self._polling(CHANGE_SET_POLLS, described)
        if not found:
            raise UnavailableError(
                f"change set {name} of stack {self._stack} is not ready", hint="Run the command again."
            )
        reason = str(found.get("StatusReason") or "")
        empty = found["Status"] == "FAILED" and any(word in reason for word in _NOTHING_TO_DO)
        if not empty and (found["Status"] == "FAILED" or found["ExecutionStatus"] != "AVAILABLE"):
            raise StackFailedError(
                self._hidden(f"stack {self._stack}: the change set {name} cannot be made: {reason}"),
                code=found["Status"],
            )
        return ChangeSet(
            arn=found["ChangeSetId"],
            name=name,
            stack=self._stack,
            changes=tuple(self._changes(found, name)),
            is_empty=empty,
        )

    def _changes(self, first: Mapping[str, Any], name: str) -> Iterator[Change]:
        page: Mapping[str, Any] = first
        while True:
            for entry in page.get("Changes") or ():
                change = entry.get("ResourceChange") or {}
                yield Change(
                    action=change.get("Action") or "",
                    logical_id=change.get("LogicalResourceId") or "",
                    physical_id=change.get("PhysicalResourceId") or "",
                    type=change.get("ResourceType") or "",
                    replacement=change.get("Replacement") or "",
                )
            if not page.get("NextToken"):
                return
            page = self.stacks.ask(
                "describe_change_set",
                StackName=self._stack,
                ChangeSetName=name,
                NextToken=page["NextToken"],
            )

    def _execution(self, change_set: ChangeSet) -> str:
        """How far the execution is, "" where CloudFormation has forgotten the change set."""
        try:
            found = self.stacks.ask(
                "describe_change_set", StackName=self._stack, ChangeSetName=change_set.arn
            )
        except AwsError as error:
            if error.code in _GONE:
                return ""
            raise
        return str(found.get("ExecutionStatus") or "")

    def _reasons(self) -> list[str]:
        """What failed since the last operation began, the first failure first."""
        found = []
        for event in self.stacks.listed("describe_stack_events", "StackEvents", StackName=self._stack):
            status, logical_id = event.get("ResourceStatus") or "", event.get("LogicalResourceId") or ""
            of_the_stack = event.get("PhysicalResourceId") == event.get("StackId")
            if status.endswith("_FAILED") and event.get("ResourceStatusReason"):
                kind = event.get("ResourceType") or "?"
                found.append(f"{logical_id} ({kind}): {event['ResourceStatusReason']}")
            if of_the_stack and status in _START_OF_AN_OPERATION:
                break
        return found[::-1]

    def _template(self, template: str) -> dict[str, str]:
        """In the request, or, where it is too long for that, in the vault for CloudFormation to read there."""
        body = template.encode()
        if len(body) <= BODY_LIMIT:
            return {"TemplateBody": template}
        if self._vault is None:
            raise AwsError(f"the template of stack {self._stack} is longer than {BODY_LIMIT:,} bytes")
        key = store_template(self._vault, self._aws.account, self._aws.region, self._stack, body)
        return {"TemplateURL": _url(self._aws, self._vault, key)}

    def _call(self, operation: str, **request: Any) -> dict[str, Any]:
        def once() -> dict[str, Any]:
            with aws_errors(f"{operation.replace('_', ' ')} of stack {self._stack}"):
                answer: dict[str, Any] = getattr(self._client, operation)(**request)
            return answer

        try:
            return patient(self._sleep)(once)
        except AwsError as error:
            if self._hidden(str(error)) == str(error):
                raise
            raise AwsError(self._hidden(str(error)), code=error.code, hint=error.hint) from None

    def _hidden(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, _HIDDEN)
        return text

    def _polling(self, attempts: int, ask: Callable[[], Any]) -> Any:
        return Retrying(
            retry=retry_if_result(lambda found: found is None),
            wait=wait_fixed(POLL_SECONDS),
            stop=stop_after_attempt(attempts),
            sleep=self._sleep,
            retry_error_callback=lambda _: None,
        )(ask)


def _url(aws: Aws, vault: Vault, key: str) -> str:
    """Where CloudFormation reads an object of the vault, with the rights of who calls it.

    In the bucket's own region (S3 API reference, 'HeadBucket'), and with the bucket in the path, for a bucket's
    name may hold dots.
    """
    client = aws.s3()
    with aws_errors(f"find the region of {vault.bucket}"):
        region = client.head_bucket(Bucket=vault.bucket).get("BucketRegion") or aws.region
    endpoint = client.meta.endpoint_url
    if ".amazonaws." in endpoint:
        suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
        endpoint = f"https://s3.{region}.{suffix}"
    return f"{endpoint}/{vault.bucket}/{vault.full_key(key)}"
