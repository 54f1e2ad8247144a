"""Drafts of rules: narrow, tested, readable; and none for what no rule may silence."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.drafting.draft import DraftOptions, draft_rule
from rules.drafting.names import (
    PRODUCTION_TAGS,
    job_session,
    looks_like_production,
    stable_prefix,
    tagged_as_production,
)
from rules.errors import UsageError
from rules.events import ChangeEvent, parse_event
from rules.explain import laid_over
from rules.facts import Facts, unlooked_facts
from rules.lint.implies import condition_implies
from rules.mutation import mutate
from rules.patterns.structure import flatten
from rules.rule_tests import given_files, prepare_tests, run_rule_tests
from rules.rulefile import load_rules, read_rule_text
from rules.watched import WATCHED_ACTIONS
from tests.rules.judging import NOW, changed, document, event

if TYPE_CHECKING:
    from pathlib import Path

    from rules.rule_schema import RuleFile
    from rules.rulefile import LoadedRules

AS_ROLE = document("delete-table-cli-assumed-role")


def preview(name: str = "preview-pr-42-orders", **changes: Any) -> ChangeEvent:
    """A role deletes a table."""
    return parse_event({**AS_ROLE, "requestParameters": {"tableName": name}, "resources": [], **changes})


def drafted(of: ChangeEvent, around: Facts | None = None, **options: str) -> RuleFile:
    """The draft, as rule files are read."""
    return read_rule_text(
        draft_rule(of, around or unlooked_facts(of), NOW, DraftOptions(**options)), "d.yaml"
    )[1]


def written(text: str, folder: Path) -> tuple[LoadedRules, RuleFile]:
    """A draft in a file, loaded together with the default pack; and the file alone."""
    path = folder / "draft.yaml"
    path.write_text(text, encoding="utf-8")
    loaded = load_rules([path])
    return loaded, loaded.files[-1][1]


def failures(loaded: LoadedRules) -> list[tuple[str, tuple[str, ...]]]:
    """The tests of all files that fail."""
    results = run_rule_tests(loaded, NOW)
    return [(result.name, result.differences) for result in results if not result.passed]


def unnoticed(loaded: LoadedRules, path: Path) -> list[str]:
    """What can be taken out of the rule without a test that notices."""
    files = given_files(loaded, [path])
    return [mutant.what for mutant in mutate(loaded, prepare_tests(loaded, files), files, NOW).survivors]


@pytest.mark.parametrize(
    "of",
    [
        preview(),
        preview("orders"),
        preview("preview-pr-42-products"),
        preview("preview-PR-42-Products"),
        preview("arn:aws:dynamodb:eu-west-1:111122223333:table/preview-pr-7-orders"),
        event("delete-stack-console"),
        event("delete-stack-cli"),
        event("delete-table-by-cloudformation"),
        event("delete-table-by-cloudformation-service-role"),
        event("delete-table-by-arn"),
        event("update-table-protection-off"),
        event("sso"),
        event("federated"),
        event("envelope-delete-table"),
        event("china-region"),
        event("omitted-parameters"),
        preview(requestParameters={"tableName": "dev-1-orders", "padding": "x" * 5000}),
    ],
    ids=lambda one: f"{one.event_name} {one.resource.name} {one.actor.label}",
)
@pytest.mark.parametrize("tags", [None, {}, {"team": "shop", "env": "dev"}])
def test_a_draft_passes_its_own_tests(of: ChangeEvent, tags: dict[str, str] | None, tmp_path: Path) -> None:
    """As written it loads, makes the event intentional, and nothing that differs in one of its conditions."""
    around = unlooked_facts(of)
    if tags is not None and of.resource.type == "table":
        around = laid_over(around, {"table": {"tags": tags}, "origin": {"stack": "preview-pr-42"}})
    text = draft_rule(of, around, NOW)
    loaded, draft = written(text, tmp_path)
    assert failures(loaded) == []
    assert unnoticed(loaded, tmp_path / "draft.yaml") == []
    tests = draft.tests
    assert [one.expect.verdict.value for one in tests][:1] == ["intentional"]
    assert {one.expect.verdict.value for one in tests[1:]} == {"suspicious"}
    assert {"another principal is not", "the root user is not"} <= {one.name for one in tests}


def test_what_a_rule_asks() -> None:
    """The role, not its session; the prefix, not the name; account and region; never the user agent."""
    (rule,) = drafted(preview()).rules
    assert rule.match == {
        "detail": {"eventName": ["DeleteTable"]},
        "facts": {
            "failed": [False],
            "account": ["111122223333"],
            "region": ["eu-west-1"],
            "actor": {"issuer": ["arn:aws:iam::111122223333:role/deploy"], "session": [{"prefix": "job-"}]},
            "resource": {"name": [{"prefix": "preview-pr-"}]},
        },
    }
    assert rule.expires == date(2027, 2, 21)
    assert (rule.owner, rule.reason) == ("", "")


def test_what_a_person_says() -> None:
    """Id, owner, reason and the place of the schema are taken as they are."""
    (rule,) = drafted(preview(), rule_id="previews", owner="team-shop", reason="They go with their PR.").rules
    assert (rule.id, rule.owner, rule.reason) == ("previews", "team-shop", "They go with their PR.")
    text = draft_rule(
        preview(), unlooked_facts(preview()), NOW, DraftOptions(schema="https://example.com/" + "s" * 200)
    )
    assert text.startswith("# yaml-language-server: $schema=https://example.com/" + "s" * 200 + "\n")


def test_the_comments_say_what_was_generalised() -> None:
    """With the exact alternative to copy; and while owner and reason are empty, what belongs there."""
    text = draft_rule(preview(), unlooked_facts(preview()), NOW)
    assert (
        '# Generalised from preview-pr-42-orders. For exactly that one write: ["preview-pr-42-orders"]'
        in text
    )
    assert '# Generalised from job-7. For exactly that one write: ["job-7"]' in text
    assert "# Whom to ask about it: a team or a person.\n    owner: ''" in text
    said = draft_rule(preview(), unlooked_facts(preview()), NOW, DraftOptions(owner="o", reason="r"))
    assert "Whom to ask" not in said
    assert max(len(line) for line in text.splitlines()) <= 115


def test_tables_of_a_stack_name_it() -> None:
    """Where the stack is known, the rule asks for it, and a test says that another one does not do."""
    file = drafted(preview(), laid_over(unlooked_facts(preview()), {"origin": {"stack": "preview-pr-42"}}))
    assert file.rules[0].match["facts"]["origin"] == {"stack": [{"prefix": "preview-pr-"}]}
    assert "a table of another stack is not" in [test.name for test in file.tests]


@pytest.mark.parametrize(
    ("around", "asked"),
    [
        (unlooked_facts(preview()), True),
        (laid_over(unlooked_facts(preview()), {"table": {"tags": {}}}), True),
        (
            Facts(unlooked_facts(preview()).document, {"table.tags": "the table is gone and has no backup"}),
            False,
        ),
    ],
    ids=["not looked up", "known", "unknown"],
)
def test_tags_are_asked_for_where_they_can_be_known(around: Facts, asked: bool) -> None:
    """A rule on tags that nobody can read would never count; otherwise a tag of production excludes."""
    (rule,) = drafted(preview(), around).rules
    assert ("tags" in str(rule.unless)) is asked


def test_production_is_what_the_default_pack_calls_so() -> None:
    """A table that the pack would make critical by its tag is not silenced: the same tags, and all of its words."""
    pack = load_rules([])
    production = next(rule for rule in pack.rule_set.rules if rule.id == "production-tag")
    asked = flatten(production.written_match["facts"]["table"]["tags"])
    assert {key for one in asked for key in one} == set(PRODUCTION_TAGS)
    file = drafted(preview())
    (words,) = file.lists.values()
    of_pack = next(source.lists["production"] for _, source in pack.files if "production" in source.lists)
    assert all(condition_implies([word], words, "facts.table.tags.env") for word in of_pack)
    assert tagged_as_production({"Stage": "Live"})
    assert not tagged_as_production({"env": "dev", "team": "prod"})


def test_the_list_of_a_long_id() -> None:
    """Names of lists are no longer than ids may be."""
    file = drafted(preview(), rule_id="x" * 100)
    assert [len(name) for name in file.lists] == [100]


def test_a_name_tells_the_service() -> None:
    """A draft need not name the service, since no two that are watched have a call of the same name."""
    services = {(action.event_name, action.event_source) for action in WATCHED_ACTIONS}
    assert len(services) == len({name for name, _ in services})


@pytest.mark.parametrize(
    ("of", "around", "why"),
    [
        (event("update-continuous-backups-off"), {}, "no rule may silence tampering"),
        (event("delete-backup"), {}, "no rule may silence tampering"),
        (event("delete-table-denied"), {}, "AWS refused it (AccessDenied"),
        (event("delete-table-protected"), {}, "AWS refused it (ValidationException)"),
        (event("delete-table-glue"), {}, "nobody watches DeleteTable on glue.amazonaws.com"),
        (changed(eventName="CreateTable"), {}, "nobody watches CreateTable"),
        (event("delete-table-root"), {}, "no rule is drafted for the root user"),
        (event("stack-status-change"), {}, "names no role and no user"),
        (changed(), {}, "names no role and no user"),
        (preview("", responseElements={}), {}, "does not say what it happened to"),
        (preview("shop-prod-orders"), {}, "looks like production"),
        (preview("ShopProdOrders"), {}, "looks like production"),
        (preview(), {"table": {"tags": {"env": "Production"}}}, "looks like production"),
        (preview(), {"table": {"tags": {"stage": "prod-eu"}}}, "looks like production"),
        (preview(), {"table": {"tags": {"Env": "PRD"}}}, "looks like production"),
        (preview(), {"table": {"tags": {"STAGE": "live"}}}, "looks like production"),
        (preview(), {"origin": {"stack": "shop-prod"}}, "looks like production"),
    ],
)  # fmt: skip
def test_what_is_refused(of: ChangeEvent, around: dict[str, Any], why: str) -> None:
    """Nothing is drafted that would silence tampering, attempts, anybody, or production; a hint says what to do."""
    with pytest.raises(UsageError, match=re.escape(why)) as caught:
        draft_rule(of, laid_over(unlooked_facts(of), around), NOW)
    assert caught.value.hint


def test_an_id_that_is_none() -> None:
    """Faults in what a person says are theirs, not those of a file."""
    with pytest.raises(UsageError, match="not a rule id: No Id"):
        drafted(preview(), rule_id="No Id")


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("preview-pr-42-orders", "preview-pr-"),
        ("preview-pr42-orders", "preview-pr"),
        ("pr42-orders", ""),
        ("test_7_orders", "test_"),
        ("dev-9f86d08-orders", "dev-"),
        ("shop-OrdersTable-1ABCDEFGHIJKL", "shop-OrdersTable-"),
        ("orders-2024", ""),
        ("orders", ""),
        ("42", ""),
        ("", ""),
        ("-", ""),
        ("preview-deadbeef", ""),
        ("shop-v2-orders", ""),
    ],
)
def test_stable_prefixes(name: str, prefix: str) -> None:
    """Numbers in short-lived names and CloudFormation's endings change; everything else is taken whole."""
    assert stable_prefix(name) == prefix


