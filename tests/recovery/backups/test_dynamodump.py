"""Dumps of dynamodump: read in every form they come in, and taken only when they are whole."""

from __future__ import annotations

import base64
import io
import json
import tarfile
import zipfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from recovery.backups.adoption import Adoption
from recovery.backups.dynamodump import open_dump
from recovery.backups.manifest import MANIFEST, Manifest, TableIdentity
from recovery.backups.verification import FULL, Outcome, verify_backup
from recovery.errors import DamagedObjectError
from recovery.progress import NoProgress
from recovery.testing.embedded_aws import ACCOUNT, REGION
from recovery.testing.faults import Crash
from rules.errors import SafetyNetError, UsageError
from tests.recovery.recovering import all_items, definition_of, make_table, some_items

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from mypy_boto3_dynamodb import DynamoDBClient

    from tests.recovery.recovering import Item, Process

    Files = Mapping[str, bytes]

TAKEN = datetime(2024, 5, 1, 12, tzinfo=UTC)
ITEMS = some_items(7)
PAGES = [ITEMS[:3], ITEMS[3:6], ITEMS[6:]]
EDGES: list[Item] = [
    {"pk": {"S": "binary"}, "b": {"B": b"\x00\xff"}, "bs": {"BS": [b"\x00", b"\xfe\xff"]}},
    {"pk": {"S": "nested"}, "m": {"M": {"l": {"L": [{"B": b"\x01"}, {"M": {"bs": {"BS": [b"\x02"]}}}]}}}},
    {"pk": {"S": "sets"}, "ss": {"SS": ["a", "b"]}, "ns": {"NS": ["1", "-2.5"]}},
    {"pk": {"S": "numbers"}, "n": {"N": "12345678901234567890123456789012345678"}, "small": {"N": "1E-100"}},
    {"pk": {"S": "text"}, "s": {"S": 'line\nend "quoted" \u2028 ümlaut 🚨'}, "empty": {"S": ""}},
    {"pk": {"S": "others"}, "null": {"NULL": True}, "no": {"BOOL": False}, "l": {"L": []}, "m": {"M": {}}},
]


def described(table: str) -> dict[str, Any]:
    """DescribeTable's answer as boto3 gives it, its times as the dump spells them."""
    return {
        "Table": {
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "TableName": table,
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "TableStatus": "ACTIVE",
            "CreationDateTime": "2023-01-01T00:00:00+00:00",
            "ProvisionedThroughput": {
                "LastIncreaseDateTime": "2023-02-01T00:00:00+00:00",
                "NumberOfDecreasesToday": 0,
                "ReadCapacityUnits": 7,
                "WriteCapacityUnits": 3,
            },
            "TableSizeBytes": 700,
            "ItemCount": 7,
            "TableArn": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}",
            "TableId": "0b0c0d0e-0000-4000-8000-000000000000",
        }
    }


def printed(answer: object) -> bytes:
    """As the tool prints an answer of boto3."""
    return json.dumps(answer, indent=2, default=_encoded).encode()


def _encoded(value: object) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    assert isinstance(value, datetime)
    return value.isoformat()


def dump_files(
    table: str, pages: Sequence[Sequence[Item]], schema: dict[str, Any] | None = None
) -> dict[str, bytes]:
    """The files of a table's dump, by their names: its schema, and a page of a scan in each of the others."""
    files = {f"{table}/schema.json": printed(schema or described(table))}
    for number, items in enumerate(pages, 1):
        page: dict[str, Any] = {"Items": items, "Count": len(items), "ScannedCount": len(items)}
        if number < len(pages):
            page["LastEvaluatedKey"] = {"pk": items[-1]["pk"]}
        files[f"{table}/data/{number:04}.json"] = printed(page)
    return files


def in_folder(path: Path, files: Files) -> Path:
    """The dump as the tool leaves it."""
    folder = path / "dump"
    for name, body in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(body)
    return folder


def folder_of_a_table(path: Path, files: Files) -> Path:
    """The folder of the one table in a dump."""
    return in_folder(path, files) / next(iter(files)).split("/")[0]


def in_zip(path: Path, files: Files) -> Path:
    """Packed as with --archive zip, below the folder the tool was told to dump into."""
    file = path / "dump.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            archive.writestr(f"dump/{name}", body)
    return file


