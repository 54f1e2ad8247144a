"""``python -m cli.deployment template|package``: what ``make template`` and ``make package`` run."""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from cli.deployment.package import (
    ARCHITECTURES,
    DEFAULT_PYTHON,
    PYTHONS,
    Platform,
    dependency_files,
    install_dependencies,
    own_files,
    write_package,
)
from cli.deployment.packaged_settings import settings_files
from cli.deployment.template import rendered
from cli.main import run


def main(arguments: list[str]) -> None:
    """Write the template or the package to a file. Raises as what it runs does."""
    parser = argparse.ArgumentParser(prog="cli.deployment")
    what = parser.add_subparsers(dest="what", required=True)
    template = what.add_parser("template", help="write the CloudFormation template")
    template.add_argument("target", type=Path)
    package = what.add_parser("package", help="make the function's zip")
    package.add_argument("target", type=Path)
    package.add_argument("--python", default=DEFAULT_PYTHON, choices=PYTHONS)
    package.add_argument("--architecture", default=ARCHITECTURES[0], choices=ARCHITECTURES)
    package.add_argument("--settings", type=Path, help="a safetynet.yaml that goes in, with its rule files")
    chosen = parser.parse_args(arguments)
    if chosen.what == "template":
        chosen.target.write_text(rendered(), encoding="utf-8")
    else:
        _package(chosen.target, Platform(chosen.python, chosen.architecture), chosen.settings)


def _package(target: Path, platform: Platform, settings: Path | None) -> None:
    ours = {**own_files(), **(settings_files(settings) if settings else {})}
    with TemporaryDirectory() as folder:
        install_dependencies(platform, Path(folder))
        package = write_package(target, {**dependency_files(Path(folder)), **ours})
    digest = hashlib.sha256(target.read_bytes()).hexdigest()
    sys.stdout.write(
        f"{target}: {package.zipped / 1e6:.1f} MB, {package.unpacked / 1e6:.1f} MB unpacked, for Python "
        f"{platform.python} on {platform.architecture}\nsha256 {digest}\n"
    )


if __name__ == "__main__":
    sys.exit(run(lambda: main(sys.argv[1:])))
