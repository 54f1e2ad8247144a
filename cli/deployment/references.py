"""CloudFormation's intrinsic functions, and the names that the parts of the template know each other by."""

from __future__ import annotations

from typing import Any

# A pattern's value: every source that AWS itself puts on a bus; nobody else may use the prefix (PutEvents).
ANY_OF_AWS: dict[str, str] = {"prefix": "aws."}
TEST_SOURCE = "TestEventSource"
NO_VALUE: dict[str, Any] = {"Ref": "AWS::NoValue"}


def ref(name: str) -> dict[str, Any]:
    """The value of a parameter, or the main identifier of a resource."""
    return {"Ref": name}


def arn(resource: str) -> dict[str, Any]:
    """A resource's ARN."""
    return {"Fn::GetAtt": [resource, "Arn"]}


def sub(text: str) -> dict[str, Any]:
    """A text with ``${names}`` in it."""
    return {"Fn::Sub": text}


def when(condition: str, then: Any, otherwise: Any = NO_VALUE) -> dict[str, Any]:
    """A value where a condition holds; by default nothing where it does not."""
    return {"Fn::If": [condition, then, otherwise]}


def has(parameter: str) -> str:
    """The condition that a parameter is not empty."""
    return f"Has{parameter}"


def given(parameter: str) -> dict[str, Any]:
    """A parameter's value, or nothing where it is empty."""
    return when(has(parameter), ref(parameter))


def named(part: str) -> dict[str, Any]:
    """The name of a part of the stack: ``safetynet-queue`` in a stack called safetynet."""
    return sub(f"${{AWS::StackName}}-{part}")


def tls_only(*resources: Any, service: str) -> dict[str, Any]:
    """A statement of a resource policy: nobody comes in but over TLS."""
    return {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": f"{service}:*",
        "Resource": [*resources],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
