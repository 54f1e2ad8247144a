"""Bringing a stack back around its tables. Running it again continues it.

The tables are there before: recovered under their own names, or kept when the stack went. A change set of type
IMPORT makes the stack and puts the tables under it as they are; an update with the whole template then creates
everything else and gives the tables their own deletion policies back. Before each of the two is executed, it is
looked at: one that would create, replace or remove a table is refused. What cannot be imported the stack creates,
empty, and only where no table of that name is.
"""

from __future__ import annotations

import hashlib
import json
import secrets as random
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recovery.definitions.follow_ups import FollowUp
from recovery.definitions.readings import Known
from recovery.errors import AwsError
from recovery.stacks.change_sets import ChangeSets
from recovery.stacks.documents import read_capture
from recovery.stacks.import_template import import_template
from recovery.stacks.live import Phase, is_deployed, phase_of, physical_id_of
from recovery.stacks.ordering import processed_or_submitted
from recovery.stacks.plans import StackAction, TableWay
from recovery.stacks.safeguards import cost_of, refuse_absent, refuse_existing
from recovery.stacks.templates import as_text, parse_template
from rules.errors import SafetyNetError, UnsafeError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from recovery.aws import Aws
    from recovery.clock import Clock, Sleep
    from recovery.stacks.change_sets import ChangeSet
    from recovery.stacks.live import LiveStack
    from recovery.stacks.plans import StackPlan, StackTable
    from recovery.vault.vault import Vault


@dataclass(frozen=True, slots=True)
class TableToLoad:
    """A table that the stack has made, empty: its items come from the backups of ``lost``."""

    lost: str
    name: str


@dataclass(frozen=True, slots=True)
class StackReport:
    """What a finished recreation came to. ``imported``: the tables that the stack took over, with their items."""

    stack: str
    stack_id: str
    status: str
    imported: tuple[str, ...]
    to_load: tuple[TableToLoad, ...]
    follow_ups: tuple[FollowUp, ...]
    started_at: datetime
    ended_at: datetime
    resumed: bool

    @property
    def seconds(self) -> float:
        """How long it took."""
        return (self.ended_at - self.started_at).total_seconds()


def recreate_stack(
    aws: Aws,
    vault: Vault,
    plan: StackPlan,
    *,
    secrets: Mapping[str, str],
    clock: Clock,
    sleep: Sleep,
    notes: Callable[[str], None] = lambda _: None,
    run_id: str = "",
) -> StackReport:
    """Execute a plan whose tables have been recovered, or finish what an interrupted run of it began.

    ``secrets`` are the values of ``plan.hidden``; they are sent to CloudFormation and nowhere else. ``notes`` is told
    each step in one line. ``run_id`` (letters, digits, hyphens) is part of the change sets' names. Raises UsageError
    where a secret is missing, UnsafeError for a plan that is blocked, for a stack of that name which is another one,
    and for a change that would cost a table; StackFailedError, AccessDeniedError, UnavailableError.
    """
    return _Recreation(
        aws=aws,
        vault=vault,
        plan=plan,
        secrets=secrets,
        clock=clock,
        sleep=sleep,
        notes=notes,
        run_id=run_id or random.token_hex(4),
    ).run()


