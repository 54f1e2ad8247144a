"""An AWS that answers what a test scripts, in the shapes of botocore's service models and no others."""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ParamValidationError
from botocore.validate import validate_parameters

from recovery.testing.embedded_aws import EmbeddedEndpoint

if TYPE_CHECKING:
    from recovery.aws import Aws

NOBODY = "http://127.0.0.1:9"  # the discard port: nothing that is not scripted gets an answer


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error answer."""

    code: str
    message: str = "scripted"
    status: int = 400


Answer = dict[str, Any] | Refusal


class Answers:
    """Scripted answers by operation, in order; the last one of an operation is given again and again.

    ``calls`` are (operation, request) of every attempt. What is not scripted is an error of the test.
    """

    def __init__(self, aws: Aws | None = None) -> None:
        self.aws = aws or EmbeddedEndpoint(NOBODY).aws(max_attempts=1)
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self._script: dict[str, list[Answer]] = defaultdict(list)
        self._lock = threading.Lock()
        events: Any = self.aws.session.events  # typed for handlers that return nothing; this one answers
        events.register("provide-client-params", self._note)
        events.register("before-call", self._answer)

    def renewed(self) -> Answers:
        """The same clients, which take their time to make; nothing scripted and nothing noted."""
        self.calls.clear()
        self._script.clear()
        return self

    def give(self, operation: str, *answers: Answer) -> None:
        """Answer so, from now on."""
        self._script[operation] = list(answers)

    def asked(self, operation: str) -> list[dict[str, Any]]:
        """The requests of one operation."""
        return [request for name, request in self.calls if name == operation]

    def _note(self, params: dict[str, Any], model: Any, **_: object) -> None:
        with self._lock:
            self.calls.append((model.name, dict(params)))

    def _answer(self, model: Any, **_: object) -> tuple[AWSResponse, dict[str, Any]]:
        with self._lock:
            script = self._script[model.name]
            assert script, f"{model.name} is not scripted"
            answer = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(answer, Refusal):
            told: dict[str, Any] = {"Error": {"Code": answer.code, "Message": answer.message}}
            status = answer.status
        else:
            _check(answer, model)
            told, status = dict(answer), 200
        told["ResponseMetadata"] = {"HTTPStatusCode": status}
        raw: Any = None
        return AWSResponse(NOBODY, status, HTTPHeaders(), raw), told


def _check(answer: dict[str, Any], model: Any) -> None:
    try:
        validate_parameters(answer, model.output_shape)
    except ParamValidationError as error:
        raise AssertionError(f"no answer of {model.name}: {error}") from error