def in_tar(path: Path, files: Files, mode: str = "w:bz2", prefix: str = "dump/") -> Path:
    """Packed as with --archive tar."""
    file = path / f"dump.tar.{mode[2:]}"
    with tarfile.open(file, mode) as archive:  # type: ignore[call-overload]  # the mode is a parameter here
        for name, body in files.items():
            member = tarfile.TarInfo(prefix + name)
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    return file


def in_tar_gz(path: Path, files: Files) -> Path:
    """Packed by hand, from inside the folder."""
    return in_tar(path, files, "w:gz", "./")


FORMS = [in_folder, folder_of_a_table, in_zip, in_tar, in_tar_gz]


def items_of(dump: Path, table: str) -> list[Item]:
    """All items of a dump, by the product's reader; binary as the base64 that it is on the wire."""
    with open_dump(dump) as tables:
        return [msgspec.json.decode(item) for page in tables[table].pages() for item in page]


def identity(table: str) -> TableIdentity:
    """Whose dump it is."""
    arn = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}"
    return TableIdentity(account=ACCOUNT, region=REGION, name=table, arn=arn)


def adopt(net: Process, dump: Path, table: str) -> Manifest:
    """Adopt one table of a dump."""
    with open_dump(dump) as tables:
        adoption = Adoption(net.aws, net.catalog, net.clock, NoProgress())
        return adoption.adopt_dump(tables[table], identity(table), TAKEN)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_a_dump_is_read_in_every_form(form: Callable[[Path, Files], Path], tmp_path: Path) -> None:
    """A folder, that of a table, a zip or a tar archive: the description and all items of all pages, in order."""
    dump = form(tmp_path, dump_files("orders", PAGES))
    with open_dump(dump) as tables:
        assert list(tables) == ["orders"]
        assert tables["orders"].description == described("orders")["Table"]
    assert items_of(dump, "orders") == ITEMS


@pytest.mark.parametrize("form", [in_folder, in_zip, in_tar], ids=lambda form: form.__name__)
def test_a_dump_of_several_tables(form: Callable[[Path, Files], Path], tmp_path: Path) -> None:
    """Each with its own pages, however alike the names."""
    names = ["orders", "orders-archive", "a.b"]
    files: dict[str, bytes] = {}
    for number, name in enumerate(names):
        files |= dump_files(name, [[{"pk": {"S": name}}]] * (number + 1))
    dump = form(tmp_path, files)
    assert [items_of(dump, name) for name in names] == [
        [{"pk": {"S": name}}] * (number + 1) for number, name in enumerate(names)
    ]


def test_pages_are_read_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    """10 comes after 9, and 10000 after 9999, as numbers and not as text."""
    items = some_items(12)
    files = {
        name.replace("/0", "/").replace("/0", "/").replace("/0", "/"): body
        for name, body in dump_files("orders", [[item] for item in items]).items()
    }
    assert "orders/data/9.json" in files
    assert items_of(in_folder(tmp_path, files), "orders") == items


