"""The function's package: one zip of our rooms and of what they import, for Lambda's platform and not for this one.

The same sources and wheels always give the same bytes: entries are sorted, their times fixed, and what pip writes
about this machine is left out. So a digest tells whether there is anything to deploy.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from rules.errors import UnavailableError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parents[2]
REQUIREMENTS = ROOT / "requirements" / "lambda.txt"
DISTRIBUTION = "dynamodb-safetynet"
PYTHONS = ("3.11", "3.12", "3.13")
DEFAULT_PYTHON = "3.12"  # of those with wheels for all that is needed, the first on Amazon Linux 2023
ARCHITECTURES = ("x86_64", "arm64")
ROOMS = ("cli", "recovery", "rules", "watcher")
# What only tests and the demo import; it wants packages that the function has not.
LEFT_OUT = ("cli/demo", "cli/commands/demo.py", "recovery/testing", "watcher/testing")
# Of this machine, or of the moment: pip's own notes, compiled files, and scripts that begin with a local path.
_OF_THIS_MACHINE = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")

# Lambda's quota for a package that is sent with the call itself; from a bucket the unpacked size counts.
LARGEST_ZIP_BYTES = 50_000_000
LARGEST_UNPACKED_BYTES = 250_000_000
_TIME = (1980, 1, 1, 0, 0, 0)  # the first that a zip can hold
_UNIX, _READABLE = 3, 0o100644 << 16


@dataclass(frozen=True, slots=True)
class Platform:
    """Where the package is to run: ``3.12`` and ``x86_64`` or ``arm64``, Lambda's names."""

    python: str = DEFAULT_PYTHON
    architecture: str = ARCHITECTURES[0]

    @property
    def tags(self) -> tuple[str, ...]:
        """The platform tags of wheels that run there.

        Up to Python 3.11 Lambda's runtimes are Amazon Linux 2 with glibc 2.26, from 3.12 on Amazon Linux 2023
        with 2.34 (Lambda developer guide, 'Lambda runtimes').
        """
        machine = "aarch64" if self.architecture == "arm64" else self.architecture
        newest = 26 if tuple(map(int, self.python.split("."))) < (3, 12) else 34
        return (
            f"manylinux2014_{machine}",
            *(f"manylinux_2_{minor}_{machine}" for minor in range(17, newest + 1)),
        )


@dataclass(frozen=True, slots=True)
class Package:
    """A package that was written: its size zipped and unpacked, in bytes."""

    path: Path
    zipped: int
    unpacked: int


def install_dependencies(platform: Platform, folder: Path, requirements: Path = REQUIREMENTS) -> None:
    """Unpack the wheels of the lock file into a folder. pip checks the hashes, and builds nothing.

    Raises UnavailableError with pip's own words.
    """
    command = [
        sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile",
        "--require-hashes", "--only-binary=:all:", "--no-deps", "--implementation", "cp",
        "--python-version", platform.python, "--target", str(folder), "--upgrade",
        *(word for tag in platform.tags for word in ("--platform", tag)),
        "--requirement", str(requirements),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - no word is a stranger's
    if done.returncode:
        raise UnavailableError(
            f"the dependencies for Python {platform.python} on {platform.architecture} cannot be had: "
            f"{done.stderr.strip()[-500:]}"
        )


def dependency_files(folder: Path) -> dict[str, Path]:
    """What was installed into a folder, by its name in the package."""
    return {
        name: path
        for name, path in _files(folder)
        if not name.startswith("bin/") and not (".dist-info/" in name and path.name in _OF_THIS_MACHINE)
    }


def own_files(root: Path = ROOT) -> dict[str, Path]:
    """Our rooms, without tests' and the demo's parts, by their names in the package."""
    return {
        f"{room}/{name}": path
        for room in ROOMS
        for name, path in _files(root / room)
        if not f"{room}/{name}".startswith(LEFT_OUT)
    }


def write_package(target: Path, files: Mapping[str, Path]) -> Package:
    """Write the zip. Raises UsageError where Lambda would not take it."""
    contents = {name: path.read_bytes() for name, path in files.items()}
    contents[f"{DISTRIBUTION.replace('-', '_')}.dist-info/METADATA"] = _metadata()
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in sorted(contents.items()):
            entry = zipfile.ZipInfo(name, _TIME)
            entry.create_system, entry.external_attr = _UNIX, _READABLE
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED, compresslevel=9)
    package = Package(target, target.stat().st_size, sum(map(len, contents.values())))
    if package.zipped > LARGEST_ZIP_BYTES or package.unpacked > LARGEST_UNPACKED_BYTES:
        raise UsageError(
            f"{target} is too large for Lambda: {package.zipped:,} bytes, {package.unpacked:,} unpacked"
        )
    return package


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in folder.rglob("*"):
        name = PurePosixPath(path.relative_to(folder))
        if path.is_file() and "__pycache__" not in name.parts:
            yield str(name), path


def _metadata() -> bytes:
    """What ``importlib.metadata`` needs to know our version."""
    return f"Metadata-Version: 2.1\nName: {DISTRIBUTION}\nVersion: {version(DISTRIBUTION)}\n".encode()
