"""What people read on Slack, and what nobody can smuggle into it."""

from __future__ import annotations

import html
import json
import re
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.verdicts import Severity, VerdictKind
from tests.watcher.telling import a_lead, a_member, a_point
from watcher.alerts.slack_message import clean, escaped, event_url, opened_message, thread_message
from watcher.alerts.slack_text import SlackMessage, plain_text
from watcher.incidents.incident import (
    EventNote,
    Incident,
    IncidentState,
    Member,
    Moment,
    NoticeKind,
    OutboxEntry,
    Person,
    RecoveryPoint,
    Subject,
)
from watcher.testing.slack_blocks import MAX_ALL_BLOCKS, check_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

DELETED = datetime(2026, 11, 23, 3, 12, 7, tzinfo=UTC)
INCIDENT_ID = "20261123T031207Z-shop-prod-orders-1a2b3c4d"
EVENT_ID = "7d3f1c1e-6a3c-4f0e-9b1d-0d7b8f5f9e11"
COMMAND = f"safetynet recover {INCIDENT_ID}"


def point(hours: int, items: int, source: str = "s3-backup") -> RecoveryPoint:
    """A backup made that many hours, and 12 min 7 s, before the deletion."""
    loss = timedelta(hours=hours, minutes=12, seconds=7)
    return RecoveryPoint(
        source=source, backup_id="b", time=DELETED - loss, item_count=items, loss_seconds=loss.total_seconds()
    )


def incident(**changes: Any) -> Incident:
    """A production table deleted by hand, with two backups."""
    document: dict[str, Any] = {
        "id": INCIDENT_ID,
        "state": IncidentState.OPEN,
        "title": "Table deleted",
        "verdict": VerdictKind.ACCIDENTAL,
        "severity": Severity.CRITICAL,
        "reasons": ("A production table was deleted by hand (rule prod-by-hand)",),
        "account": "123456789012",
        "region": "eu-west-1",
        "subject": Subject(
            type="table",
            name="shop-prod-orders",
            arn="arn:aws:dynamodb:eu-west-1:123456789012:table/shop-prod-orders",
            item_count=5000,
            size_bytes=2_345_678,
        ),
        "actor": Person(label="developer (role Admin)", kind="sso", source_ip="203.0.113.7", tool="cli"),
        "events": (EventNote(id=EVENT_ID, name="DeleteTable", time=DELETED, received=DELETED),),
        "opened_at": DELETED + timedelta(minutes=4),
        "recovery_points": (point(25, 4980), point(1, 5000)),
        "recover_command": COMMAND,
    }
    return Incident(**(document | changes))


def entry(kind: NoticeKind, text: str = "") -> OutboxEntry:
    """An outbox entry of that kind."""
    return OutboxEntry(key=kind.value, notifier="slack", kind=kind, text=text, created_at=DELETED)


