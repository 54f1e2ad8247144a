"""The contract of the vault, held against every adapter."""

from __future__ import annotations

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from pydantic import BaseModel, ConfigDict

from recovery.errors import (
    ConflictError,
    DamagedObjectError,
    ObjectNotFoundError,
    UploadGoneError,
    VaultNotFoundError,
)
from recovery.testing.faults import Faults
from recovery.testing.memory_vault import MemoryVault
from recovery.vault.s3 import S3Vault, parse_location
from recovery.vault.vault import StoredObject, body_of, document
from rules.errors import AccessDeniedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_s3 import S3Client

    from recovery.testing.embedded_aws import EmbeddedEndpoint
    from recovery.vault.vault import Vault


@pytest.fixture(params=["s3", "s3-no-prefix", "memory", "memory-no-prefix"])
def vault(request: pytest.FixtureRequest, s3: S3Client, bucket: str) -> Vault:
    """Each adapter, with and without a prefix."""
    prefix = "" if request.param.endswith("no-prefix") else "deep/net"
    if request.param.startswith("s3"):
        return S3Vault(s3, bucket, prefix)
    return MemoryVault(prefix)


def test_what_was_put_can_be_got_whole(vault: Vault) -> None:
    """A body comes back byte for byte, by get and by open, with the etag that put_new returned."""
    etag = vault.put_new("a/b.json", b"\x00body\xff")
    assert vault.get("a/b.json") == StoredObject("a/b.json", b"\x00body\xff", etag)
    with vault.open("a/b.json") as stream:
        assert stream.read() == b"\x00body\xff"


def test_put_new_never_overwrites(vault: Vault) -> None:
    """A key that is taken is refused, and keeps its body."""
    vault.put_new("k", b"first")
    with pytest.raises(ConflictError) as caught:
        vault.put_new("k", b"second")
    assert caught.value.exit_code == 11
    assert vault.get("k").body == b"first"


def test_put_new_again_with_the_same_body_succeeds(vault: Vault) -> None:
    """After a lost answer the same put_new returns the etag of what is there."""
    etag = vault.put_new("k", b"first")
    assert vault.put_new("k", b"first") == etag


def test_replace_needs_the_latest_etag(vault: Vault) -> None:
    """Who has not seen the latest version cannot replace it."""
    old = vault.put_new("k", b"first")
    new = vault.replace("k", b"second", old)
    with pytest.raises(ConflictError):
        vault.replace("k", b"third", old)
    assert vault.replace("k", b"third", new) == vault.get("k").etag
    assert vault.get("k").body == b"third"


def test_replace_again_with_the_same_body_succeeds(vault: Vault) -> None:
    """After a lost answer the same replace, with its stale etag, returns the etag of what is there."""
    old = vault.put_new("k", b"first")
    new = vault.replace("k", b"second", old)
    assert vault.replace("k", b"second", old) == new


def test_replace_of_what_was_deleted_is_a_conflict(vault: Vault) -> None:
    """A document that somebody removed is not brought back by a replace."""
    etag = vault.put_new("k", b"first")
    vault.delete("k")
    with pytest.raises(ConflictError):
        vault.replace("k", b"second", etag)
    with pytest.raises(ObjectNotFoundError):
        vault.get("k")


def test_a_missing_object_is_not_found(vault: Vault) -> None:
    """Get and open of a key that is not there raise ObjectNotFoundError, exit code 10, naming it."""
    for read in (vault.get, vault.open):
        with pytest.raises(ObjectNotFoundError, match="no/such") as caught:
            read("no/such")
        assert caught.value.exit_code == 10


def test_delete_is_idempotent(vault: Vault) -> None:
    """Deleting what is not there is no error."""
    vault.put_new("k", b"x")
    vault.delete("k")
    vault.delete("k")
    assert list(vault.list("")) == []


def test_list_is_in_key_order_and_by_prefix(vault: Vault) -> None:
    """All keys under a prefix come in order, relative to the vault, with their sizes; no neighbour's key does."""
    for name in ("b/2", "b/10", "a/1", "b/1/x", "ba/1"):
        vault.put_new(name, name.encode() * 2)
    assert [(info.key, info.size) for info in vault.list("b/")] == [("b/1/x", 10), ("b/10", 8), ("b/2", 6)]
    assert [info.key for info in vault.list("")] == ["a/1", "b/1/x", "b/10", "b/2", "ba/1"]
    assert list(vault.list("none/")) == []


