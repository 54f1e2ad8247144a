"""The story: a table is deleted by accident, seen, alerted and recovered. Every step checks itself."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cli.backing_up import TableWish, back_up, tables_wanted
from cli.commands.stage import staging_plan
from cli.composition import BackupWish
from cli.demo import shop
from cli.demo.deployment import CHANNEL, Deployment
from cli.recovering import RecoverOptions, confirm, execute, prepare
from cli.wording import duration
from recovery.staging import MARKER_TAG, MARKER_VALUE, apply_staging
from recovery.testing.equality import definition, different_items, items
from rules.errors import SafetyNetError
from rules.verdicts import VerdictKind
from watcher.incidents.incident import IncidentState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cli.composition import Net
    from cli.demo.people import Person
    from cli.demo.screen import Screen
    from cli.recovering import Confirm
    from recovery.restores.restore import RecoveryReport
    from recovery.testing.embedded_aws import EmbeddedEndpoint
    from watcher.incidents.incident import Incident
    from watcher.testing.slack import SlackStandIn

PATIENCE_SECONDS = 20


class DemoFailedError(SafetyNetError):
    """A step of the demo did not do what it promises."""


@dataclass(frozen=True, slots=True)
class Cast:
    """Who acts: the net's own role, a CI role, a developer in the console, and the operator who sets things up."""

    net: Person
    ci: Person
    developer: Person
    operator: Person


@dataclass(slots=True)
class Figures:
    """What the story measured."""

    deleted_at: float = 0.0
    alerted_at: float = 0.0
    loss_seconds: float = 0.0
    report: RecoveryReport | None = None
    failures: list[str] = field(default_factory=list)