def texts(value: Any) -> Iterator[str]:
    """Every string that Slack would show."""
    if isinstance(value, dict):
        for key, part in value.items():
            if key != "type":
                yield from texts(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from texts(part)
    elif isinstance(value, str):
        yield value


def shown(message: SlackMessage) -> str:
    """All that the message says, wrapped lines joined again."""
    return " ".join(plain_text(message).split())


def test_an_opened_message_reads_like_this() -> None:
    """The whole message in a terminal: what, who, where, what is lost, why, from when, and the command."""
    assert plain_text(opened_message(incident())) == "\n".join(
        [
            "🚨 Table deleted: shop-prod-orders",
            "",
            "Open. Nobody has acknowledged it yet.",
            "",
            "What      Table deleted",
            "          arn:aws:dynamodb:eu-west-1:123456789012:table/shop-prod-orders",
            "Who       developer (role Admin), sso",
            "With      cli from 203.0.113.7",
            "When      2026-11-23 03:12:07 UTC",
            "Where     account 123456789012 in eu-west-1",
            "Lost      5,000 items, 2.3 MB, as of the newest backup",
            "",
            "Why: severity critical, judged an accident",
            "• A production table was deleted by hand (rule prod-by-hand)",
            "",
            "Recovery points",
            "• newest backup 2026-11-23 02:00:00 UTC, 5,000 items; changes of the last 1 h 12",
            "  min are lost",
            "• older backup 2026-11-22 02:00:00 UTC, 4,980 items; changes of the last 1 d 1 h",
            "  are lost",
            "",
            "To recover, run",
            f"    {COMMAND}",
            "",
            f"Incident {INCIDENT_ID}",
            f"CloudTrail event: https://eu-west-1.console.aws.amazon.com/cloudtrailv2/home?region=eu-west-1#/events/{EVENT_ID}",
        ]
    )


def test_the_message_without_a_backup_is_loud() -> None:
    """No recovery point is said in capitals, in the message and in its notification."""
    message = opened_message(incident(recovery_points=(), subject=Subject(type="table", name="t")))
    assert "*NO BACKUP FOUND.*" in json.dumps(message.blocks)
    assert "NO BACKUP FOUND." in message.text
    assert "Lost unknown: no backup tells" in shown(message)


@pytest.mark.parametrize(
    ("state", "headline", "command"),
    [
        (IncidentState.ACKNOWLEDGED, "👀 Acknowledged: shop-prod-orders", True),
        (IncidentState.RECOVERING, "🔄 Recovering: shop-prod-orders", True),
        (IncidentState.RECOVERED, "✅ Recovered: shop-prod-orders", False),
        (IncidentState.DISMISSED, "⚪ Dismissed: shop-prod-orders", False),
        (IncidentState.QUIET, "🚨 Table deleted: shop-prod-orders", True),
    ],
)
def test_the_header_follows_the_state(state: IncidentState, headline: str, command: bool) -> None:
    """The updated message tells the state and its last step, and stops asking for what is done."""
    last = Moment(time=DELETED, who="bob", what="took it")
    message = opened_message(incident(state=state, timeline=(last,)))
    assert message.blocks[0]["text"]["text"] == headline
    assert (COMMAND in shown(message)) is command
    assert ("bob: took it" in shown(message)) is (state is not IncidentState.QUIET)


def test_a_failed_recovery_leaves_the_incident_open_and_says_so() -> None:
    """An incident that is open again is not told as one that nobody has looked at."""
    message = opened_message(incident(outbox=(entry(NoticeKind.RECOVERY_FAILED),)))
    assert message.blocks[0]["text"]["text"] == "🚨 Table deleted: shop-prod-orders"
    assert "Open again. A recovery failed; why is in the thread." in shown(message)
    assert COMMAND in shown(message)


def test_a_refused_call_loses_nothing() -> None:
    """An attempt shows AWS's answer, and neither a loss nor a recovery."""
    refused = EventNote(
        id=EVENT_ID,
        name="DeleteTable",
        time=DELETED,
        received=DELETED,
        error_code="AccessDenied",
        error_message="developer is not authorized",
    )
    text = shown(opened_message(incident(events=(refused, refused), recovery_points=())))
    assert "Lost nothing: the call was refused" in text
    assert text.count("AWS answered AccessDenied: developer is not authorized") == 1
    assert "2 events until" in text
    assert "NO BACKUP" not in text
    assert "recover " not in text


def test_a_weakened_table_has_data_at_stake_not_lost() -> None:
    """Only deletions are told as a loss."""
    note = EventNote(id=EVENT_ID, name="UpdateTable", time=DELETED, received=DELETED)
    assert "At stake 5,000 items" in shown(opened_message(incident(events=(note,))))


def test_a_point_says_its_age_where_that_is_not_its_loss() -> None:
    """Point-in-time recovery loses nothing; an age that differs from the window of loss is told."""
    pitr = RecoveryPoint(source="pitr", backup_id="", time=DELETED, item_count=1, loss_seconds=0)
    stale = RecoveryPoint(
        source="export", backup_id="", time=DELETED - timedelta(days=3), item_count=2, loss_seconds=90
    )
    text = shown(opened_message(incident(recovery_points=(stale, pitr))))
    assert "newest point-in-time recovery 2026-11-23 03:12:07 UTC, 1 item; nothing is lost" in text
    assert "older export 2026-11-20 03:12:07 UTC (3 d old), 2 items; changes of the last 1 min 30 s" in text


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            "system",
            "newest DynamoDB's own backup of the deleted table 2026-11-23 03:12:07 UTC; nothing is lost",
        ),
        ("replica", "newest backup in the second vault 2026-11-23 03:12:07 UTC; nothing is lost"),
        ("somebody's", "newest somebody's 2026-11-23 03:12:07 UTC; nothing is lost"),
    ],
)
def test_points_of_others_say_whose_they_are(source: str, said: str) -> None:
    """By its name where it has one; a number of items that nobody tells is left out."""
    one = RecoveryPoint(source=source, backup_id="", time=DELETED, loss_seconds=0)
    assert said in shown(opened_message(incident(recovery_points=(one,))))