def test_folders_are_the_names_right_under_a_prefix(vault: Vault) -> None:
    """Folders come once each, in order, without slashes; objects are none."""
    for name in ("b/2/x", "b/2/y", "b/10/x", "b/file", "a/1"):
        vault.put_new(name, b"")
    assert list(vault.folders("b/")) == ["10", "2"]
    assert list(vault.folders("")) == ["a", "b"]
    assert list(vault.folders("none/")) == []


def test_put_stores_the_object(vault: Vault) -> None:
    """What is put comes back byte for byte, also over an object of that key."""
    vault.put("f", b"before")
    vault.put("f", b"x" * 100_000)
    with vault.open("f") as stream:
        assert stream.read() == b"x" * 100_000


PART = b"p" * (5 * 1024 * 1024)


def test_parts_become_one_object(vault: Vault) -> None:
    """Parts in order make the object; before the upload is completed there is none."""
    upload = vault.start_upload("d/big")
    parts = [vault.upload_part("d/big", upload, number, body) for number, body in ((1, PART), (2, b"end"))]
    assert list(vault.list("d/")) == []
    vault.complete_upload("d/big", upload, parts)
    assert vault.get("d/big").body == PART + b"end"
    assert list(vault.uploads("d/")) == []


def test_parts_that_are_not_named_are_dropped(vault: Vault) -> None:
    """What was uploaded after the last checkpoint is no part of the object."""
    upload = vault.start_upload("big")
    first = vault.upload_part("big", upload, 1, PART)
    vault.upload_part("big", upload, 2, b"after the checkpoint")
    vault.complete_upload("big", upload, [first])
    assert vault.get("big").body == PART


def test_an_upload_that_is_gone(vault: Vault) -> None:
    """A part for it, or its completion, is an error of its own; to abort it once more is none."""
    upload = vault.start_upload("big")
    part = vault.upload_part("big", upload, 1, b"x")
    assert [(one.key, one.upload_id) for one in vault.uploads("bi")] == [("big", upload)]
    vault.abort_upload("big", upload)
    vault.abort_upload("big", upload)
    assert list(vault.uploads("")) == []
    if isinstance(vault, MemoryVault):  # moto answers HTTP 500
        with pytest.raises(UploadGoneError):
            vault.complete_upload("big", upload, [part])
        with pytest.raises(UploadGoneError):
            vault.upload_part("big", upload, 2, b"y")


@pytest.mark.parametrize("operation", ["CompleteMultipartUpload", "UploadPart"])
def test_s3_says_that_an_upload_is_gone(endpoint: EmbeddedEndpoint, bucket: str, operation: str) -> None:
    """What AWS answers for an upload that is gone is told apart from an object that is not there."""
    aws = endpoint.aws(max_attempts=1)
    faults = Faults(aws)
    vault = S3Vault(aws.s3(), bucket)
    upload = vault.start_upload("big")
    part = vault.upload_part("big", upload, 1, b"x")
    faults.fail(operation, status=404, code="NoSuchUpload")
    calls: dict[str, Callable[[], object]] = {
        "UploadPart": lambda: vault.upload_part("big", upload, 2, b"y"),
        "CompleteMultipartUpload": lambda: vault.complete_upload("big", upload, [part]),
    }
    with pytest.raises(UploadGoneError):
        calls[operation]()


def test_another_place_of_the_same_storage(vault: Vault) -> None:
    """What lies elsewhere in the bucket is found from its root."""
    vault.put("a/b", b"here")
    assert vault.at(vault.bucket, "").get(vault.full_key("a/b")).body == b"here"
    assert vault.at(vault.bucket, vault.full_key("a")).get("b").body == b"here"


def test_full_key_is_the_key_from_the_root(vault: Vault) -> None:
    """The prefix is in front of the key once, without a slash at the start."""
    prefix = vault.location.split("/", 3)[3:]
    assert vault.full_key("k") == "/".join([*prefix, "k"])


def race(vault: Vault, write: str) -> list[str]:
    """Eight threads write at once: what each came to."""
    start = threading.Barrier(8)
    etag = vault.put_new("k", b"old") if write == "replace" else ""

    def one(number: int) -> str:
        body = f"writer {number}".encode()
        start.wait()
        try:
            vault.replace("k", body, etag) if write == "replace" else vault.put_new("k", body)
        except ConflictError:
            return "lost"
        return body.decode()

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(one, range(8)))


@pytest.mark.parametrize("write", ["put_new", "replace"])
def test_of_eight_writers_exactly_one_wins(vault: Vault, write: str) -> None:
    """In a race one conditional write succeeds, the others learn that they lost, and the winner's body is there."""
    results = race(vault, write)
    assert results.count("lost") == 7
    assert vault.get("k").body.decode() in results


