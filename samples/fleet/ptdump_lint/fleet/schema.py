"""The shape of a row, in Spark's words and in Arrow's."""

from __future__ import annotations

from typing import Any

# name, type: a name of a plain type, [type] of a list, {name: type} of a record, "map" of text to text.
ROW: dict[str, Any] = {
    "path": "string", "length": "long", "mtime": "long", "machine": "string", "metadata": "map",
    "tool": "string", "schema_version": "int", "outcome": "string", "status": "int",
    "signal": "int", "seconds": "double", "cpu_seconds": "double", "peak_memory": "long",
    "stderr": "string", "attempt": "int", "day": "string", "reason": "string", "advice": "string",
    "cause": "string", "format": "string", "architecture": "string", "paging_mode": "string",
    "release": "string", "complete": "boolean", "facts": "map",
    "findings": [{
        "rule": "string", "name": "string", "severity": "string", "message": "string",
        "help": "string", "evidence": ["string"], "table": "string", "area": "string",
        "start": "string", "end": "string", "pages": "decimal", "level": "string",
        "entry": "string", "physical": "string", "fingerprint": "string", "cause_key": "string",
        "known": "boolean", "suppression": "string"}],
    "skipped": [{"rule": "string", "reason": "string"}],
    "self_tests": [{
        "test_bit": "string", "result": "string", "verdict": "string", "failures": "int",
        "causes": ["string"]}],
    "faults": [{
        "kind": "string", "cause": "string", "level": "string", "area": "string",
        "symbol": "string", "access": "string", "instruction": "string", "agreement": "string",
        "address": "string", "report": "string", "explanation": "string", "line": "int"}],
    "direct_map": [{"page_size": "long", "count": "long"}],
    "splits": [{"page_size": "long", "count": "long", "differs": "string"}],
    "mapped": [{"area": "string", "page_size": "long", "bytes": "decimal"}],
    "writable_executable_pages": "decimal",
    "other": ["string"],
}

#: What two runs over one manifest need not have alike.
VOLATILE = ("seconds", "cpu_seconds", "peak_memory", "attempt")

#: What tells rows apart: the same input judged by the same program is the same row.
KEY = ("path", "length", "mtime", "tool")


def spark_schema() -> str:
    """The row's type as Spark's DDL."""
    return ", ".join(f"`{name}` {_spark(kind)}" for name, kind in ROW.items())


def _spark(kind: Any) -> str:
    if isinstance(kind, list):
        return f"array<{_spark(kind[0])}>"
    if isinstance(kind, dict):
        return "struct<" + ", ".join(f"`{name}`: {_spark(part)}" for name, part in kind.items()) + ">"
    # Counts of pages and bytes have 64 bits without a sign.
    return {"long": "bigint", "map": "map<string, string>", "decimal": "decimal(20, 0)"}.get(
        kind, str(kind))


def arrow_schema() -> Any:
    """The row's type as Arrow's schema."""
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

    return pa.schema([pa.field(name, arrow(kind)) for name, kind in ROW.items()])


def complete(row: dict[str, Any]) -> dict[str, Any]:
    """The row with every column, and no column that the schema lacks."""
    return {name: row.get(name) for name in ROW}


def batch(rows: list[dict[str, Any]]) -> Any:
    """Rows as an Arrow batch."""
    import decimal

    import pyarrow as pa

    def fit(value: Any, kind: Any) -> Any:
        if value is None:
            return None
        if isinstance(kind, list):
            return [fit(part, kind[0]) for part in value]
        if isinstance(kind, dict):
            return {name: fit(value.get(name), part) for name, part in kind.items()}
        if kind == "decimal":
            return decimal.Decimal(value)
        return list(value.items()) if kind == "map" else value

    return pa.RecordBatch.from_pylist(
        [{name: fit(row.get(name), kind) for name, kind in ROW.items()} for row in rows],
        schema=arrow_schema())
