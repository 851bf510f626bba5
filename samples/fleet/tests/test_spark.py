"""The job on Spark: batch and stream, chaos, a driver that is killed, and the same answers as DuckDB's."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Iterator

import pytest

pytest.importorskip("pyspark")
pytest.importorskip("pyarrow")
pytest.importorskip("duckdb")

from conftest import sample  # noqa: E402
from corpus import make  # noqa: E402
from pyspark.errors import PySparkException  # noqa: E402
from pyspark.sql import SparkSession  # noqa: E402
from test_mapper import CHAOS, chaos  # noqa: E402

from ptdump_lint.fleet.__main__ import main  # noqa: E402
from ptdump_lint.fleet.ask import QUESTIONS, ask_duckdb, ask_spark  # noqa: E402
from ptdump_lint.fleet.job import Counts, reconcile, run_batch, run_dump, run_stream  # noqa: E402
from ptdump_lint.fleet.manifest import entries  # noqa: E402
from ptdump_lint.fleet.mapper import Mapper  # noqa: E402
from ptdump_lint.fleet.mappings import MAPPING, Image  # noqa: E402
from ptdump_lint.fleet.schema import VOLATILE, spark_schema  # noqa: E402
from ptdump_lint.program import Limits  # noqa: E402

# As many as the tests of a change take; docs/performance.md has 1,000.
COUNT = int(os.environ.get("FLEET_INPUTS", "60"))
# Eight attempts: in one test, a task may have four inputs that kill its Python.
MASTER = os.environ.get("FLEET_MASTER", "local[2,8]")


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    session = (
        SparkSession.builder.master(MASTER).config("spark.task.maxFailures", "8")
        .config("spark.ui.enabled", "false").config("spark.ui.showConsoleProgress", "false")
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", "64")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1").getOrCreate())
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A corpus, and the lines of its manifest; the last is no line of one."""
    return [*make(tmp_path_factory.mktemp("corpus"), COUNT - 1), "nonsense"]


def rows(spark: SparkSession, output: Path) -> dict[str, dict[str, Any]]:
    """The rows by path, without what two runs need not have alike; fails where a path has two."""
    found = spark.read.schema(spark_schema()).parquet(f"{output}/batch=*").collect()
    plain = [row.asDict(recursive=True) for row in found]
    assert len({row["path"] for row in plain}) == len(plain)
    return {
        row["path"]: {key: value for key, value in row.items() if key not in VOLATILE}
        for row in plain}


def in_manifests(folder: Path, lines: list[str], count: int) -> None:
    """Manifests written beside and renamed, as collectors do."""
    folder.mkdir()
    for number in range(count):
        part = folder.parent / f"{number}.part"
        part.write_text("".join(line + "\n" for line in lines[number::count]))
        part.rename(folder / f"{number}.manifest")


def test_batch_and_stream_are_alike(
    spark: SparkSession, program: str, inputs: list[str], tmp_path: Path
) -> None:
    mapper = Mapper.of(program)
    manifest = tmp_path / "manifest"
    manifest.write_text("".join(line + "\n" for line in inputs))
    run_batch(spark, str(manifest), str(tmp_path / "batch"), mapper, "all", task=4)
    counts = reconcile(spark, str(manifest), str(tmp_path / "batch"))
    assert counts.agree and counts.lines == counts.rows == COUNT, str(counts)
    by_batch = rows(spark, tmp_path / "batch")
    assert by_batch["nonsense"]["outcome"] == "garbled"
    assert {row["outcome"] for row in by_batch.values()} >= {"clean", "findings", "unreadable"}

    # A second run overwrites the first.
    run_batch(spark, str(manifest), str(tmp_path / "batch"), mapper, "all", task=4)
    assert rows(spark, tmp_path / "batch") == by_batch

    in_manifests(tmp_path / "manifests", inputs, 3)
    for _ in range(2):
        # The second time there is nothing left to do.
        run_stream(
            spark, str(tmp_path / "manifests"), str(tmp_path / "stream"), str(tmp_path / "check"),
            mapper, task=4)
        assert len(list((tmp_path / "stream").glob("batch=*"))) == 3
        assert reconcile(spark, str(tmp_path / "manifests"), str(tmp_path / "stream")).agree
        assert rows(spark, tmp_path / "stream") == by_batch

    by_spark = ask_spark(spark, str(tmp_path / "batch"))
    by_duckdb = ask_duckdb(str(tmp_path / "batch"))
    for name in QUESTIONS:
        assert by_spark[name] == by_duckdb[name], name
    assert by_spark["top_causes"].rows and by_spark["not_read"].rows and by_spark["direct_map"].rows
    findings = sum(row[6] for row in by_spark["top_causes"].rows)
    assert findings > 2 * len(by_spark["top_causes"].rows)