@pytest.mark.parametrize("form", [in_folder, in_zip, in_tar], ids=lambda form: form.__name__)
def test_an_adopted_dump_brings_the_table_back(
    net: Process,
    plain: DynamoDBClient,
    table: str,
    tmp_path: Path,
    form: Callable[[Path, Files], Path],
) -> None:
    """Binaries, sets, what is nested and every digit are what they were, and so are the keys, indexes and mode."""
    index = {
        "IndexName": "by-n",
        "KeySchema": [{"AttributeName": "n", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    attributes = [{"AttributeName": name, "AttributeType": kind} for name, kind in (("pk", "S"), ("n", "N"))]
    make_table(plain, table, EDGES, AttributeDefinitions=attributes, GlobalSecondaryIndexes=[index])
    before, definition = all_items(plain, table), definition_of(plain, table)["table"]
    schema = {"Table": plain.describe_table(TableName=table)["Table"]}
    dump = form(tmp_path, dump_files(table, [EDGES[:2], EDGES[2:5], EDGES[5:]], schema))
    plain.delete_table(TableName=table)
    backup = adopt(net, dump, table)
    assert net.recover(table).items_verified == len(EDGES)
    assert all_items(plain, table) == before
    assert definition_of(plain, table)["table"] == definition
    assert (backup.item_count, backup.engine) == (len(EDGES), "dynamodump")


def test_an_adopted_dump_is_a_backup_like_any_other(net: Process, table: str, tmp_path: Path) -> None:
    """In the catalog under the time the dump was made, whole at every depth, one line an item in its data file."""
    backup = adopt(net, in_folder(tmp_path, dump_files(table, PAGES)), table)
    assert net.catalog.latest(ACCOUNT, REGION, table) == backup
    assert (backup.time, backup.backup_id[:17]) == (TAKEN, "20240501T120000Z-")
    assert backup.item_count == len(ITEMS)
    found = verify_backup(net.catalog, backup, FULL, net.clock, NoProgress())
    assert (found.outcome, found.problems) == (Outcome.PASS, ())
    request = net.catalog.definition(backup).create_table
    assert request["ProvisionedThroughput"] == {"ReadCapacityUnits": 7, "WriteCapacityUnits": 3}


def test_what_a_dump_does_not_tell_is_unknown(net: Process, table: str, tmp_path: Path) -> None:
    """No tags, no time to live in a schema: they are unknown, which is not the same as absent. The stream is told."""
    schema = described(table)
    stream = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    schema["Table"] |= {"StreamSpecification": stream, "DeletionProtectionEnabled": True}
    definition = net.catalog.definition(
        adopt(net, in_folder(tmp_path, dump_files(table, PAGES, schema)), table)
    )
    assert {"tags", "time_to_live", "point_in_time_recovery"} & set(definition.unknown)
    assert not {"stream", "deletion_protection"} & set(definition.unknown)
    settings = definition.settings.model_dump()
    assert settings["stream"]["value"] == stream
    assert settings["deletion_protection"]["value"] is True


def test_a_dump_of_an_empty_table(net: Process, plain: DynamoDBClient, table: str, tmp_path: Path) -> None:
    """One page without items is a whole scan."""
    adopt(net, in_folder(tmp_path, dump_files(table, [[]])), table)
    net.recover(table)
    assert all_items(plain, table) == []


def broken_off(files: dict[str, bytes], table: str) -> None:
    """Throttled in mid-scan: the tool says completed all the same."""
    del files[f"{table}/data/0003.json"]


def page_missing(files: dict[str, bytes], table: str) -> None:
    """A file got lost on the way."""
    del files[f"{table}/data/0002.json"]


def first_page_missing(files: dict[str, bytes], table: str) -> None:
    """The very first one did."""
    del files[f"{table}/data/0001.json"]


def no_page(files: dict[str, bytes], table: str) -> None:
    """Throttled at the first page, or --schemaOnly: even an empty table's dump has one page."""
    for number in range(1, 4):
        del files[f"{table}/data/{number:04}.json"]


def older_pages_behind(files: dict[str, bytes], table: str) -> None:
    """Pages of an earlier dump of a larger table behind the page that ended this scan."""
    page = json.loads(files[f"{table}/data/0002.json"])
    del page["LastEvaluatedKey"]
    files[f"{table}/data/0002.json"] = printed(page)


def half_a_page(files: dict[str, bytes], table: str) -> None:
    """The disk was full."""
    body = files[f"{table}/data/0002.json"]
    files[f"{table}/data/0002.json"] = body[: len(body) // 2]


def no_items(files: dict[str, bytes], table: str) -> None:
    """A page of something else."""
    files[f"{table}/data/0001.json"] = printed({"Error": "item-0000"})


def schema_of_nothing(files: dict[str, bytes], table: str) -> None:
    """An error where the description should be."""
    files[f"{table}/schema.json"] = printed({"Error": "no such table"})


def half_a_schema(files: dict[str, bytes], table: str) -> None:
    """Cut."""
    files[f"{table}/schema.json"] = files[f"{table}/schema.json"][:50]


@pytest.mark.parametrize(
    "damage",
    [
        broken_off,
        page_missing,
        first_page_missing,
        no_page,
        older_pages_behind,
        half_a_page,
        no_items,
        schema_of_nothing,
        half_a_schema,
    ],
    ids=lambda damage: damage.__name__,
)
@pytest.mark.parametrize("form", [in_folder, in_zip, in_tar], ids=lambda form: form.__name__)
def test_a_dump_that_is_not_whole_is_not_adopted(
    net: Process,
    table: str,
    tmp_path: Path,
    damage: Callable[[dict[str, bytes], str], None],
    form: Callable[[Path, Files], Path],
) -> None:
    """An integrity error that names the file, nothing of an item in it, and nothing to be seen in the catalog."""
    files = dump_files(table, PAGES)
    damage(files, table)
    dump = form(tmp_path, files)
    with pytest.raises(DamagedObjectError) as caught:
        adopt(net, dump, table)
    assert caught.value.exit_code == 13
    assert f"{table}/" in caught.value.key
    assert "item-0" not in str(caught.value)
    assert net.catalog.backups(ACCOUNT, REGION, table).backups == ()


@pytest.mark.parametrize("form", [in_folder, in_zip, in_tar], ids=lambda form: form.__name__)
def test_without_a_schema_it_is_no_dump(form: Callable[[Path, Files], Path], tmp_path: Path) -> None:
    """Wrong input, said so with the path."""
    files = dump_files("orders", PAGES)
    del files["orders/schema.json"]
    dump = form(tmp_path, files)
    with pytest.raises(UsageError, match=r"no schema\.json in it") as caught, open_dump(dump):
        pass
    assert str(dump) in str(caught.value)


def test_what_is_no_dump_at_all(tmp_path: Path) -> None:
    """A path that is not there, an empty file, and a file of another kind are wrong input."""
    (tmp_path / "empty").touch()
    (tmp_path / "text.zip").write_text("no archive", encoding="utf-8")
    for name in ("missing", "empty", "text.zip"):
        with pytest.raises(UsageError, match="neither a folder nor a zip or tar archive"):
            items_of(tmp_path / name, "orders")


@pytest.mark.parametrize("form", [in_zip, in_tar, in_tar_gz], ids=lambda form: form.__name__)
def test_a_cut_archive_is_an_error(form: Callable[[Path, Files], Path], tmp_path: Path) -> None:
    """Cut anywhere, it never reads as a smaller dump, and never ends in an error of another tree."""
    dump = form(tmp_path, dump_files("orders", PAGES))
    body = dump.read_bytes()
    # The last blocks of a tar archive are padding.
    end = len(body) - 1 if form is in_zip else len(body) * 3 // 4
    for length in range(0, end, max(1, end // 60)):
        dump.write_bytes(body[:length])
        with pytest.raises(SafetyNetError):
            items_of(dump, "orders")


@pytest.mark.parametrize("form", [in_zip, in_tar, in_tar_gz], ids=lambda form: form.__name__)
def test_a_broken_archive_is_an_error(form: Callable[[Path, Files], Path], tmp_path: Path) -> None:
    """A flipped bit in packed data is told by an error of ours, or does not matter: items never change."""
    dump = form(tmp_path, dump_files("orders", PAGES))
    body = dump.read_bytes()
    # Behind the headers of the archive and its first file, and before the directory of a zip.
    for place in range(60, body.find(b"PK\x01\x02") if form is in_zip else len(body)):
        if form is in_zip and _in_a_header(body, place):
            continue
        dump.write_bytes(body[:place] + bytes([body[place] ^ 0x10]) + body[place + 1 :])
        try:
            found = items_of(dump, "orders")
        except SafetyNetError:
            continue
        assert found == ITEMS, place


def _in_a_header(body: bytes, place: int) -> bool:
    """Whether a byte belongs to the header of a file in a zip archive."""
    start = body.rfind(b"PK\x03\x04", 0, place + 4)
    names = int.from_bytes(body[start + 26 : start + 28], "little")
    return place < start + 30 + names


def test_a_crash_while_adopting_leaves_nothing_to_be_seen(net: Process, table: str, tmp_path: Path) -> None:
    """Whichever write was the last one, there is no backup before the manifest; adopting again makes a whole one."""
    dump = in_folder(tmp_path, dump_files(table, PAGES))
    adopt(net, dump, table)
    writes = net.faults.writes
    for nth, operation in enumerate(writes, 1):
        net = net.renewed()
        net.faults.crash(operation, nth=writes[:nth].count(operation))
        with pytest.raises(Crash):
            adopt(net, dump, table)
        net.again()
        manifest_written = any(key.endswith(MANIFEST) for key in net.store.writes)
        visible = net.catalog.backups(ACCOUNT, REGION, table).backups
        assert bool(visible) is manifest_written
        for backup in (*visible, adopt(net, dump, table)):
            found = verify_backup(net.catalog, backup, FULL, net.clock, NoProgress())
            assert found.outcome is Outcome.PASS