def test_an_event_that_nobody_understood_is_still_an_alert() -> None:
    """What nobody knows is left out, and nothing is invented."""
    unreadable = incident(
        title="An event that cannot be understood",
        account="",
        region="",
        subject=Subject(type="", name=""),
        actor=Person(label="", kind=""),
        events=(),
        recovery_points=(),
        recover_command="",
    )
    message = opened_message(unreadable)
    check_blocks(message.blocks)
    assert message.blocks[0]["text"]["text"] == "🚨 An event that cannot be understood"
    assert "unknown" not in shown(message)
    assert "stake" not in shown(message)
    assert "NO BACKUP" not in shown(message)


@pytest.mark.parametrize(
    ("kind", "headline", "command"),
    [
        (NoticeKind.RECOVERING, "🔄 Recovery started: shop-prod-orders", False),
        (NoticeKind.RECOVERED, "✅ Recovered: shop-prod-orders", False),
        (NoticeKind.RECOVERY_FAILED, "❌ Recovery failed: shop-prod-orders", True),
    ],
)
def test_thread_messages_tell_what_became_of_the_recovery(
    kind: NoticeKind, headline: str, command: bool
) -> None:
    """Headline and own text; a failure also says how to go on."""
    message = thread_message(incident(), entry(kind, "3,000 of 5,000 items\n\nThrottled <twice>"))
    assert message.blocks[0]["text"]["text"] == headline
    assert "\n3,000 of 5,000 items\nThrottled <twice>\n" in plain_text(message)
    assert (COMMAND in plain_text(message)) is command
    assert "Throttled &lt;twice&gt;" in message.text


def test_the_opening_entry_is_the_opened_message() -> None:
    """Both functions agree on the first message."""
    assert thread_message(incident(), entry(NoticeKind.OPENED)) == opened_message(incident())


@pytest.mark.parametrize(
    ("command", "exact"),
    [
        ("safetynet recover a && echo <done>", True),
        ("safetynet recover a`; rm -rf /", False),
        ("safetynet recover a\u200bb", False),
        ("safetynet recover " + "a" * 2000, False),
    ],
)
def test_a_command_is_shown_exactly_or_not_at_all(command: str, exact: bool) -> None:
    """A command that Slack could not show as it is gives way to one that leads to it."""
    text = plain_text(opened_message(incident(recover_command=command)))
    assert (f"\n    {command}\n" in text) is exact
    assert (f"\n    safetynet incidents show {INCIDENT_ID}\n" in text) is not exact


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-west-1", "eu-west-1.console.aws.amazon.com"),
        ("cn-north-1", "cn-north-1.console.amazonaws.cn"),
        ("us-gov-west-1", "us-gov-west-1.console.amazonaws-us-gov.com"),
    ],
)
def test_the_link_leads_to_the_console_of_the_partition(region: str, host: str) -> None:
    """China and GovCloud have consoles of their own; the event id is quoted."""
    assert (
        event_url(region, "a/b|c>")
        == f"https://{host}/cloudtrailv2/home?region={region}#/events/a%2Fb%7Cc%3E"
    )