def test_counts_that_do_not_agree(spark: SparkSession, program: str, tmp_path: Path) -> None:
    manifest = tmp_path / "manifest"
    manifest.write_text('{"path": "a"}\n{"path": "b"}\n\n')
    run_batch(spark, str(manifest), str(tmp_path / "out"), Mapper.of(program), "1")
    assert reconcile(spark, str(manifest), str(tmp_path / "out")).agree
    manifest.write_text('{"path": "a"}\n{"path": "b"}\n{"path": "c"}\n')
    counts = reconcile(spark, str(manifest), str(tmp_path / "out"))
    assert not counts.agree and counts == Counts(lines=3, rows=2, lost=1, stray=0)
    assert str(counts) == "3 manifest lines, 2 rows: 1 LOST, 0 TOO MANY"
    # As many rows as lines, but of another input.
    manifest.write_text('{"path": "a"}\n{"path": "c"}\n')
    assert reconcile(spark, str(manifest), str(tmp_path / "out")) == Counts(2, 2, 1, 1)
    assert reconcile(spark, str(manifest), str(tmp_path / "nothing")) == Counts(2, 0, 2, 0)


def test_lines_of_any_kind(spark: SparkSession, program: str, tmp_path: Path) -> None:
    healthy = Path(sample("healthy/kernel.txt")).read_bytes()
    names = [b"a space", b"a\nline", b"no \xff UTF-8", b"quo'te\"", "ümlaut".encode(), b"star*"]
    for name in names:
        (tmp_path / os.fsdecode(name)).write_bytes(healthy)
    readable = [
        entry.line().encode()
        for entry in entries(str(tmp_path / os.fsdecode(name)) for name in names)]
    # The bytes as they are, and a line that comes twice.
    raw = b'{"path": "' + os.fsencode(tmp_path) + b'/no \xff UTF-8", "machine": "raw"}'
    others = [
        b"[" * 100_000, b'{"path": "a\\u0000b"}', b'{"path": "a\\ud800"}', b'{"path": ""}',
        b'{"path": "x", "length": %d}' % (1 << 70), b'{"path": "x", "mtime": true}', b"\xff\xfe",
        json.dumps({"path": str(tmp_path)}).encode()]
    lines = [*readable, raw, readable[0], *others]
    manifest = tmp_path / "manifest"
    manifest.write_bytes(b"\r\n\n \t\n" + b"\r\n".join(lines) + b"\n\n")
    mapper = Mapper.of(program)
    run_batch(spark, str(manifest), str(tmp_path / "out"), mapper, "1", task=4)
    counts = reconcile(spark, str(manifest), str(tmp_path / "out"))
    assert counts.agree and counts.lines == counts.rows == len(lines), counts
    found = spark.read.schema(spark_schema()).parquet(f"{tmp_path}/out/batch=1").collect()
    outcomes = [row.outcome for row in found]
    assert outcomes.count("clean") == 8 and outcomes.count("garbled") == 7
    assert outcomes.count("unreadable") == 1
    # The second way has the same rows.
    assert main(["map", str(manifest), str(tmp_path / "rows"), "--program", program]) == 0
    mapped = [json.loads(line) for line in (tmp_path / "rows").read_text().splitlines()]
    key = ("path", "machine", "outcome", "reason")
    assert sorted(str([row[name] for name in key]) for row in mapped) == sorted(
        str([row[name] for name in key]) for row in found)
    (tmp_path / "rows").rename(tmp_path / "rows.jsonl")
    assert ask_duckdb(str(tmp_path / "rows.jsonl"), json_lines=True) == ask_duckdb(
        str(tmp_path / "out"))


