"""The shape of a row, in Spark's words and in Arrow's."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

# name, type: a name of a plain type, [type] of a list, {name: type} of a record, "map" of text to text.
# Names are those of docs/schema with underscores.
ROW: dict[str, Any] = {
    "path": "string", "length": "long", "mtime": "long", "machine": "string", "metadata": "map",
    "tool": "string", "schema_version": "int", "outcome": "string", "status": "int",
    "signal": "int", "seconds": "double", "cpu_seconds": "double", "peak_memory": "long",
    "stderr": "string", "attempt": "int", "day": "string", "reason": "string", "advice": "string",
    "cause": "string", "format": "string", "architecture": "string", "paging_mode": "string",
    "release": "string", "tables": ["string"], "complete": "boolean", "dump_level": "int",
    "tables_taken_for_zero": "long", "facts": "map",
    "findings": [{
        "rule": "string", "name": "string", "severity": "string", "message": "string",
        "help": "string", "evidence": ["string"], "table": "string", "area": "string",
        "start": "string", "end": "string", "pages": "decimal", "level": "string",
        "entry": "string", "physical": "string", "fingerprint": "string", "cause_key": "string",
        "known": "boolean", "suppression": "string",
        "walk": [{
            "level": "string", "index": "int", "table": "string", "entry": "string",
            "owner": "string"}]}],
    "skipped": [{"rule": "string", "reason": "string"}],
    "self_tests": [{
        "test_bit": "string", "result": "string", "verdict": "string", "failures": "int",
        "causes": ["string"]}],
    "faults": [{
        "kind": "string", "line": "int", "report": "string", "address": "string", "last": "string",
        "access": "string", "error_code": "string", "instruction": "string", "hint": "string",
        "cause": "string", "level": "string", "judged_by": "string", "tables_cause": "string",
        "tables_level": "string", "reported": "map", "agreement": "string", "entries": "string",
        "area": "string", "symbol": "string", "process": "string", "table_owner": "string",
        "explanation": "string"}],
    "direct_map": [{"page_size": "long", "count": "long"}],
    "splits": [{"page_size": "long", "count": "long", "differs": ["string"]}],
    "mapped": [{"area": "string", "page_size": "long", "bytes": "decimal"}],
    "protected": [{
        "area": "string", "write": "boolean", "execute": "boolean", "bytes": "decimal"}],
    "writable_executable_pages": "decimal",
    "other": ["string"],
}

#: What two runs over one manifest need not have alike.
VOLATILE = ("seconds", "cpu_seconds", "peak_memory", "attempt")

#: What tells inputs apart; with the program's version, what tells rows apart.
KEY = {name: ROW[name] for name in ("path", "length", "mtime")}


def spark_schema(record: dict[str, Any] = ROW) -> str:
    """A record's type as Spark's DDL."""
    return ", ".join(f"`{name}` {_spark(kind)}" for name, kind in record.items())


def _spark(kind: Any) -> str:
    if isinstance(kind, list):
        return f"array<{_spark(kind[0])}>"
    if isinstance(kind, dict):
        return "struct<" + ", ".join(f"`{name}`: {_spark(part)}" for name, part in kind.items()) + ">"
    # Counts of pages and bytes have 64 bits without a sign.
    return {"long": "bigint", "map": "map<string, string>", "decimal": "decimal(20, 0)"}.get(
        kind, str(kind))


def arrow_schema(record: dict[str, Any]) -> Any:
    """A record's type as Arrow's schema."""
    import pyarrow as pa

    plain = {
        "string": pa.string(), "long": pa.int64(), "int": pa.int32(), "double": pa.float64(),
        "boolean": pa.bool_(), "decimal": pa.decimal128(20, 0), "map": pa.map_(pa.string(), pa.string())}

    def arrow(kind: Any) -> Any:
        if isinstance(kind, list):
            return pa.list_(arrow(kind[0]))
        if isinstance(kind, dict):
            return pa.struct([pa.field(name, arrow(part)) for name, part in kind.items()])
        return plain[kind]

    return pa.schema([pa.field(name, arrow(kind)) for name, kind in record.items()])


# What the numbers of a type are below.
_BOUNDS = {"int": 1 << 31, "long": 1 << 63, "decimal": 1 << 64}
_PLAIN: dict[str, tuple[type, ...]] = {
    "string": (str,), "double": (float, int), "boolean": (bool,), "int": (int,), "long": (int,),
    "decimal": (int,), "map": (dict,)}


def fit(value: Any, kind: Any, key: Callable[[str], str] = str) -> Any:
    """The value as a column has it, whose names key finds in it.

    Raises TypeError or ValueError where the value is of another type: engines end a whole job then.
    """
    if value is None:
        return None
    if isinstance(kind, list):
        if not isinstance(value, list):
            raise TypeError(f"no list: {value!r:.80}")
        return [fit(part, kind[0], key) for part in value]
    if isinstance(kind, dict):
        return {name: fit(value.get(key(name)), part, key) for name, part in kind.items()}
    if not isinstance(value, _PLAIN[kind]) or (isinstance(value, bool) and kind != "boolean"):
        raise TypeError(f"no {kind}: {value!r:.80}")
    plain: Any = value
    if kind == "map":
        return {_text(name): _text(part) for name, part in plain.items()}
    if kind in _BOUNDS and abs(plain) >= _BOUNDS[kind]:
        raise ValueError(f"no {kind}: {plain}")
    return _text(plain) if kind == "string" else plain


def _text(value: str) -> str:
    """Bytes of a path that are not UTF-8 are kept as \\udcXX."""
    return value.encode(errors="backslashreplace").decode()


@functools.cache
def camel(name: str) -> str:
    """The name of docs/schema."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def batch(records: list[dict[str, Any]], schema: Any) -> Any:
    """Records as an Arrow batch, by what arrow_schema gives."""
    import pyarrow as pa

    return pa.RecordBatch.from_pylist(records, schema=schema)
