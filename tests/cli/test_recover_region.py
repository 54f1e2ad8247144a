"""`recover` while a region is down: the clients use AWS's real names, and those of that region refuse every connection.

What would go to another region is taken to the embedded AWS instead, which tells regions by their signatures.
"""

from __future__ import annotations

import json
import os
import socket
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError
from botocore.httpsession import URLLib3Session

from recovery.aws import Aws, AwsSettings
from recovery.testing.embedded_aws import EXAMPLE_KEYS, LOOPBACK
from tests.cli.running import QuickShell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from botocore.awsrequest import AWSRequest, AWSResponse

    from recovery.testing.embedded_aws import EmbeddedEndpoint

HOME, OTHER, THIRD = "eu-west-1", "eu-central-1", "us-west-2"
# Where the endpoints without a region in their names are: sts.amazonaws.com, iam.amazonaws.com.
OF_ALL_REGIONS = "us-east-1"
ONCE = Config(retries={"mode": "standard", "total_max_attempts": 1})
# One call of each service that a recovery may have to do with.
READS: dict[Any, str] = {
    "backup": "list_backup_vaults",
    "cloudwatch": "describe_alarms",
    "dynamodb": "list_tables",
    "kms": "list_keys",
    "lambda": "list_functions",
    "s3": "list_buckets",
    "sts": "get_caller_identity",
}


@dataclass
class Internet:
    """What lies between the command and AWS. ``down``: the region that is out of reach.

    ``buckets``: the region of each. Wherever S3 is asked for one, it sends the client there.
    ``called``: the hosts that were asked and answered; ``refused``: those that were asked in vain.
    """

    embedded: EmbeddedEndpoint
    down: str = ""
    buckets: dict[str, str] = field(default_factory=dict)
    called: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def send(
        self,
        there: Callable[[URLLib3Session, AWSRequest], AWSResponse],
        session: URLLib3Session,
        request: Any,
    ) -> AWSResponse:
        """Send a request to where it belongs now."""
        host = str(urlsplit(request.url).hostname)
        bucket = host.partition(".s3.")[0]
        if self.down and self.down in {region_of(host), self.buckets.get(bucket)}:
            self.refused.append(host)
            raise EndpointConnectionError(endpoint_url=request.url, error="Connection refused")
        self.called.append(host)
        # The signature was made for the real host, and whoever reads the request finds the bucket in it.
        request.headers["Host"] = host
        real = urlsplit(request.url)
        request.url = real._replace(scheme="http", netloc=urlsplit(self.embedded.url).netloc).geturl()
        return there(session, request)

    def look_up(self, there: Callable[..., Any], host: Any, *rest: Any, **more: Any) -> Any:
        """Names that no client of botocore's asked for: nobody has any business with those."""
        if host != LOOPBACK:
            self.refused.append(str(host))
            raise ConnectionRefusedError(f"{host} is out of reach")
        return there(host, *rest, **more)

    @contextmanager
    def without(self, region: str) -> Iterator[None]:
        """A region is down while the block runs; the record begins anew."""
        self.called.clear()
        self.refused.clear()
        self.down = region
        yield
        self.down = ""


def region_of(host: str) -> str:
    """The region whose service answers at a host."""
    parts = host.removesuffix(".amazonaws.com").split(".")
    return next((part for part in reversed(parts) if part.count("-") == 2), OF_ALL_REGIONS)


@pytest.fixture
def internet(endpoint: EmbeddedEndpoint, monkeypatch: pytest.MonkeyPatch) -> Internet:
    """Every connection of this process goes through it."""
    made = Internet(endpoint)
    send, look_up = URLLib3Session.send, socket.getaddrinfo
    monkeypatch.setattr(URLLib3Session, "send", lambda session, request: made.send(send, session, request))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **more: made.look_up(look_up, *args, **more))
    return made


@dataclass(frozen=True, slots=True)
class Office:
    """A table in one region, its backup in a vault there and in a replica elsewhere, and a shell."""

    shell: QuickShell
    table: str
    items: list[dict[str, Any]]
    settings: str


def clients(region: str) -> Any:
    """DynamoDB of a region, at its real name and tried once."""
    return aws_of(region).dynamodb()


def aws_of(region: str) -> Aws:
    """Clients at the real names of a region."""
    keys = EXAMPLE_KEYS
    return Aws(
        AwsSettings(region=region, access_key=keys.access_key, secret_key=keys.secret_key, max_attempts=1)
    )


