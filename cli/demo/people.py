"""Who acts in the story: real identities of the embedded AWS, made with its IAM and STS."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cli.demo.trail import Caller
from recovery.testing.embedded_aws import ACCOUNT, Keys

if TYPE_CHECKING:
    from recovery.aws import Aws
    from recovery.testing.embedded_aws import EmbeddedEndpoint

NET_ROLE, CI_ROLE, DEVELOPER = "safetynet", "ci-preview", "developer"
BROWSER = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:140.0) Gecko/20100101 Firefox/140.0"
SDK_AGENT = "Boto3/1.44.5 md/Botocore#1.44.5 ua/2.1 os/linux lang/python#3.11 app/safetynet"
CLI_AGENT = "aws-cli/2.31.0 md/awscrt#0.28.1 ua/2.1 os/linux md/command#cloudformation.delete-stack"


@dataclass(frozen=True, slots=True)
class Person:
    """Clients that act as somebody, and how the trail sees him."""

    aws: Aws
    keys: Keys
    caller: Caller


def assume_role(endpoint: EmbeddedEndpoint, role: str, session: str, agent: str) -> Person:
    """A role's session, as a CI job or a service has it. The addresses are from the documentation ranges."""
    root = endpoint.aws()
    iam = root.session.client("iam", endpoint_url=endpoint.url)
    arn = iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17"}))[
        "Role"
    ]["Arn"]
    sts = root.session.client("sts", endpoint_url=endpoint.url)
    answer = sts.assume_role(RoleArn=arn, RoleSessionName=session)
    credentials = answer["Credentials"]
    keys = Keys(credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"])
    issuer = answer["AssumedRoleUser"]
    identity = {
        "type": "AssumedRole",
        "principalId": issuer["AssumedRoleId"],
        "arn": issuer["Arn"],
        "accountId": ACCOUNT,
        "accessKeyId": keys.access_key,
        "sessionContext": {
            "sessionIssuer": {"type": "Role", "arn": arn, "accountId": ACCOUNT, "userName": role},
            "attributes": {"mfaAuthenticated": "false"},
        },
    }
    return Person(endpoint.aws(keys), keys, Caller(identity, "198.51.100.23", agent))


def console_user(endpoint: EmbeddedEndpoint, name: str) -> Person:
    """Somebody who clicks in the console."""
    iam = endpoint.aws().session.client("iam", endpoint_url=endpoint.url)
    arn = iam.create_user(UserName=name)["User"]["Arn"]
    made = iam.create_access_key(UserName=name)["AccessKey"]
    keys = Keys(made["AccessKeyId"], made["SecretAccessKey"])
    identity = {
        "type": "IAMUser",
        "principalId": made["AccessKeyId"],
        "arn": arn,
        "accountId": ACCOUNT,
        "accessKeyId": keys.access_key,
        "userName": name,
        "sessionContext": {"attributes": {"mfaAuthenticated": "true"}},
    }
    return Person(endpoint.aws(keys), keys, Caller(identity, "203.0.113.77", BROWSER, from_console=True))


def access_key(endpoint: EmbeddedEndpoint, name: str) -> dict[str, str]:
    """The exports of a new user's access key."""
    person = console_user(endpoint, name)
    return {"AWS_ACCESS_KEY_ID": person.keys.access_key, "AWS_SECRET_ACCESS_KEY": person.keys.secret_key}
