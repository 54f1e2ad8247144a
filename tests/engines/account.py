"""An account with a deployment in it: the template as CloudFormation makes it, the package, a Slack; on ministack.

``AUTH=true`` is ministack's way of holding every call against the policies, and plain http against ``TlsOnly``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import distributions
from typing import TYPE_CHECKING, Any

import pytest

from cli.deployment.package import Platform, dependency_files, install_dependencies, own_files, write_package
from recovery.testing.embedded_aws import ACCOUNT, EXAMPLE_KEYS, LOOPBACK, REGION
from rules.errors import UnavailableError
from tests.cli.running import ROOT, Shell
from tests.engines.engine import MINISTACK
from tests.engines.processes import free_port, served
from watcher.testing.slack import TOKEN, SlackStandIn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from recovery.aws import Aws

STACK, CHANNEL, TEST_SOURCE = "net", "C0ALERTS", "rehearsal.changes"
TEMPLATE = ROOT / "deploy" / "safetynet.yaml"
# A cold start on a busy machine.
PATIENCE_SECONDS = 60
POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Account:
    """What was deployed (``outputs``), people's Slack, and a shell with the settings of the net."""

    aws: Aws
    slack: SlackStandIn
    outputs: Mapping[str, str]
    shell: Shell

    def client(self, service: str) -> Any:
        """Plain boto3."""
        return client(self.aws, self.url, service)

    @property
    def url(self) -> str:
        """Where the account's AWS listens."""
        return self.shell.exports["AWS_ENDPOINT_URL"]

    def happen(self, record: Mapping[str, Any], detail_type: str = "AWS API Call via CloudTrail") -> None:
        """Put an event on the bus, from the source that the deployment was told of."""
        entry = {"Source": TEST_SOURCE, "DetailType": detail_type, "Detail": json.dumps(record)}
        assert self.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0

    def told(self, part: str) -> list[str]:
        """The messages in the channel that say this, once there is one; replies are not among them."""
        told = self.slack.wait_for(lambda: bool(self.telling(part)), PATIENCE_SECONDS)
        assert told, f"nobody was told of {part}: {[message.text for message in self.slack.messages]}"
        return self.telling(part)

    def telling(self, part: str) -> list[str]:
        """The messages in the channel that say this now, as JSON of their text and blocks."""
        told = [json.dumps([message.text, *message.blocks]) for message in self.slack.visible(CHANNEL)]
        return [message for message in told if part in message]

    def waiting(self, queue: str) -> int:
        """How many messages a queue has, those in somebody's hands included."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.client("sqs").get_queue_attributes(QueueUrl=self.outputs[queue], AttributeNames=names)
        return sum(int(number) for number in found["Attributes"].values())

    def until_waiting(self, queue: str, count: int) -> bool:
        """Whether a queue has that many messages in the end."""
        for _ in range(int(PATIENCE_SECONDS / POLL_SECONDS)):
            if self.waiting(queue) == count:
                return True
            time.sleep(POLL_SECONDS)
        return False

    def stored(self, key: str) -> Any:
        """A document of the vault; None where there is none."""
        bucket, prefix = self.outputs["Vault"].removeprefix("s3://").split("/", 1)
        s3 = self.aws.s3()
        listed = s3.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/{key}")
        return (
            json.loads(s3.get_object(Bucket=bucket, Key=f"{prefix}/{key}")["Body"].read())
            if listed["KeyCount"]
            else None
        )

    def call(self, event: Mapping[str, Any]) -> Mapping[str, Any]:
        """Call the function and wait for its answer."""
        answer: Mapping[str, Any] = self.client("lambda").invoke(
            FunctionName=self.outputs["FunctionName"], Payload=json.dumps(event).encode()
        )
        return answer


def client(aws: Aws, endpoint_url: str, service: str) -> Any:
    """Plain boto3."""
    session: Any = aws.session
    return session.client(service, endpoint_url=endpoint_url)


def packaged(folder: Path) -> Path:
    """The package for the Python that ministack runs functions with. Skips where its wheels cannot be had."""
    target = folder / "safetynet-watcher.zip"
    python = subprocess.run(
        [MINISTACK / "bin" / "python", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    try:
        install_dependencies(Platform(python), folder / "installed")
    except UnavailableError as error:
        pytest.skip(f"the package cannot be made: {error}")
    write_package(target, {**dependency_files(folder / "installed"), **own_files()})
    return target


def imports_alone(package: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Import the handler with nothing but Python and the package."""
    with zipfile.ZipFile(package) as archive:
        archive.extractall(folder)
    program = f"import sys; sys.path.append({str(folder)!r}); import cli.lambda_entry as entry; print(entry.handler)"
    return subprocess.run(
        [MINISTACK / "bin" / "python", "-I", "-S", "-B", "-c", program],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@contextmanager
def deployed(
    package: Path, template: str, folder: Path, *, authorized: bool = False, **parameters: str
) -> Iterator[Account]:
    """The account while the block runs. ``authorized``: AUTH=true."""
    if not [*distributions(name="ministack", path=[*map(str, MINISTACK.glob("lib/python*/site-packages"))])]:
        pytest.skip("ministack is not installed: `make engines` gets it from PyPI")
    port = free_port()
    exports = {
        "GATEWAY_PORT": str(port),
        "BIND_HOST": LOOPBACK,  # it listens on all addresses otherwise
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "AUTH": str(authorized).lower(),
        "AWS_ACCESS_KEY_ID": EXAMPLE_KEYS.access_key,
        "AWS_SECRET_ACCESS_KEY": EXAMPLE_KEYS.secret_key,
    }
    with (
        served([MINISTACK / "bin" / "ministack"], exports, port, folder) as endpoint,
        SlackStandIn() as slack,
    ):
        aws = endpoint.aws()
        s3 = aws.s3()
        s3.create_bucket(Bucket="code", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        s3.upload_file(str(package), "code", package.name)
        secret = client(aws, endpoint.url, "secretsmanager").create_secret(Name="slack", SecretString=TOKEN)
        given = {
            "CodeBucket": "code",
            "CodeKey": package.name,
            "Runtime": f"python{sys.version_info[0]}.{sys.version_info[1]}",
            "SlackChannel": CHANNEL,
            "SlackApiUrl": slack.base_url,
            "SecretArn": secret["ARN"],
            "TestEventSource": TEST_SOURCE,
            **parameters,
        }
        outputs = _stack(client(aws, endpoint.url, "cloudformation"), template, given)
        shell = Shell(
            {
                "AWS_ENDPOINT_URL": endpoint.url,
                "AWS_REGION": REGION,
                "AWS_ACCESS_KEY_ID": EXAMPLE_KEYS.access_key,
                "AWS_SECRET_ACCESS_KEY": EXAMPLE_KEYS.secret_key,
                "AWS_EC2_METADATA_DISABLED": "true",
                "SAFETYNET_VAULT": outputs["Vault"],
                "SAFETYNET_SLACK__TOKEN": TOKEN,
                "SAFETYNET_SLACK__CHANNEL": CHANNEL,
                "SAFETYNET_SLACK__API_URL": slack.base_url,
            },
            folder,
        )
        yield Account(aws, slack, outputs, shell)


def _stack(cloudformation: Any, template: str, parameters: Mapping[str, str]) -> dict[str, str]:
    """The outputs of the stack, once it is complete."""
    cloudformation.create_stack(
        StackName=STACK,
        TemplateBody=template,
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
    )
    while True:
        stack = cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]
        if not stack["StackStatus"].endswith("_IN_PROGRESS"):
            break
        time.sleep(POLL_SECONDS)
    events = cloudformation.describe_stack_events(StackName=STACK)["StackEvents"]
    failed = [
        (event["LogicalResourceId"], event.get("ResourceStatusReason"))
        for event in events
        if "FAILED" in event["ResourceStatus"]
    ]
    assert stack["StackStatus"] == "CREATE_COMPLETE", failed
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
