"""``safetynet rules backtest`` as people type it; where it reads in several processes, it has one of its own."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.running import COMMAND, QuickShell, Shell, shell_for
from tests.rules.backtesting import deletion, description, trail_file

if TYPE_CHECKING:
    from recovery.testing.embedded_aws import EmbeddedEndpoint

DAY = "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/11/23"
RULES = """
version: 1
rules:
  - id: {id}
    verdict: intentional
    reason: it is meant
    match: {{detail: {{requestParameters: {{tableName: [{{prefix: {prefix}}}]}}}}}}
"""
# Two workers, and the process with which multiprocessing keeps its books.
THREE = 3
CONTENT = trail_file(
    deletion(1, "shop-prod-orders"),
    *(deletion(number, "preview-1") for number in range(2, 5)),
    description(6),
)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A shell without AWS and without settings, beside a copied trail and two rule files."""
    folder = tmp_path / "trail" / DAY
    folder.mkdir(parents=True)
    (folder / "a.json.gz").write_bytes(gzip.compress(CONTENT))
    (tmp_path / "old.yaml").write_text(RULES.format(id="preview", prefix="preview-"), encoding="utf-8")
    (tmp_path / "new.yaml").write_text(RULES.format(id="all", prefix="shop-"), encoding="utf-8")
    return QuickShell({}, tmp_path)


def test_what_would_have_alerted(shell: Shell) -> None:
    """Alerts with who, what and why; what was quiet, by rule; without any setting or AWS, in a process of its own."""
    done = Shell(shell.exports, shell.folder).run("rules", "backtest", "trail", "--rules", "old.yaml")
    assert done.code == 0, done.err
    assert "1 would have alerted: 1 critical" in done.out
    assert "3 would have been quiet: preview 3" in done.out
    assert "Table deleted: shop-prod-orders" in done.out
    assert "by developer" in done.out
    assert "production-name" in done.out
    assert done.err == ""


def test_an_archive_says_once_what_it_cannot_tell(shell: Shell) -> None:
    """Tags, backups and intents are unknown: rules that rest on them are named."""
    done = shell.run("rules", "backtest", "trail", "--rules", "old.yaml")
    assert done.out.count("An archive does not tell") == 1
    assert "declared-intent" in done.out


@pytest.mark.parametrize("columns", ["60", "80", "120"])
def test_lines_keep_within_the_terminal(shell: Shell, columns: str) -> None:
    """Whatever the names in the records."""
    done = shell.run("rules", "backtest", "trail", "--rules", "old.yaml", COLUMNS=columns)
    assert max(len(line) for line in done.out.splitlines()) <= int(columns)
    assert [line for line in done.out.splitlines() if line != line.rstrip()] == []


def job(number: int, role: str) -> dict[str, Any]:
    """A deletion by a role in a session of its own, as each run of a job has one."""
    identity = {
        "type": "AssumedRole",
        "arn": f"arn:aws:sts::111122223333:assumed-role/{role}/night-{number}",
        "sessionContext": {"sessionIssuer": {"type": "Role", "userName": role}},
    }
    return deletion(number) | {"userIdentity": identity}


def test_a_nightly_job_is_one_entry(shell: Shell) -> None:
    """Alerts of one role are told once, with one session and how many there were; another role's are apart."""
    content = trail_file(*(job(number, "reports") for number in (1, 2, 3)), job(4, "other"))
    (shell.folder / "jobs.json").write_bytes(content)
    (shell.folder / "new.yaml").write_text(RULES.format(id="all", prefix="orders"), encoding="utf-8")
    plain = shell.run("rules", "backtest", "jobs.json", "--no-default-rules")
    compared = shell.run("rules", "backtest", "jobs.json", "--rules", "old.yaml", "--diff", "new.yaml")
    for done in (plain, compared):
        assert done.out.count("    by night-") == 2
        assert "by night-1 (role reports) with" in done.out
        assert "3 times, by 3 sessions of role reports, last 2026-11-23 02:03:00" in done.out
    assert "read     1 file, " in plain.out
    assert "4 records" in plain.out
    (shell.folder / "one.json").write_bytes(trail_file(deletion(1)))
    assert "1 record\n" in shell.run("rules", "backtest", "one.json").out


def as_json(shell: Shell, *arguments: str, code: int = 0) -> dict[str, Any]:
    """Run a back-test that prints JSON and nothing else, and parse it."""
    done = shell.run("rules", "backtest", *arguments, "--json")
    assert done.code == code, done.err
    document: dict[str, Any] = json.loads(done.out)
    return document


def test_json_has_all_of_it(shell: Shell) -> None:
    """On stdout there is one document and nothing else."""
    document = as_json(shell, "trail", "--rules", "old.yaml")
    assert (document["alerts"], document["quiet"], document["watched"]) == (1, 3, 4)
    assert document["read"]["records"] == 5
    assert [change["resource"] for change in document["changes"] if change["alerts"]] == ["shop-prod-orders"]
    assert document["by_rule"][0]["name"] == "production-name"
    assert document["changes"][0]["time"] == "2026-11-23T02:01:00Z"


def test_the_default_pack_can_be_left_out(shell: Shell) -> None:
    """Then nothing says what production is."""
    document = as_json(shell, "trail", "--rules", "old.yaml", "--no-default-rules")
    assert document["by_severity"] == {"high": 1}


def test_rules_come_from_the_settings(shell: Shell) -> None:
    """As the watcher uses them."""
    (shell.folder / "safetynet.yaml").write_text("rules: [old.yaml]\n", encoding="utf-8")
    assert as_json(shell, "trail")["quiet"] == 3


