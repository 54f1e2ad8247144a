"""One call of the settings pass, and what is left to people where it failed."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import Any, Literal

PutService = Literal["application-autoscaling", "cloudwatch", "dynamodb", "lambda"]


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A setting that could not be put on: the table works without it; ``command`` puts it on by hand."""

    setting: str
    reason: str
    command: str


@dataclass(frozen=True, slots=True)
class Call:
    """One AWS call: ``operation`` as boto3 names it, ``arguments`` as the API does.

    ``shell``: options for the command alone, ready for a shell, whose values are known only once something
    else has been put right, such as the ARN of a stream that is not there yet.
    """

    service: PutService
    operation: str
    arguments: dict[str, Any]
    shell: tuple[str, ...] = ()

    def command(self, region: str) -> str:
        """The same call for the AWS command line, quoted for a shell."""
        return " ".join(
            (
                f"aws {self.service} {self.operation.replace('_', '-')} --region {region}",
                f"--cli-input-json {shlex.quote(json.dumps(self.arguments))}",
                *self.shell,
            )
        )