def in_order(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sorted by key."""
    return sorted(items, key=lambda item: str(item["id"]["S"]))


@pytest.fixture(params=[HOME, OF_ALL_REGIONS])
def office(request: pytest.FixtureRequest, internet: Internet, tmp_path: Path) -> tuple[str, Office]:
    """The region that will fail, and what is there before it does: the table is backed up to both vaults."""
    home, name = str(request.param), f"office-{uuid.uuid4().hex[:12]}"
    for region, bucket in ((home, name), (OTHER, f"{name}-copy")):
        place: Any = {} if region == OF_ALL_REGIONS else {
            "CreateBucketConfiguration": {"LocationConstraint": region}
        }  # fmt: skip
        aws_of(region).s3().create_bucket(Bucket=bucket, **place)
        internet.buckets[bucket] = region
    tables = clients(home)
    tables.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        Tags=[{"Key": "team", "Value": "shop"}],
    )
    tables.update_time_to_live(
        TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": "until"}
    )
    for number in range(3):
        tables.put_item(TableName=name, Item={"id": {"S": f"item-{number}"}, "n": {"N": str(number)}})
    settings = tmp_path / "safetynet.yaml"
    settings.write_text(
        f"vault: s3://{name}/net\nbackup: {{replica: {{vault: 's3://{name}-copy/net', region: {OTHER}}}}}\n"
    )
    shell = QuickShell(
        {
            "AWS_REGION": home,
            "AWS_ACCESS_KEY_ID": EXAMPLE_KEYS.access_key,
            "AWS_SECRET_ACCESS_KEY": EXAMPLE_KEYS.secret_key,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        },
        tmp_path,
    )
    done = shell.run("backup", "run", name, "--config", str(settings))
    assert done.code == 0, done.err
    assert {region_of(host) for host in internet.called} >= {home, OTHER}
    return home, Office(shell, name, in_order(tables.scan(TableName=name)["Items"]), str(settings))


def test_a_region_that_is_down_refuses_every_service(internet: Internet) -> None:
    """The guard of this page: whatever the service, its host in that region fails and is on record; others answer."""
    with internet.without(HOME):
        for service, method in READS.items():
            client: Any = aws_of(HOME).session.client(service, config=ONCE)
            with pytest.raises(EndpointConnectionError):
                getattr(client, method)()
        assert aws_of(OTHER).account
    assert {host.split(".")[0] for host in internet.refused} == {
        "dynamodb", "s3", "sts", "kms", "monitoring", "lambda", "backup",
    }  # fmt: skip
    assert {region_of(host) for host in internet.refused} == {HOME}
    assert internet.called == [f"sts.{OTHER}.amazonaws.com"]
    internet.buckets["vault-there"] = HOME
    with internet.without(HOME), pytest.raises(EndpointConnectionError):
        aws_of(OTHER).s3().list_objects_v2(Bucket="vault-there")
    assert internet.refused == [f"vault-there.s3.{OTHER}.amazonaws.com"]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("dynamodb.example", 443), timeout=1)
    assert internet.refused[-1] == "dynamodb.example"


@pytest.mark.parametrize(
    ("region", "more"),
    [(OTHER, ()), (THIRD, ("--vault", "replica"))],
    ids=["the replica's region", "a third region"],
)
def test_nothing_in_the_path_touches_the_region_that_is_down(
    internet: Internet, office: tuple[str, Office], region: str, more: tuple[str, ...]
) -> None:
    """Plan, run and record: the table is back, verified, with its settings, and not one request went there."""
    home, desk = office
    words = (desk.table, "--region", region, "--config", desk.settings, *more)
    with internet.without(home):
        plan = desk.shell.run("recover", *words, "--dry-run", "--json")
        assert plan.code == 0, plan.err
        assert json.loads(plan.out)["target"]["region"] == region
        done = desk.shell.run("recover", *words, "--yes", "--json")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert (report["items_verified"], report["differences"], report["follow_ups"]) == (3, [], [])
    assert internet.refused == []
    # Permissions are simulated by IAM, where that does not depend on the region that is down.
    iam = {OF_ALL_REGIONS} - {home}
    assert {region_of(host) for host in internet.called} == {region, OTHER} | iam
    there = clients(region)
    assert in_order(there.scan(TableName=desk.table)["Items"]) == desk.items
    ttl = there.describe_time_to_live(TableName=desk.table)["TimeToLiveDescription"]
    assert ttl == {"TimeToLiveStatus": "ENABLED", "AttributeName": "until"}
    assert there.describe_table(TableName=desk.table)["Table"]["StreamSpecification"]["StreamEnabled"]
