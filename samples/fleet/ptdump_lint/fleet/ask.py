"""Asks the questions of report.sql, by Spark SQL or by DuckDB."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from importlib import resources
from typing import Any

from ..program import Failure

#: The eight questions, then what the page shows besides; each is a view of report.sql.
QUESTIONS = {
    "top_causes": "Top causes",
    "first_seen": "New since",
    "by_release": "By release",
    "regressions": "Between two releases",
    "not_read": "Not read whole",
    "self_test_verdicts": "CPA self-tests",
    "faults_by_cause": "Faults by cause",
    "direct_map": "Direct map by machine and day",
}
TREND = "trend"

#: An order that both engines give alike.
ORDERS = {
    "top_causes": "inputs DESC, findings DESC, cause",
    "first_seen": "first_day DESC, cause",
    "by_release": "release",
    "regressions": "change DESC, inputs DESC, cause",
    "not_read": "inputs DESC, outcome, cause",
    "self_test_verdicts": "release, test_bit, verdict",
    "faults_by_cause": "faults DESC, kind, cause, area",
    "direct_map": "machine, day",
    TREND: "day",
}


@dataclass(frozen=True)
class Table:
    """An answer."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


def statements() -> list[str]:
    """The statements of report.sql, without comments."""
    text = (resources.files(__package__) / "report.sql").read_text()
    return [part.strip() for part in re.sub(r"--.*", "", text).split(";") if part.strip()]


def _answers(
    execute: Callable[[str], Any], fetch: Callable[[str], Table], releases: tuple[str, str] | None
) -> dict[str, Table]:
    if releases is None:
        # By default the two newest that were seen: those whose first inputs came last.
        found = fetch(
            "SELECT release, min(coalesce(day, '')) AS first FROM judged WHERE release IS NOT NULL "
            "GROUP BY release ORDER BY first DESC, release DESC LIMIT 2").rows
        newest = [str(row[0]) for row in found] + ["", ""]
        releases = (newest[1], newest[0])
    old, new = (name.replace("'", "''") for name in releases)
    execute("CREATE OR REPLACE TEMPORARY VIEW compared AS "
            f"SELECT '{old}' AS old_release, '{new}' AS new_release")
    for statement in statements():
        execute(statement)
    return {
        name: fetch(f"SELECT * FROM {name} ORDER BY {ORDERS[name]}") for name in [*QUESTIONS, TREND]}


def ask_duckdb(
    output: str, releases: tuple[str, str] | None = None, json_lines: bool = False
) -> dict[str, Table]:
    """The answers of DuckDB over batch=*/*.parquet, or over files of JSON lines."""
    import duckdb

    connection = duckdb.connect()
    connection.execute("CREATE MACRO explode(l) AS unnest(l)")
    quoted = output.replace("'", "''")
    if json_lines:
        columns = ", ".join(f"'{name}': '{kind}'" for name, kind in _duckdb_types().items())
        source = (f"read_json('{quoted}', format = 'newline_delimited', columns = {{{columns}}}, "
                  "maximum_object_size = 1073741824)")
    else:
        source = f"read_parquet('{quoted}/batch=*/*.parquet', hive_partitioning = false)"
    try:
        connection.execute(f"CREATE TEMPORARY VIEW judged AS SELECT * FROM {source}")
    except duckdb.IOException as error:
        raise Failure(str(error)) from error

    def fetch(query: str) -> Table:
        cursor = connection.execute(query)
        columns = tuple(part[0] for part in cursor.description or ())
        return Table(columns, tuple(tuple(map(_plain, row)) for row in cursor.fetchall()))

    return _answers(connection.execute, fetch, releases)


def ask_spark(
    spark: Any, output: str, releases: tuple[str, str] | None = None
) -> dict[str, Table]:
    """The answers of Spark SQL over the same files."""
    from .schema import spark_schema

    spark.read.schema(spark_schema()).parquet(f"{output}/batch=*").createOrReplaceTempView("judged")

    def fetch(query: str) -> Table:
        frame = spark.sql(query)
        return Table(
            tuple(frame.columns),
            tuple(tuple(map(_plain, row)) for row in frame.collect()))

    return _answers(spark.sql, fetch, releases)


def _plain(value: Any) -> Any:
    """Sums are decimals in one engine, and big integers in the other."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value


def _duckdb_types() -> dict[str, str]:
    from .schema import ROW

    plain = {
        "string": "VARCHAR", "long": "BIGINT", "int": "INTEGER", "double": "DOUBLE",
        "boolean": "BOOLEAN", "decimal": "DECIMAL(20, 0)", "map": "MAP(VARCHAR, VARCHAR)"}

    def words(kind: Any) -> str:
        if isinstance(kind, list):
            return f"{words(kind[0])}[]"
        if isinstance(kind, dict):
            return "STRUCT(" + ", ".join(f'"{key}" {words(part)}' for key, part in kind.items()) + ")"
        return plain[kind]

    return {name: words(kind) for name, kind in ROW.items()}