@pytest.mark.parametrize(
    ("session", "job"),
    [
        ("job-7", "job-"),
        ("GitHubActions", "GitHubActions"),
        ("ci-preview-1234", "ci-preview-"),
        ("developer@example.com", ""),
        ("build@example.com", ""),
        ("botocore-session-1700000000", ""),
        ("AWSCloudFormation", ""),
        ("alice", ""),
        ("", ""),
    ],
)
def test_sessions_of_jobs(session: str, job: str) -> None:
    """A job's session narrows a rule; a person's would make it that person's, and an SDK's says nothing."""
    assert job_session(session) == job


@pytest.mark.parametrize(
    ("name", "is_production"),
    [
        ("shop-prod", True),
        ("ProdOrders", True),
        ("PRODUCTION_x", True),
        ("orders-live", True),
        ("products", False),
    ],
)
def test_production_is_a_word(name: str, is_production: bool) -> None:
    """``products`` are none."""
    assert looks_like_production(name) is is_production


TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)
NASTY = st.sampled_from(
    [
        "null",
        "on",
        "1e5",
        "012",
        "2026-01-31",
        "<<",
        "a: b",
        "# c",
        "a\nb",
        "'<<': *event",
        "\x1b[31m",
        "\u202ex",
        "{",
        "*x",
        "'",
    ]
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=TEXTS | NASTY, role=TEXTS | NASTY, session=TEXTS | NASTY, owner=TEXTS | NASTY, tag=TEXTS | NASTY)
def test_strangers_names(name: str, role: str, session: str, owner: str, tag: str, tmp_path: Path) -> None:
    """Whatever stands in an event comes back as the same text, escapes from no comment, and hides nothing."""
    issuer = {"arn": f"arn:aws:iam::111122223333:role/{role}", "userName": role}
    identity = {
        "type": "AssumedRole",
        "arn": f"arn:aws:sts::111122223333:assumed-role/{role}/{session}",
        "sessionContext": {"sessionIssuer": issuer},
    }
    of = preview(name, userIdentity=identity, eventID=name)
    around = laid_over(unlooked_facts(of), {"table": {"tags": {tag: tag}}})
    try:
        text = draft_rule(of, around, NOW, DraftOptions(owner=owner))
    except UsageError:
        return
    assert text.isascii()
    assert all(character == "\n" or character.isprintable() for character in text)
    loaded, draft = written(text, tmp_path)
    (rule,) = draft.rules
    assert rule.owner == owner
    assert rule.match["facts"]["actor"]["issuer"] == [issuer["arn"]]
    assert failures(loaded) == []


def test_it_begins_where_it_is_told() -> None:
    """The suggested end hangs on the time that is handed in."""
    text = draft_rule(preview(), unlooked_facts(preview()), datetime(2027, 1, 1, tzinfo=UTC))
    assert "expires: '2027-04-01'" in text


def test_accidental_rules_that_hold_back(tmp_path: Path) -> None:
    """A draft passes beside a rule on what happened shortly before: its test says that nothing much did."""
    (tmp_path / "many.yaml").write_text(
        "version: 1\nrules:\n  - id: many\n    verdict: accidental\n"
        '    match: {facts: {recent: {deletions: [{numeric: [">", 20]}]}}}\n',
        encoding="utf-8",
    )
    (tmp_path / "draft.yaml").write_text(
        draft_rule(preview(), unlooked_facts(preview()), NOW), encoding="utf-8"
    )
    results = run_rule_tests(load_rules([tmp_path], default_pack=False), NOW)
    assert [result.name for result in results if not result.passed] == []
