"""Items at the edges of what DynamoDB holds (developer guide, 'Naming rules and data types', 'Quotas'), by name.

Every item has the key ``pk``, a string, which is its name.
"""

from __future__ import annotations

from typing import Any

Item = dict[str, Any]

KEY = "pk"
ITEM_BYTES = 400 * 1024  # names and values together
DEEPEST = 32
NINES = "9" * 38


def some(count: int, word: str = "value") -> list[Item]:
    """Small items without an edge."""
    return [{KEY: {"S": f"item-{number:04}"}, "v": {"S": word}} for number in range(count)]


def edge_items() -> dict[str, Item]:
    """All of them."""
    found: dict[str, Item] = {}
    for kind, cases in (
        ("number", NUMBERS),
        ("string", STRINGS),
        ("binary", BINARIES),
        ("set", SETS),
        ("document", DOCUMENTS),
    ):
        for name, value in cases.items():
            found[f"{kind}: {name}"] = {"value": value}
    for name, attribute in NAMES.items():
        found[f"name: {name}"] = {attribute: {"S": "top"}, "map": {"M": {attribute: {"N": "1"}}}}
    found["size: 400,000 bytes"] = {"value": {"S": "x" * 400_000}}
    for what, fill in FILLS.items():
        found[f"size: the largest item, {what}"] = largest(f"size: the largest item, {what}", fill)
    found["order: one way"] = {
        "a": {"S": "1"},
        "m": {"M": {"x": {"N": "1"}, "y": {"N": "2"}}},
        "z": {"S": "2"},
    }
    found["order: the other way"] = {
        "z": {"S": "2"},
        "m": {"M": {"y": {"N": "2"}, "x": {"N": "1"}}},
        "a": {"S": "1"},
    }
    found["size: a thousand attributes"] = {
        f"attribute-{number:04}": {"N": str(number)} for number in range(1000)
    }
    return {name: {KEY: {"S": name}, **attributes} for name, attributes in found.items()}


def largest(name: str, fill: Item, more: int = 0) -> Item:
    """An item of that name and as many bytes as fit, all of them one byte again and again; or some more."""
    ((kind, one),) = fill.items()
    return {
        KEY: {"S": name},
        "value": {kind: one * (ITEM_BYTES - len(KEY) - len(name) - len("value") + more)},
    }


def nested(depth: int, kind: str) -> Item:
    """Lists or maps in one another."""
    value: Item = {"S": "bottom"}
    for level in range(depth):
        value = {"L": [value]} if kind == "L" else {"M": {f"level {level}": value}}
    return value


FILLS: dict[str, Item] = {
    "of letters": {"S": "x"},
    "of what JSON escapes": {"S": "\x01"},
    "of bytes": {"B": b"\xff"},
}

NUMBERS: dict[str, Item] = {
    name: {"N": text}
    for name, text in {
        "38 digits": NINES,
        "38 digits, negative": f"-{NINES}",
        "38 digits after the point": f"0.{NINES}",
        "38 digits around the point": f"{NINES[:19]}.{NINES[:19]}",
        "the largest": f"9.{NINES[1:]}E+125",
        "the smallest": f"-9.{NINES[1:]}E+125",
        "nearest to zero": "1E-130",
        "nearest to zero, negative": "-1E-130",
        "zero": "0",
        "beyond a double": "9007199254740993",
        "a tenth": "0.1",
        "spelled with zeros at its end": "1.500",
        "spelled with zeros at its start": "007",
        "spelled with an exponent": "15e-1",
        "spelled with a plus": "+5",
        "spelled as minus zero": "-0",
        "hundreds, spelled with zeros": "1200",
    }.items()
}