@pytest.mark.parametrize("region", ["", "evil.example/x", "eu-west-1.evil.example", "eu-west-1\n"])
def test_a_region_that_is_none_makes_no_link(region: str) -> None:
    """A forged region cannot send people elsewhere."""
    assert event_url(region, EVENT_ID) == ""
    assert "https:" not in shown(opened_message(incident(region=region)))


def a_history() -> Incident:
    """Protection off, two backups deleted, an attempt, then the table deleted."""
    return a_lead(
        "protection-off",
        "orders",
        a_member("backup-deleted", "orders", 60),
        a_member("backup-deleted", "orders", 72),
        a_member("table-deleted", "orders", 100, title="Attempt to delete a table", failed=True),
        a_member(
            "table-deleted",
            "orders",
            180,
            who="backup-job",
            recovery_points=(a_point(),),
            subject={
                "item_count": 10,
                "size_bytes": 2000,
                "tags": {"env": "prod", "team": "shop"},
                "replicas": ("eu-central-1", "us-east-1"),
                "consumers": ("arn:aws:lambda:eu-west-1:123456789012:function:indexer",),
            },
        ),
    )


def test_an_incident_of_several_changes_reads_like_this() -> None:
    """What happened in order, how far it reaches, who else had a part in it, and what there is to go back to."""
    text = plain_text(opened_message(a_history()))
    above, _, below = text.partition("\nWhy: ")
    assert above.splitlines() == [
        "🚨 Protection switched off, 2 backups deleted, then table orders deleted",
        "",
        "Open. Nobody has acknowledged it yet.",
        "",
        "What      first: Deletion protection switched off",
        "Who       developer, iam-user",
        "          and backup-job",
        "With      aws-cli from 203.0.113.7",
        "When      2026-11-23 03:12:07 UTC, 5 changes until 2026-11-23 03:15:07 UTC",
        "Where     account 123456789012 in eu-west-1",
        "Lost      10 items, 2.0 KB, as of the newest backup",
        "Replicas  eu-central-1, us-east-1 as of the newest backup",
        "Read by   indexer through its stream",
        "Tags      env=prod, team=shop",
        "",
        "What happened, in order",
        "• 03:12:07 Deletion protection switched off: orders",
        "• 03:13:07 to 03:13:19 Backup deleted, 2 times: orders",
        "• 03:13:47 Attempt to delete a table: orders (refused)",
        "• 03:15:07 Table deleted: orders, by backup-job",
    ]
    assert "newest backup 2026-11-23 02:12:07 UTC (1 h 3 min old), 10 items" in " ".join(below.split())
    assert "\n    safetynet recover " in below


def a_burst(count: int, name: str = "t") -> Incident:
    """A stack's deletion and so many tables with it; every third has no backup."""
    members = (
        a_member(
            "table-deleted",
            f"{name}{number}",
            number,
            who="cloudformation.amazonaws.com",
            recovery_points=(a_point(),) if number % 3 else (),
            subject={"item_count": number, "size_bytes": number * 1000} if number % 3 else {},
        )
        for number in range(1, count + 1)
    )
    return a_lead("stack-deleted", "shop", *members)


def test_of_many_tables_the_worst_are_named_first() -> None:
    """No recovery point first, then by size; a line each, of many only the first; the sum says that it is too low."""
    message = opened_message(a_burst(20))
    text = shown(message)
    assert message.blocks[0]["text"]["text"] == "🚨 Stack shop deleted, with 20 tables"
    assert "Lost 20 tables: at least 147 items, 147.0 KB, as of the newest backups" in text
    assert "NO BACKUP FOUND for 6 of 20 tables. There was no recovery point" in text
    assert "NO BACKUP FOUND for 6 of 20 tables." in message.text
    named = re.findall(r"• (t\d+)", text)
    assert named == ["t12", "t15", "t18", "t3", "t6", "t9", "t20", "t19", "t17", "t16", "t14", "t13"]
    assert "t20 (20 items, 20.0 KB): backup 2026-11-23 02:12:07 UTC" in text
    assert f"and 8 more: safetynet incidents show {a_burst(1).id}" in text