@dataclass
class _Recreation:
    """One run of a plan; what ``recreate_stack`` is given."""

    aws: Aws
    vault: Vault
    plan: StackPlan
    secrets: Mapping[str, str]
    clock: Clock
    sleep: Sleep
    notes: Callable[[str], None]
    run_id: str

    def __post_init__(self) -> None:
        self._sets = ChangeSets(
            self.aws,
            self.plan.stack,
            self.sleep,
            notes=self.notes,
            secrets=list(self.secrets.values()),
            vault=self.vault,
        )
        self._capture = read_capture(self.vault, self.plan.capture_key)
        template = self._capture.template
        self._template = str(template.value) if isinstance(template, Known) else ""
        self._base = parse_template(processed_or_submitted(self._capture) or self._template)
        self._done: set[Phase] = set()

    def run(self) -> StackReport:
        started = self.clock()
        self._refuse()
        resumed = self.plan.action is StackAction.CONTINUE
        while True:
            live = self._sets.look()
            phase = phase_of(self._sets.stacks, live, self._template, self.plan.imported)
            if phase is Phase.BUSY:
                self._sets.wait()
            elif live is not None and phase is Phase.BROKEN:
                raise self._sets.failure(f"recreate stack {self.plan.stack}", live)
            elif phase in {Phase.ABSENT, Phase.REVIEW}:
                self._once(phase, live)
                self._begin()
            elif live is not None and phase is Phase.IMPORTED:
                self._once(phase, live)
                if not self._update():
                    return self._report(live, started, resumed=resumed)
            elif live is not None:
                return self._report(self._ours(live), started, resumed=resumed)

    def _refuse(self) -> None:
        plan = self.plan
        if (self.aws.account, self.aws.region) != (plan.account, plan.region):
            raise UnsafeError(
                f"the plan is for {plan.account}/{plan.region}, but the credentials at hand are for "
                f"{self.aws.account}/{self.aws.region}"
            )
        if plan.blocks:
            raise UnsafeError(f"stack {plan.stack} cannot be recreated: {'; '.join(plan.blocks)}")
        if hashlib.sha256(self._template.encode()).hexdigest() != plan.template_sha256:
            raise UnsafeError(
                f"the template in {plan.capture_key} is not the one that the plan was made from"
            )
        missing = [key for key in plan.hidden if key not in self.secrets]
        if missing:
            raise UsageError(
                f"stack {plan.stack} has hidden parameters whose values nobody has kept: {', '.join(missing)}",
                hint="Give each of them a value.",
            )

    def _once(self, phase: Phase, live: LiveStack | None) -> None:
        """A step that was done and has led back to where it began has failed, whatever CloudFormation calls it."""
        step = Phase.ABSENT if phase is Phase.REVIEW else phase
        if step in self._done and live is not None:
            raise self._sets.failure(f"recreate stack {self.plan.stack}", live)
        self._done.add(step)

    def _begin(self) -> None:
        """Make the stack: around its tables where there are some to import, else with all that it has."""
        plan = self.plan
        refuse_absent(self.aws, self.vault, plan)
        if not plan.imported:
            refuse_existing(self.aws, self.plan, self._sets.look())
            change_set = self._whole("CREATE")
            refuse_existing(self.aws, self.plan, self._sets.look())
        else:
            cut = import_template(self._base, plan.imported)
            self.notes(f"stack {plan.stack}: importing {', '.join(sorted(plan.imported.values()))}")
            change_set = self._sets.make(
                "IMPORT",
                self._name("import"),
                as_text(cut.template),
                Parameters=self._parameters(cut.parameters),
                Capabilities=list(plan.capabilities),
                RoleARN=plan.role_arn,
                ResourcesToImport=[
                    {
                        "ResourceType": plan.types[logical_id],
                        "LogicalResourceId": logical_id,
                        "ResourceIdentifier": {"TableName": table},
                    }
                    for logical_id, table in plan.imported.items()
                ],
            )
        self._review(change_set)
        self._execute(change_set)

    def _update(self) -> bool:
        """From the tables alone to the whole template; False where that makes no difference."""
        refuse_existing(self.aws, self.plan, self._sets.look())
        change_set = self._whole("UPDATE")
        if change_set.is_empty:
            return False
        self._review(change_set)
        refuse_existing(self.aws, self.plan, self._sets.look())
        self._execute(change_set)
        return True

    def _whole(self, kind: Any) -> ChangeSet:
        plan = self.plan
        self.notes(f"stack {plan.stack}: creating what is missing")
        template = self._template
        if template.lstrip().startswith("{"):
            template = as_text(parse_template(template))
        return self._sets.make(
            kind,
            self._name(str(kind).lower()),
            template,
            Parameters=self._parameters((*plan.parameters, *plan.hidden)),
            Capabilities=list(plan.capabilities),
            Tags=[{"Key": key, "Value": value} for key, value in sorted(plan.tags.items())],
            NotificationARNs=list(plan.notification_arns),
            RoleARN=plan.role_arn,
            RollbackConfiguration=plan.rollback,
            ImportExistingResources=plan.import_existing,
            IncludeNestedStacks=plan.include_nested,
        )

    def _execute(self, change_set: ChangeSet) -> None:
        self._sets.execute(change_set)
        live = self._sets.wait(change_set)
        if "ROLLBACK" in live.status or live.status.endswith("_FAILED"):
            raise self._sets.failure(f"recreate stack {self.plan.stack}", live)

    def _review(self, change_set: ChangeSet) -> None:
        """What would cost a table is refused, and the change set thrown away."""
        cost = cost_of(self.plan, change_set)
        if cost:
            self._sets.discard(change_set)
            raise UnsafeError(
                f"stack {self.plan.stack} cannot be recreated: {cost}",
                hint="The table is untouched. Its block in the template must give it the name that it has.",
            )

    def _ours(self, live: LiveStack) -> LiveStack:
        """A stack that is whole: with the captured template, and with our tables under it."""
        plan = self.plan
        if plan.action is StackAction.NONE:
            return live
        strange = [
            table for logical_id, table in plan.imported.items() if live.physical_id(logical_id) != table
        ]
        if strange or not is_deployed(self._sets.stacks, live, self._template):
            raise UnsafeError(
                f"a stack {live.name} is there, {live.status}, and it is not the one that was captured",
                hint="Somebody deployed it meanwhile. Make a new plan: run the command again.",
            )
        return live

    def _parameters(self, keys: tuple[str, ...]) -> list[dict[str, str]]:
        values = {**self.plan.parameters, **{key: self.secrets.get(key, "") for key in self.plan.hidden}}
        return [
            {"ParameterKey": key, "ParameterValue": values[key]}
            for key in dict.fromkeys(keys)
            if key in values
        ]

    def _name(self, step: str) -> str:
        return f"safetynet-{step}-{self.run_id}"[:128]

    def _report(self, live: LiveStack, started: datetime, *, resumed: bool) -> StackReport:
        plan = self.plan
        # What is asked of a living stack that nobody lost is its tables' matter alone.
        follow_ups = [] if plan.action is StackAction.NONE else self._settle(live)
        live = self._sets.look() or live
        return StackReport(
            stack=live.name,
            stack_id=live.stack_id,
            status=live.status,
            imported=tuple(table.name for table in plan.tables if table.way is TableWay.IMPORT)
            if plan.action is not StackAction.NONE
            else (),
            to_load=tuple(self._to_load(live, table) for table in plan.load_afterwards),
            follow_ups=tuple(follow_ups),
            started_at=started,
            ended_at=self.clock(),
            resumed=resumed,
        )

    def _settle(self, live: LiveStack) -> list[FollowUp]:
        """Policy and termination protection. What fails leaves a working stack and the command to run."""
        plan, policy = self.plan, self._capture.policy
        wanted: list[tuple[str, str, dict[str, Any]]] = []
        if isinstance(policy, Known) and policy.value:
            # Set once more it is the same.
            wanted.append(("stack policy", "set_stack_policy", {"StackPolicyBody": policy.value}))
        if plan.termination_protection and not live.protected:
            protection = {"EnableTerminationProtection": True}
            wanted.append(("termination protection", "update_termination_protection", protection))
        follow_ups = []
        for setting, operation, arguments in wanted:
            try:
                self._sets.call(operation, **arguments)
            except SafetyNetError as error:
                request = shlex.quote(json.dumps({"StackName": plan.stack, **arguments}))
                command = (
                    f"aws cloudformation {operation.replace('_', '-')} --region {plan.region} "
                    f"--cli-input-json {request}"
                )
                follow_ups.append(FollowUp(setting, str(error), command))
        return follow_ups

    def _to_load(self, live: LiveStack, table: StackTable) -> TableToLoad:
        """Under which name the stack has made it: a name that CloudFormation chose is another one each time."""
        name = physical_id_of(self._sets.stacks, live.stack_id, (*table.nested, table.logical_id))
        if not name:
            raise AwsError(
                f"stack {live.name} has not made the table {table.logical_id} that was {table.name}"
            )
        return TableToLoad(lost=table.name, name=name)