class Story:
    """Tells and plays the story on one embedded AWS."""

    def __init__(
        self,
        endpoint: EmbeddedEndpoint,
        slack: SlackStandIn,
        cast: Cast,
        deployment: Deployment,
        net: Net,
        screen: Screen,
    ) -> None:
        self._endpoint = endpoint
        self._slack = slack
        self._cast = cast
        self._deployment = deployment
        self._net = net
        self._screen = screen
        self._seen: list[Incident] = []
        self._news = threading.Condition()
        self.figures = Figures()
        self.incident: Incident | None = None

    def play(self, ask: Confirm) -> None:
        """All steps, in order. Raises DemoFailedError when a check fails."""
        watcher = self._net.watcher()
        watcher.on_incident = self._note
        thread = threading.Thread(target=watcher.run, name="watcher", daemon=True)
        thread.start()
        try:
            self._open_the_shop()
            self._back_up()
            self._refresh_testing()
            self._drop_preview()
            before = definition(self._cast.operator.aws, shop.ORDERS)
            self._delete_by_hand()
            self._recover(ask)
            self._compare(before)
        finally:
            watcher.stop()
            thread.join()
        if self.figures.failures:
            raise DemoFailedError("the demo failed: " + "; ".join(self.figures.failures))

    def _open_the_shop(self) -> None:
        self._screen.step("A shop goes into production: stack shop-prod, three tables")
        aws = self._cast.operator.aws
        cloudformation = self._client("cloudformation")
        for stack, template in (
            ("shop-prod", shop.SHOP_TEMPLATE),
            (shop.PREVIEW_STACK, shop.PREVIEW_TEMPLATE),
        ):
            cloudformation.create_stack(StackName=stack, TemplateBody=json.dumps(template))
        dynamodb = aws.dynamodb()
        # The embedded CloudFormation leaves the template's time to live out, so it is set by hand.
        dynamodb.update_time_to_live(
            TableName=shop.ORDERS,
            TimeToLiveSpecification={"Enabled": True, "AttributeName": shop.TTL_ATTRIBUTE},
        )
        for testing in shop.TESTING.values():
            dynamodb.create_table(
                TableName=testing,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": "old", "AttributeType": "S"}],
                KeySchema=[{"AttributeName": "old", "KeyType": "HASH"}],
                Tags=[{"Key": MARKER_TAG, "Value": MARKER_VALUE}],
            )
        count = sum(
            self._fill(table, rows)
            for table, rows in (
                (shop.ORDERS, shop.orders()),
                (shop.CUSTOMERS, shop.customers()),
                (shop.INVENTORY, shop.inventory()),
            )
        )
        self._screen.say(
            f"{count:,} items; {shop.ORDERS} has every DynamoDB type, two indexes, a stream, TTL, tags"
        )

    def _back_up(self) -> None:
        self._screen.step("02:00, nightly backup", "safetynet backup run")
        with self._screen.progress() as progress:
            names = tables_wanted(self._net, TableWish(patterns=self._net.settings.backup.tables))
            report = back_up(self._net, names, progress, BackupWish())
        for backup in (one.manifest for one in report.done):
            self._screen.say(f"{backup.table.name}: {backup.item_count:,} items as {backup.backup_id}")
        self._check(
            not report.failed and len(report.done) == len(shop.TESTING),
            "all three production tables are backed up",
        )

    def _refresh_testing(self) -> None:
        self._screen.step("03:30, testing is refreshed from production", "safetynet stage run --yes")
        plan = staging_plan(self._net)
        with self._screen.progress() as progress:
            reports = apply_staging(
                self._net.aws,
                self._net.recovery(progress),
                self._net.intents,
                plan,
                self._net.aws.caller,
                self._net.sleep,
            )
        self._check(
            len(reports) == len(shop.TESTING), "three testing tables are deleted, made anew and verified"
        )
        self._expect_quiet(set(shop.TESTING.values()), "declared-intent", "their deletions were declared")

    def _drop_preview(self) -> None:
        self._screen.step(f"14:05, CI takes the preview environment {shop.PREVIEW_STACK} down")
        self._client("cloudformation", self._cast.ci).delete_stack(StackName=shop.PREVIEW_STACK)
        names = {shop.PREVIEW_STACK, shop.PREVIEW_TABLE}
        self._expect_quiet(names, "preview-environments", "rules.d/shop.yaml says so")
        self._check(not self._slack.visible(CHANNEL), "nobody has been alerted so far")

    def _delete_by_hand(self) -> None:
        self._screen.step(f"03:12, somebody in the console deletes {shop.ORDERS}", bad=True)
        self.figures.deleted_at = time.monotonic()
        self._cast.developer.aws.dynamodb().delete_table(TableName=shop.ORDERS)
        alerted = self._slack.wait_for(lambda: bool(self._slack.visible(CHANNEL)), PATIENCE_SECONDS)
        self.figures.alerted_at = time.monotonic()
        if not alerted:
            raise DemoFailedError(f"the demo failed: nobody was alerted within {PATIENCE_SECONDS} s")
        self.incident = self._wait_for(shop.ORDERS, alerted=True)
        self._check(alerted, f"alerted after {self.figures.alerted_at - self.figures.deleted_at:.2f} s")
        self._check(
            self.incident.verdict is VerdictKind.SUSPICIOUS,
            "judged suspicious: no rule and no intent explains it",
        )
        self._check(len(self._slack.visible(CHANNEL)) == 1, "one message, as people see it:")
        for message in self._slack.visible(CHANNEL):
            self._screen.slack(message)

    def _recover(self, ask: Confirm) -> None:
        if self.incident is None:
            return
        self._screen.step(
            "The on-call engineer types the command of the message", self.incident.recover_command
        )
        prepared = prepare(self._net, [self.incident.id], RecoverOptions())
        self.figures.loss_seconds = prepared.plan.loss_seconds or 0.0
        self._screen.plan(prepared.plan)
        confirm(prepared, ask)
        with self._screen.progress() as progress:
            outcome = execute(self._net, prepared, progress)
        if not outcome.recovered:
            outcome.raise_incomplete()
        self.figures.report = outcome.recovered[0].report
        self._screen.report(self.figures.report)

    def _compare(self, before: dict[str, Any]) -> None:
        self._screen.step("Is it the same table? Asked of the API, item by item")
        aws = self._cast.operator.aws
        after = definition(aws, shop.ORDERS)
        self._check(after == before, "definition equal: keys, indexes, billing, stream, TTL, tags")
        different = different_items(shop.orders(), items(aws, shop.ORDERS))
        self._check(different == 0, f"every one of {shop.ORDER_COUNT:,} items equal, type by type")
        thread = self._slack.visible(CHANNEL)[0]
        replies = self._slack.replies(CHANNEL, thread.ts)
        self._check(any("is back" in reply.text for reply in replies), "the Slack thread says so:")
        for reply in replies:
            self._screen.slack(reply)
        state = self._net.incidents.get(self.incident.id).state if self.incident else None
        self._check(state is IncidentState.RECOVERED, "the incident is recovered")

    def summary(self) -> list[tuple[str, str]]:
        """The figures at the end."""
        report = self.figures.report
        return [
            ("detection to alert", f"{self.figures.alerted_at - self.figures.deleted_at:.2f} s"),
            ("recovery time", duration(report.seconds) if report else "not recovered"),
            ("data loss window", duration(self.figures.loss_seconds)),
            ("items verified", f"{report.items_verified or 0:,}" if report else "0"),
        ]

    def _fill(self, table: str, rows: Iterable[dict[str, Any]]) -> int:
        client: Any = self._cast.operator.aws.dynamodb()
        batch, count = [], 0
        for row in rows:
            batch.append({"PutRequest": {"Item": row}})
            count += 1
            if len(batch) == 25:  # noqa: PLR2004 - BatchWriteItem's limit
                client.batch_write_item(RequestItems={table: batch})
                batch = []
        if batch:
            client.batch_write_item(RequestItems={table: batch})
        return count

    def _client(self, service: str, person: Person | None = None) -> Any:
        session: Any = (person or self._cast.operator).aws.session
        return session.client(service, endpoint_url=self._endpoint.url)

    def _note(self, incident: Incident) -> None:
        with self._news:
            self._seen.append(incident)
            self._news.notify_all()

    def _wait_for(self, subject: str, *, alerted: bool = False) -> Incident:
        """The newest incident about that table or stack (one that alerts), once the watcher has stored it."""

        def found() -> Incident | None:
            of_subject = (one for one in reversed(self._seen) if one.subject.name == subject)
            return next((one for one in of_subject if one.alerted or not alerted), None)

        with self._news:
            self._news.wait_for(lambda: found() is not None, PATIENCE_SECONDS)
            incident = found()
        if incident is None:
            raise DemoFailedError(f"the watcher has not seen what happened to {subject}")
        return incident

    def _expect_quiet(self, subjects: set[str], rule: str, why: str) -> None:
        incidents = [self._wait_for(subject) for subject in sorted(subjects)]
        intended = all(one.verdict is VerdictKind.INTENTIONAL and rule in one.rules for one in incidents)
        self._check(intended, f"{len(incidents)} deletions seen and judged intentional ({why}): no alert")

    def _check(self, passed: bool, what: str) -> None:
        self._screen.check(passed=passed, what=what)
        if not passed:
            self.figures.failures.append(what)