def test_a_missing_bucket_is_told_as_such(s3: S3Client) -> None:
    """Every operation on a bucket that is not there raises VaultNotFoundError (exit 10) with a hint at the setting."""
    vault = S3Vault(s3, f"nowhere-{uuid.uuid4().hex[:8]}")
    calls: list[Callable[[], object]] = [
        lambda: vault.get("k"),
        lambda: vault.put_new("k", b""),
        lambda: vault.delete("k"),
        lambda: list(vault.list("")),
        lambda: list(vault.folders("")),
    ]
    for call in calls:
        with pytest.raises(VaultNotFoundError) as caught:
            call()
        assert caught.value.exit_code == 10
        assert "SAFETYNET_VAULT" in caught.value.hint


@pytest.mark.parametrize("operation", ["GetObject", "PutObject", "ListObjectsV2"])
def test_access_denied_by_s3(endpoint: EmbeddedEndpoint, bucket: str, operation: str) -> None:
    """S3's AccessDenied comes out as AccessDeniedError (exit 12), naming the operation that needs leave."""
    aws = endpoint.aws(max_attempts=1)
    faults = Faults(aws)
    faults.fail(operation, status=403, code="AccessDenied")
    vault = S3Vault(aws.s3(), bucket)
    calls: dict[str, Callable[[], object]] = {
        "GetObject": lambda: vault.get("k"),
        "PutObject": lambda: vault.put_new("k", b""),
        "ListObjectsV2": lambda: list(vault.list("")),
    }
    with pytest.raises(AccessDeniedError) as caught:
        calls[operation]()
    assert caught.value.exit_code == 12
    assert operation in caught.value.hint


def test_a_put_that_lost_its_answer_is_settled_by_botocores_retry(
    endpoint: EmbeddedEndpoint, bucket: str
) -> None:
    """The retry is refused by our own object, and that counts as success: put_new and replace."""
    aws = endpoint.aws(max_attempts=2)
    faults = Faults(aws)
    vault = S3Vault(aws.s3(), bucket)
    faults.lose_answer("PutObject")
    etag = vault.put_new("k", b"first")
    faults.reset()
    faults.lose_answer("PutObject")
    vault.replace("k", b"second", etag)
    assert vault.get("k").body == b"second"
    assert faults.calls.count("PutObject") == 2


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("s3://bucket", ("bucket", "")),
        ("s3://bucket/", ("bucket", "")),
        ("s3://my.bucket-1/a/b/", ("my.bucket-1", "a/b")),
    ],
)
def test_locations(location: str, expected: tuple[str, str]) -> None:
    """A location is a bucket and a prefix without slashes around it."""
    assert parse_location(location) == expected


@pytest.mark.parametrize(
    "location", ["", "bucket", "s3://", "s3://B/x", "https://b/x", "s3://b", "s3://bucket\n", "s3:///x"]
)
def test_bad_locations_are_refused(location: str) -> None:
    """What is no location is a UsageError (exit 2) that says how to write one."""
    with pytest.raises(UsageError) as caught:
        parse_location(location)
    assert "s3://BUCKET/PREFIX" in caught.value.hint


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid")

    number: int


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"number": "secret-text"}', b'{"number": 1, "more": 2}', b"\xff"]
)
def test_a_document_is_not_trusted(body: bytes) -> None:
    """A body that is not the document is damaged, the key is named, and what was in it is not quoted."""
    with pytest.raises(DamagedObjectError, match="some/key") as caught:
        document(_Document, StoredObject("some/key", body, ""))
    assert "secret-text" not in str(caught.value)
    assert caught.value.exit_code == 13


def test_a_document_comes_back_as_it_was(vault: Vault) -> None:
    """body_of and document are each other's inverse."""
    vault.put_new("d", body_of(_Document(number=7)))
    assert document(_Document, vault.get("d")).number == 7


def test_a_listing_can_begin_behind_a_key(vault: Vault) -> None:
    """Keys that carry times can be listed from a time on; an etag changes with its object."""
    etag = [vault.put_new(key, key.encode()) for key in ("i/1", "i/2", "i/3")][-1]
    assert [info.key for info in vault.list("i/", after="i/1")] == ["i/2", "i/3"]
    before = {info.key: info.etag for info in vault.list("i/")}
    vault.replace("i/3", b"changed", etag)
    after = {info.key: info.etag for info in vault.list("i/")}
    assert {key for key in after if after[key] != before[key]} == {"i/3"}