def test_a_deletion_that_two_channels_tell_of_is_one_step() -> None:
    """What CloudFormation itself says of a deletion does not make the history longer."""
    lead = a_lead(
        "protection-off",
        "orders",
        a_member("table-deleted", "orders", 5),
        a_member("table-deleted", "orders", 9, title="Table deleted by its stack"),
    )
    text = shown(opened_message(lead))
    assert "Table deleted: orders" in text
    assert "by its stack" not in text


def test_a_long_history_keeps_its_beginning_and_its_end() -> None:
    """In between it says how many steps there are."""
    kinds = ("protection-off", "backup-deleted", "pitr-off")
    steps = (a_member(kinds[number % 3], "orders", number) for number in range(1, 40))
    text = shown(opened_message(a_lead("trail-tampered", "main", *steps)))
    assert "• 03:12:07 Trail stopped: main" in text
    assert "… and 32 more …" in text
    assert "• 03:12:46 Protection" not in text
    assert "• 03:12:46 Deletion protection switched off: orders" in text


def test_attempts_of_several_kinds_lose_nothing() -> None:
    """Where AWS refused every one there is neither a loss nor a recovery."""
    refused = EventNote(id="e", name="DeleteTable", time=DELETED, received=DELETED, error_code="AccessDenied")
    lead = a_lead(
        "table-deleted", "orders", a_member("table-deleted", "carts", failed=True), events=(refused,)
    )
    text = shown(opened_message(lead))
    assert "Lost nothing: the calls were refused" in text
    assert "NO BACKUP" not in text
    assert "recover " not in text


def test_a_stack_whose_tables_nobody_has_seen_go() -> None:
    """It is not told as a loss of nothing."""
    lead = a_lead("stack-deleted", "shop", a_member("stack-deleted", "shop"))
    assert "Lost unknown: no deletion of a table was seen yet" in shown(opened_message(lead))


@pytest.mark.parametrize("count", [1, 40, 1000])
@pytest.mark.parametrize(
    "name", ["t", "<" * 240, '"' * 240, "🚨" * 100], ids=["short", "entities", "quotes", "emoji"]
)
def test_however_many_and_whatever_they_are_called_slack_takes_it(count: int, name: str) -> None:
    """A thousand tables with hostile names: within every limit, and the command is whole."""
    burst = a_burst(count, name)
    news = [thread_message(burst, entry(kind, name * 20)) for kind in NoticeKind]
    for message in (opened_message(burst, buttons=True), *news):
        check_blocks(message.blocks)
        assert len(message.text) <= 3000
    assert f"\n    {burst.recover_command}\n" in plain_text(opened_message(burst))


def test_where_there_is_too_much_the_lists_give_way() -> None:
    """Names, reasons and addresses that are as long as can be and count double: all fits, the command is whole."""
    quotes = '\\"' * 2000
    members = (
        a_member(kind, f"{number}{quotes}", number, title=f"{number}{quotes}", who=f"{number}{quotes}")
        for number, kind in enumerate(["table-deleted", "stack-deleted", "backup-deleted"] * 6)
    )
    actor = Person(label=quotes, kind=quotes, source_ip=quotes, tool=quotes)
    crowded = a_lead(
        "table-deleted",
        quotes,
        *members,
        title=quotes,
        actor=actor,
        account=quotes,
        reasons=(quotes,) * 9,
        outbox=(entry(NoticeKind.LEARNT, quotes),),
    )
    message = opened_message(crowded, buttons=True)
    check_blocks(message.blocks)
    assert f"\n    {crowded.recover_command}\n" in plain_text(message)