def test_a_node_without_the_program_fails(spark: SparkSession, tmp_path: Path) -> None:
    manifest = tmp_path / "manifest"
    manifest.write_text('{"path": "a"}\n')
    with pytest.raises(PySparkException, match="is not there: install ptdump-lint"):
        run_batch(
            spark, str(manifest), str(tmp_path / "out"), Mapper(program="/nowhere", tool="1"), "1")
    assert not list(tmp_path.glob("out/batch=1/*.parquet"))


def test_one_image_in_parts(spark: SparkSession, program: str, tmp_path: Path) -> None:
    image = Image(sample("cpa-2008/memory.elf"), program)
    run_dump(spark, image, str(tmp_path / "out"), "1", parts=4)
    found = [
        row.asDict()
        for row in spark.read.parquet(f"{tmp_path}/out/mappings=1").orderBy("start").collect()]
    whole = list(image.mappings("0-0"))
    assert len(found) > len(whole) > 100
    assert sum(row["size"] for row in found) == sum(row["size"] for row in whole)
    # Where parts meet a mapping is cut: put together, they are what one process lists.
    joined: list[dict[str, Any]] = []
    for row in (row for row in found if row["kind"] != "hole"):
        last = joined[-1] if joined else None
        if last and last["end"] == row["start"] and all(
            last[name] == row[name] for name in MAPPING
            if name not in ("start", "end", "size", "physical", "symbol")
        ) and (last["physical"] is None or int(last["physical"], 16) + int(last["size"])
               == int(row["physical"], 16)):
            last.update(end=row["end"], size=last["size"] + row["size"])
        else:
            joined.append(row)
    assert joined == [row for row in whole if row["kind"] != "hole"]


def test_chaos_is_rows(spark: SparkSession, misbehave: str, tmp_path: Path) -> None:
    kinds = {**CHAOS, "worker": "clean"}
    if MASTER.startswith("local-cluster"):
        kinds["executor"] = "clean"
    folder = tmp_path / "inputs"
    folder.mkdir()
    lines = chaos(folder, 40, kinds)
    manifest = tmp_path / "manifest"
    manifest.write_text("".join(line + "\n" for line in lines))
    mapper = Mapper.of(misbehave, limits=Limits(seconds=40, memory=512 << 20))
    run_batch(spark, str(manifest), str(tmp_path / "out"), mapper, "1", task=4)
    counts = reconcile(spark, str(manifest), str(tmp_path / "out"))
    assert counts.agree and counts.rows == 40, str(counts)
    for path, row in rows(spark, tmp_path / "out").items():
        assert row["outcome"] == kinds[Path(path).name.split("-")[0]], row
    for kind in kinds:
        assert kind not in ("worker", "executor") or list(folder.glob(f"{kind}-*.killed"))


def test_a_driver_that_is_killed_loses_nothing(
    spark: SparkSession, program: str, tmp_path: Path
) -> None:
    lines = make(tmp_path / "inputs", 40)
    in_manifests(tmp_path / "manifests", lines, 4)
    command = [
        sys.executable, "-m", "ptdump_lint.fleet", "stream", str(tmp_path / "manifests"),
        str(tmp_path / "out"), str(tmp_path / "check"), "--program", program, "--master", MASTER,
        "--task", "4"]
    with open(tmp_path / "log", "wb") as log:
        driver = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + 300
        # In the middle of its second batch.
        while not list((tmp_path / "out").glob("batch=1/_temporary")):
            assert driver.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        os.killpg(driver.pid, signal.SIGKILL)
        driver.wait()
        assert len(list((tmp_path / "out").glob("batch=*/_SUCCESS"))) < 4
        again = subprocess.run(command, stdout=subprocess.PIPE, stderr=log, timeout=600)
    assert again.returncode == 0, (tmp_path / "log").read_text()[-3000:]
    assert b"they agree" in again.stdout
    found = rows(spark, tmp_path / "out")
    assert sorted(found) == sorted(json.loads(line)["path"] for line in lines)
