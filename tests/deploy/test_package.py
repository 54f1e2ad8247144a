"""The function's package: the same bytes every time, nothing of this machine in it, and no secret."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from cli.deployment import package
from cli.deployment.package import Platform, dependency_files, own_files, write_package
from cli.deployment.packaged_settings import settings_files
from rules.errors import UnavailableError, UnsafeError, UsageError
from rules.yaml_source import FileFaultsError
from tests.cli.running import ROOT

if TYPE_CHECKING:
    from pathlib import Path

RULES = """\
version: 1
rules:
  - id: preview
    description: CI takes preview tables down.
    verdict: intentional
    owner: shop
    reason: Previews come and go.
    match: {facts: {resource: {name: [{prefix: preview-}]}}}
"""


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder as pip leaves it."""
    folder = tmp_path / "installed"
    for name in (
        "library/__init__.py",
        "library/fast.so",
        "library/__pycache__/x.pyc",
        "library-1.0.dist-info/METADATA",
        "library-1.0.dist-info/RECORD",
        "library-1.0.dist-info/direct_url.json",
        "bin/library",
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, encoding="utf-8")
    return folder


def test_the_same_files_make_the_same_bytes(installed: Path, tmp_path: Path) -> None:
    """Neither the order nor the times of files show in the package."""
    files = dependency_files(installed)
    first = write_package(tmp_path / "1.zip", files)
    for path in installed.rglob("*.py"):
        path.touch()
    second = write_package(tmp_path / "2.zip", dict(reversed(files.items())))
    assert first.path.read_bytes() == second.path.read_bytes()


def test_entries_can_be_read_by_lambda(installed: Path, tmp_path: Path) -> None:
    """Entries are sorted, of a fixed time, and readable to whoever runs the function."""
    made = write_package(tmp_path / "package.zip", dependency_files(installed))
    with zipfile.ZipFile(made.path) as archive:
        entries = archive.infolist()
    assert [entry.filename for entry in entries] == sorted(entry.filename for entry in entries)
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {oct(entry.external_attr >> 16) for entry in entries} == {"0o100644"}


def test_nothing_of_this_machine_is_in_it(installed: Path) -> None:
    """Compiled files, scripts with a local path in them and pip's own notes are left out."""
    names = set(dependency_files(installed))
    assert names == {"library/__init__.py", "library/fast.so", "library-1.0.dist-info/METADATA"}


def test_our_rooms_are_in_it() -> None:
    """The handler, the default rules and every room are in the package; tests' and the demo's parts are not."""
    names = set(own_files())
    assert {
        "cli/lambda_entry.py",
        "rules/packs/default.yaml",
        "watcher/pipeline.py",
        "recovery/aws.py",
    } <= names
    assert not [name for name in names if "testing/" in name or "/demo" in name or "__pycache__" in name]