def test_what_is_learnt_later_stands_in_the_first_message() -> None:
    """Such as that the table was made anew, empty: until it is over, each text once."""
    news = entry(NoticeKind.LEARNT, "A table of the name was created: it is empty.")
    twice = (news, news.model_copy(update={"key": "other", "notifier": "other"}))
    text = shown(opened_message(incident(outbox=twice)))
    assert text.count("Learnt since • A table of the name was created: it is empty.") == 1
    assert "Learnt" not in shown(opened_message(incident(outbox=twice, state=IncidentState.RECOVERED)))


def test_a_change_that_is_told_elsewhere_says_where() -> None:
    """It names the other incident and the command that shows it, and has no way back of its own."""
    message = opened_message(incident(part_of="20261123T030000Z-shop-0000000a"))
    text = plain_text(message)
    assert "Part of another incident. It is told, acknowledged and recovered there." in text
    assert "\n    safetynet incidents show 20261123T030000Z-shop-0000000a\n" in text
    assert "Part of 20261123T030000Z-shop-0000000a" in text
    assert COMMAND not in text
    news = thread_message(incident(part_of="20261123T030000Z-shop-0000000a"), entry(NoticeKind.LEARNT))
    assert "Part of 20261123T030000Z-shop-0000000a" in plain_text(news)


@pytest.mark.parametrize(
    ("state", "moment", "said"),
    [
        (IncidentState.ACKNOWLEDGED, "acknowledged", "Acknowledged by jane, 2026-11-23 03:12:07 UTC."),
        (
            IncidentState.DISMISSED,
            "dismissed: OPS-7",
            "Dismissed by jane, 2026-11-23 03:12:07 UTC. Why: OPS-7",
        ),
    ],
)
def test_the_message_says_who_decided(state: IncidentState, moment: str, said: str) -> None:
    """Who and when, and for a dismissal why; what came later stands below."""
    decided = Moment(time=DELETED, who="jane", what=moment)
    later = Moment(time=DELETED + timedelta(minutes=1), who="watcher", what="seen again")
    changes: dict[str, Any] = {"state": state, "dismissed_because": "OPS-7"}
    text = shown(opened_message(incident(timeline=(decided, later), **changes)))
    assert said in text
    assert "Last: 2026-11-23 03:13:07 UTC, watcher: seen again" in text
    assert "Last:" not in shown(opened_message(incident(timeline=(decided,), **changes)))


def test_worse_news_are_urgent_and_whole() -> None:
    """What it is now, how bad, how much is lost, and the command."""
    text = plain_text(thread_message(a_history(), entry(NoticeKind.WORSE, "Table deleted: orders")))
    assert text.startswith("🚨 Worse than it looked: Protection switched off, 2 backups deleted, then")
    assert "Now severity critical, judged an accident\nLost: 10 items, 2.0 KB" in text
    assert "\n    safetynet recover " in text


def test_an_escalation_tells_all_of_it() -> None:
    """Who is told because nobody answered has not seen the first message."""
    news = thread_message(
        a_history(), entry(NoticeKind.ESCALATED, "Nobody has acknowledged this within 10 min.")
    )
    first = opened_message(a_history())
    assert news.blocks[0]["text"]["text"].startswith(
        "⏰ Nobody has acknowledged this: Protection switched off"
    )
    assert "within 10 min." in plain_text(news)
    assert news.blocks[2:] == first.blocks[2:]