def test_a_period_of_days(shell: Shell) -> None:
    """The last day is whole; what lies outside is not judged."""
    inside = as_json(shell, "trail", "--from", "2026-11-23", "--to", "2026-11-23")
    outside = as_json(shell, "trail", "--to", "2026-11-22")
    assert (inside["watched"], outside["watched"], outside["read"]["outside"]) == (4, 0, 4)
    done = shell.run("rules", "backtest", "trail", "--from", "2026-11-23", "--to", "2026-11-22")
    assert (done.code, "--from is after --to" in done.err) == (2, True)


def test_what_a_change_of_rules_changes(shell: Shell) -> None:
    """What gets quiet, what alerts now, and the totals; a difference is no failure."""
    done = shell.run("rules", "backtest", "trail", "--rules", "old.yaml", "--diff", "new.yaml")
    assert done.code == 0, done.err
    assert "QUIET NOW 1    ALERTS NOW 3    CHANGED 0    the same 0" in done.out
    assert "was alert critical, suspicious: production-name" in done.out
    assert "now quiet, intentional: all" in done.out
    assert "3 times, last 2026-11-23 02:04:00" in done.out
    assert "old rules  old.yaml + default pack\n" in done.out
    assert "new rules  new.yaml + default pack (the whole set, by --diff)\n" in done.out
    document = as_json(shell, "trail", "--rules", "old.yaml", "--diff", "new.yaml")
    assert (document["old"]["alerts"], document["new"]["alerts"]) == (1, 3)
    assert document["new"]["rule_files"] == ["new.yaml", "default pack"]
    assert [pair["effect"] for pair in document["differences"]] == ["quiet now"] + ["alerts now"] * 3


def test_what_cannot_be_read_is_named_and_the_rest_is_done(shell: Shell) -> None:
    """Exit 3: a report that leaves something out must not pass for a whole one."""
    folder = shell.folder / "trail" / DAY
    (folder / "cut.json.gz").write_bytes(gzip.compress(CONTENT)[:-9])
    (folder / "html.json").write_bytes(b"<html>")
    (folder / "deep.json").write_bytes(b'{"Records":' + b"[" * 1_000_000)
    (folder / "bad.json").write_bytes(b'{"Records":[1,{"eventName":"DeleteTable"}]}')
    document = as_json(shell, "trail", code=3)
    assert (document["watched"], document["read"]["unreadable"]["count"]) == (4, 5)
    done = shell.run("rules", "backtest", "trail")
    assert done.code == 3
    assert "5 files or records could not be read" in done.err
    assert "Traceback" not in done.out + done.err
    assert [
        name for name in ("cut.json.gz", "html.json", "deep.json", "bad.json") if name not in done.out
    ] == []


def test_faults_in_rules_are_told_before_anything_is_read(shell: Shell) -> None:
    """Also in those of --diff."""
    (shell.folder / "bad.yaml").write_text("version: 2\n", encoding="utf-8")
    for option in ("--rules", "--diff"):
        done = shell.run("rules", "backtest", "missing", option, "bad.yaml")
        assert (done.code, "bad.yaml" in done.err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("missing",), 10, "no such file"),
        (("trail", "--athena"), 2, "--athena needs a table"),
        (("trail", "--athena-table", "a.b"), 2, "nothing without --athena"),
        (("trail", "--athena", "--athena-table", "a.b"), 2, "S3 trails only"),
        (("s3://b", "--athena", "--athena-table", "a;b"), 2, "not an Athena table"),
        (("s3://",), 2, "not an archive"),
        (("lookup:x",), 2, "not an archive"),
        (("lookup:",), 2, "no AWS region"),
        (("trail", "--processes", "0"), 2, "processes"),
        (("trail", "--from", "yesterday"), 2, "from"),
    ],
)
def test_mistakes_are_told(shell: Shell, arguments: tuple[str, ...], code: int, message: str) -> None:
    """In one line, with the exit code of their kind."""
    done = shell.run(
        "rules", "backtest", *arguments, AWS_EC2_METADATA_DISABLED="true", AWS_CONFIG_FILE=os.devnull
    )
    assert done.code == code, done.err
    assert message in done.err
    assert "Traceback" not in done.err


def test_a_trail_in_s3(endpoint: EmbeddedEndpoint, tmp_path: Path) -> None:
    """Listed, fetched and judged, with several processes."""
    bucket = f"trail-{uuid.uuid4().hex[:12]}"
    s3 = endpoint.aws().s3()
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    for number in range(20):
        s3.put_object(Bucket=bucket, Key=f"{DAY}/{number}.json.gz", Body=gzip.compress(CONTENT))
    shell = shell_for(endpoint, tmp_path)
    document = as_json(shell, f"s3://{bucket}", "--processes", "2", "--from", "2026-11-23")
    assert (document["read"]["pieces"], document["watched"], document["read"]["duplicates"]) == (20, 4, 76)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for child processes in /proc")
def test_ctrl_c_ends_quietly(shell: Shell) -> None:
    """Exit 130 and one line: no traceback of any process, and nothing left running."""
    folder = shell.folder / "trail" / DAY
    (folder / "large.json.gz").write_bytes(
        gzip.compress(trail_file(*[description(1)] * 60_000), compresslevel=1)
    )
    for number in range(400):
        (folder / f"{number}.json.gz").hardlink_to(folder / "large.json.gz")
    process = subprocess.Popen(
        [*COMMAND, "rules", "backtest", "trail", "--processes", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=shell.environment(),
        cwd=shell.folder,
        start_new_session=True,
    )
    with process:
        while process.poll() is None and _children(process.pid) < THREE:
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)
        # It ends when the last process that could write there has ended.
        said, _ = process.communicate()
    assert (process.returncode, "Traceback" in said) == (130, False), said


def _children(pid: int) -> int:
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return sum(len(one.read_text(encoding="utf-8").split()) for one in lists)