STRINGS: dict[str, Item] = {
    name: {"S": text}
    for name, text in {
        "empty": "",
        "NUL": "a\x00b",
        "all control characters": "".join(map(chr, (*range(32), *range(127, 160)))),
        "line ends": "\n\r\n\u0085\u2028\u2029",
        "quotes and backslashes": '"\\"\\\\ \\u0000 \\n \'',
        "a line of the data format": '"}}\n{"Item":{"pk":{"S":"forged"}}}\n',
        "combining, not composed": "e\u0301 and \u00e9",
        "astral": "\U0001f469\u200d\U0001f680 \U00010000 \U0010ffff",
        "right to left": "\u05e9\u05dc\u05d5\u05dd \u202eabc\u202c",
        "byte order mark": "\ufeffx",
        "no characters": "\ufffe\uffff\ufffd",
        "looks like a number": "1.0",
        "spaces": "  \t ",
    }.items()
}

BINARIES: dict[str, Item] = {
    "empty": {"B": b""},
    "NUL": {"B": b"\x00"},
    "every byte": {"B": bytes(range(256))},
    "looks like base64": {"B": b"AAECAw=="},
    "no UTF-8": {"B": b"\xff\xfe\xc0\x80"},
}

SETS: dict[str, Item] = {
    "of strings": {"SS": ["a", "B", "\u00e9", "e\u0301", "\U0001f680", '"', "\x00"]},
    "of numbers": {"NS": ["1", "-1", "0", NINES, "1E-130", "9.9E+125"]},
    "of binaries": {"BS": [b"a", b"\x00", b"\xff\xfe"]},
    "of one": {"SS": ["alone"]},
    "with an empty string": {"SS": ["", "a"]},
    "with an empty binary": {"BS": [b"", b"a"]},
    "in a map": {"M": {"S": {"SS": ["b", "a"]}, "N": {"NS": ["2", "1"]}, "B": {"BS": [b"\x01", b"\x00"]}}},
    "in a list": {"L": [{"SS": ["b", "a"]}, {"NS": ["2.50", "1"]}, {"BS": [b"\x01", b"\x00"]}]},
}

EVERY_TYPE: list[Item] = [
    {"S": "text"},
    {"S": ""},
    {"N": NINES},
    {"B": b"\x00\xff"},
    {"B": b""},
    {"BOOL": True},
    {"BOOL": False},
    {"NULL": True},
    {"L": []},
    {"M": {}},
    {"SS": ["a"]},
    {"NS": ["1"]},
    {"BS": [b"\x00"]},
]

DOCUMENTS: dict[str, Item] = {
    "true": {"BOOL": True},
    "false": {"BOOL": False},
    "null": {"NULL": True},
    "empty list": {"L": []},
    "empty map": {"M": {}},
    "every type in a list": {"L": EVERY_TYPE},
    "every type in a map": {"M": {str(number): value for number, value in enumerate(EVERY_TYPE)}},
    "the same twice in a list": {"L": [{"N": "1"}, {"N": "1"}, {"S": "1"}]},
    "lists, as deep as can be": nested(DEEPEST - 1, "L"),
    "maps, as deep as can be": nested(DEEPEST - 1, "M"),
}

NAMES: dict[str, str] = {
    "quote": '"',
    "backslash": "\\",
    "both, as if escaped": '\\"\\\\u0022',
    "dots": "a.b..c.",
    "spaces": "  a b ",
    "expression": "#n = :v",
    "brackets": "a[0].b{}",
    "line end": "a\nb\r\n",
    "NUL": "a\x00b",
    "separators": "\u2028\u2029",
    "combining": "e\u0301",
    "astral": "\U0001f680",
    "right to left": "\u202e\u05e9",
    "255 bytes": "n" * 255,
    "more than 255 bytes": "n" * 1000,
    "255 characters of four bytes": "\U0001f680" * 255,
    "a type": "S",
    "a part of the format": "Item",
    "a part of the request": "PutRequest",
    "reserved word": "SELECT",
    "of every object in node": "__proto__",
    "constructor of every object in node": "constructor",
    "number": "0",
}