@pytest.mark.parametrize(
    ("changes", "pressed"),
    [
        ({}, ["safetynet:ack", "safetynet:intended", "safetynet:plan"]),
        ({"state": IncidentState.ACKNOWLEDGED}, ["safetynet:intended", "safetynet:plan"]),
        ({"recover_command": ""}, ["safetynet:ack", "safetynet:intended"]),
        ({"state": IncidentState.DISMISSED}, []),
        ({"state": IncidentState.QUIET}, []),
        ({"part_of": "20261123T030000Z-shop-0000000a"}, []),
    ],
)
def test_buttons_fit_the_state(changes: dict[str, Any], pressed: list[str]) -> None:
    """Each sends its action and the incident's id; there are none unless somebody listens, nor in plain text."""
    one = incident(**changes)
    blocks = opened_message(one, buttons=True).blocks
    found = [element for block in blocks if block["type"] == "actions" for element in block["elements"]]
    assert [element["action_id"] for element in found] == pressed
    assert {element["value"] for element in found} <= {INCIDENT_ID}
    check_blocks(blocks)
    assert plain_text(opened_message(one, buttons=True)) == plain_text(opened_message(one))
    assert "actions" not in {block["type"] for block in opened_message(one).blocks}


def test_what_cannot_be_seen_is_made_visible() -> None:
    """Line breaks become spaces; bidi, zero-width, control and blank letters become U+FFFD."""
    assert clean(" a\r\n\u2028b\u00a0c\t") == "a b c"
    for hidden in "\u202e\u2066\u200b\u200d\ufeff\u00ad\x1b\x00\U000e0041\u3164\u2800\ud800":
        assert clean(f"a{hidden}b") == "a\ufffdb"


def test_cutting_never_splits_an_entity() -> None:
    """What is cut ends with an ellipsis, fits, and unescapes to a prefix of the value."""
    assert escaped("a<b", 10) == "a&lt;b"
    assert escaped("<<<", 9) == "&lt;&lt;…"
    assert escaped("🚨🚨🚨", 5) == "🚨🚨…"


HOSTILE = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        [
            "<!channel> <!here> @here @channel",
            "<@U123> <#C123> <!subteam^S1>",
            "<https://evil.example|click> https://evil.example",
            "`code` ```block``` `",
            "*bold* _it_ ~no~ :skull:",
            "&lt;!channel&gt; &amp;",
            "a\nb\r\n> quoted\u2028c",
            "\u202egpj.exe\u200b\u2066",
            "🚨" * 300,
            '"\\' * 3000,
            "<" * 5000,
            "",
        ]
    ),
)


@st.composite
def hostile_members(draw: st.DrawFn) -> Member:
    """Changes of which everything that comes from outside is hostile."""
    kind = draw(st.sampled_from(["table-deleted", "stack-deleted", "backup-deleted", "protection-off"]))
    subject = {
        "name": draw(HOSTILE),
        "arn": draw(HOSTILE),
        "item_count": draw(st.none() | st.just(10**15)),
        "tags": {draw(HOSTILE): draw(HOSTILE)},
        "replicas": (draw(HOSTILE),),
        "consumers": (draw(HOSTILE),),
    }
    points = (point(1, 1, draw(HOSTILE)),) if draw(st.booleans()) else ()
    return a_member(
        kind,
        second=draw(st.integers(0, 59)),
        title=draw(HOSTILE),
        who=draw(HOSTILE),
        failed=draw(st.booleans()),
        recovery_points=points,
        id=f"m{draw(st.integers(0, 99))}",
        subject=subject,
    )