def test_the_handler_needs_nothing_that_is_left_out(tmp_path: Path) -> None:
    """The handler can be imported where the parts that are left out are not there, and neither is moto."""
    hidden = {name.removesuffix(".py").replace("/", ".") for name in package.LEFT_OUT} | {"moto"}
    program = (
        "import sys\n"
        f"for name in {sorted(hidden)!r}: sys.modules[name] = None\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "import cli.lambda_entry\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_version_is_known(tmp_path: Path) -> None:
    """``importlib.metadata`` finds our version in the package, as manifests want it."""
    made = write_package(tmp_path / "package.zip", {})
    with zipfile.ZipFile(made.path) as archive:
        written = archive.read("dynamodb_safetynet.dist-info/METADATA").decode()
    assert written.startswith("Metadata-Version: 2.1\nName: dynamodb-safetynet\nVersion: ")


def test_what_lambda_would_refuse_is_refused_here(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package beyond Lambda's quotas is told when it is made."""
    monkeypatch.setattr(package, "LARGEST_UNPACKED_BYTES", 10)
    with pytest.raises(UsageError, match="too large for Lambda"):
        write_package(tmp_path / "package.zip", dependency_files(installed))


def test_wheels_must_run_on_the_runtime() -> None:
    """Wheels for a newer glibc than the runtime's are never taken."""
    old, new = Platform("3.11").tags, Platform("3.12", "arm64").tags
    assert "manylinux_2_26_x86_64" in old
    assert "manylinux_2_28_x86_64" not in old
    assert "manylinux_2_34_aarch64" in new
    assert {"manylinux_2_35_aarch64", "manylinux_2_17_x86_64"}.isdisjoint(new)


def test_dependencies_that_cannot_be_had_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a wheel is nowhere to be found there is an error with pip's words, and no package without it."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    lock = tmp_path / "lock.txt"
    lock.write_text(f"example==1.0 --hash=sha256:{'0' * 64}\n", encoding="utf-8")
    with pytest.raises(UnavailableError, match="No matching distribution found for example"):
        package.install_dependencies(Platform("3.11"), tmp_path / "there", lock)


def test_the_lock_of_the_package_is_that_of_everything() -> None:
    """What runs in Lambda is what is tested: the same versions as in the other lock files."""
    locks = [(ROOT / "requirements" / name).read_text("utf-8") for name in ("lambda.txt", "dev.txt")]
    ours, tested = ({line.split()[0] for line in lock.splitlines() if "==" in line} for lock in locks)
    assert ours <= tested
    assert any(pin.startswith("boto3==") for pin in ours)


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """A settings file with a folder of rules."""
    (tmp_path / "rules.d").mkdir()
    (tmp_path / "rules.d" / "shop.yaml").write_text(RULES, encoding="utf-8")
    file = tmp_path / "shop-net.yaml"
    file.write_text("vault: s3://shop/net\nrules: [rules.d]\n", encoding="utf-8")
    return file


def test_settings_go_in_with_their_rules(settings: Path) -> None:
    """The settings file becomes safetynet.yaml, which the function finds, and its rules lie where it names them."""
    files = settings_files(settings)
    assert {
        "safetynet.yaml": settings,
        "rules.d/shop.yaml": settings.parent / "rules.d" / "shop.yaml",
    } == files


def test_no_secret_goes_in(settings: Path) -> None:
    """A settings file with a token in it is refused, and the token is not repeated."""
    settings.write_text("slack: {token: xoxb-secret, channel: C0ALERTS}\n", encoding="utf-8")
    with pytest.raises(UnsafeError) as refused:
        settings_files(settings)
    assert "xoxb-secret" not in str(refused.value) + refused.value.hint


def test_the_shell_hides_nothing_of_the_file(settings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token in the shell is no reason to refuse, and does not hide one in the file."""
    monkeypatch.setenv("SAFETYNET_SLACK__TOKEN", "xoxb-of-the-shell")
    assert "safetynet.yaml" in settings_files(settings)
    settings.write_text("slack: {token: xoxb-secret, channel: C0ALERTS}\n", encoding="utf-8")
    with pytest.raises(UnsafeError):
        settings_files(settings)
    assert os.environ["SAFETYNET_SLACK__TOKEN"] == "xoxb-of-the-shell"


def test_faulty_rules_do_not_go_in(settings: Path) -> None:
    """A rule file with a fault is told when the package is made, not at the first deletion."""
    (settings.parent / "rules.d" / "shop.yaml").write_text("version: 1\nrules: [{id: x}]\n", encoding="utf-8")
    with pytest.raises(FileFaultsError):
        settings_files(settings)


def test_rules_elsewhere_do_not_go_in(settings: Path, tmp_path: Path) -> None:
    """Rule files outside the settings file's folder would not be found by the function: they are refused."""
    inner = tmp_path / "inner"
    inner.mkdir()
    moved = inner / "safetynet.yaml"
    moved.write_text("rules: [../rules.d]\n", encoding="utf-8")
    with pytest.raises(UsageError, match="outside"):
        settings_files(moved)