@st.composite
def hostile_incidents(draw: st.DrawFn) -> Incident:
    """Incidents in which everything that comes from outside is hostile."""
    reasons = draw(st.lists(HOSTILE, max_size=12))
    notes = draw(st.lists(st.tuples(HOSTILE, HOSTILE, HOSTILE, HOSTILE), max_size=3))
    return incident(
        id="a" * 400,
        state=draw(st.sampled_from(IncidentState)),
        title=draw(HOSTILE),
        reasons=tuple(reasons),
        account=draw(HOSTILE),
        region=draw(st.one_of(st.just("eu-west-1"), HOSTILE)),
        subject=Subject(type="table", name=draw(HOSTILE), arn=draw(HOSTILE), item_count=1, size_bytes=10**20),
        actor=Person(
            label=draw(HOSTILE),
            kind=draw(HOSTILE),
            source_ip=draw(HOSTILE),
            tool=draw(HOSTILE),
            user_agent=draw(HOSTILE),
        ),
        events=tuple(
            EventNote(id=key, name=name, time=DELETED, received=DELETED, error_code=code, error_message=text)
            for key, name, code, text in notes
        ),
        recovery_points=tuple(point(hours, 1, draw(HOSTILE)) for hours in range(draw(st.integers(0, 8)))),
        recover_command=draw(HOSTILE),
        timeline=(
            Moment(
                time=DELETED, who=draw(HOSTILE), what=draw(st.sampled_from(["acknowledged", "dismissed: "]))
            ),
            Moment(time=DELETED, who=draw(HOSTILE), what=draw(HOSTILE)),
        ),
        members=tuple(draw(st.lists(hostile_members(), max_size=4))),
        dismissed_because=draw(HOSTILE),
        part_of=draw(st.sampled_from(["", "a" * 400])),
        outbox=(entry(NoticeKind.LEARNT, draw(HOSTILE)),),
    )


LINK = re.compile(r"^<https://eu-west-1\.console\.aws\.amazon\.com/[A-Za-z0-9?=#/%._~-]*\|CloudTrail event>$")


@settings(max_examples=60, deadline=None)
@given(hostile_incidents(), HOSTILE, st.sampled_from(NoticeKind))
def test_hostile_text_stays_text(hostile: Incident, note: str, kind: NoticeKind) -> None:
    """No mention, link or markup from input; headers stay one visible line; every limit is kept."""
    for message in (opened_message(hostile, buttons=True), thread_message(hostile, entry(kind, note))):
        check_blocks(message.blocks)
        assert len(json.dumps(message.blocks, ensure_ascii=False)) < MAX_ALL_BLOCKS
        assert len(message.text) <= 3000
        header = message.blocks[0]["text"]
        assert (header["type"], header["emoji"]) == ("plain_text", False)
        assert not [char for char in header["text"] if unicodedata.category(char).startswith("C")]
        for text in texts([message.text, message.blocks]):
            if LINK.fullmatch(text) is None:
                assert not set("<>") & set(text)
            assert not re.search(r"&(?!(amp|lt|gt);)", text)
        for line in mrkdwn_lines(message):
            outside = re.sub(r"`[^`]*`", "", line)
            assert "`" not in outside
            assert is_ours(outside), outside
        assert plain_text(message)


def mrkdwn_lines(message: SlackMessage) -> Iterator[str]:
    """The lines in which Slack looks for markup, but for the command's code block and the link."""
    for block in message.blocks:
        for part in [block.get("text"), *block.get("fields", []), *block.get("elements", [])]:
            if part and part["type"] == "mrkdwn":
                assert part["verbatim"] is True
                before, *fenced = part["text"].split("\n```\n")
                assert not fenced or (len(fenced) == 1 and fenced[0].endswith("\n```"))
                assert not fenced or "`" not in fenced[0].removesuffix("\n```")
                yield from (line for line in before.split("\n") if LINK.fullmatch(line) is None)


def is_ours(outside: str) -> bool:
    """Whether what stands outside of code spans is words of our own, numbers and times.

    Markup characters are only the bold of our labels; there is no pair of colons, so no emoji.
    """
    text = re.sub(r"^(⚠️ )?\*[A-Za-z ,:;.]+\*", "", outside)
    return re.fullmatch(r"[A-Za-z0-9 ,.:;-]*", text) is not None and not re.search(r":[a-z_]+:", text)


def test_plain_text_gives_back_what_was_meant() -> None:
    """Entities, bold, code spans and links of a message become what a person sees."""
    name = "a&b <c> *d*"
    message = opened_message(incident(subject=Subject(type="table", name=name), title="T"))
    assert plain_text(message).startswith(f"🚨 T: {name}\n")
    assert html.unescape(message.text).startswith(f"🚨 T: {name} |")
    wide = plain_text(opened_message(incident()), width=200)
    assert "changes of the last 1 h 12 min are lost\n" in wide
