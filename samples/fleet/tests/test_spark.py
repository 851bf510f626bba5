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

from corpus import make  # noqa: E402
from pyspark.sql import SparkSession  # noqa: E402
from test_mapper import CHAOS, chaos  # noqa: E402

from ptdump_lint.fleet.ask import QUESTIONS, ask_duckdb, ask_spark  # noqa: E402
from ptdump_lint.fleet.job import reconcile, run_batch, run_stream  # noqa: E402
from ptdump_lint.fleet.mapper import Mapper  # noqa: E402
from ptdump_lint.fleet.schema import VOLATILE, spark_schema  # noqa: E402
from ptdump_lint.program import Limits  # noqa: E402

# As many as the tests of a change take; docs/performance.md has 1,000.
COUNT = int(os.environ.get("FLEET_INPUTS", "60"))


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    # Four attempts: an executor's Python is killed in one test.
    session = (
        SparkSession.builder.master(os.environ.get("FLEET_MASTER", "local[2,4]"))
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
    assert counts.agree and counts.lines == counts.rows == counts.distinct == COUNT, str(counts)
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
    assert not counts.agree and (counts.lines, counts.rows) == (3, 2)


def test_chaos_is_rows(spark: SparkSession, misbehave: str, tmp_path: Path) -> None:
    kinds = {**CHAOS, "worker": "clean"}
    folder = tmp_path / "inputs"
    folder.mkdir()
    lines = chaos(folder, 40, kinds)
    manifest = tmp_path / "manifest"
    manifest.write_text("".join(line + "\n" for line in lines))
    mapper = Mapper.of(misbehave, limits=Limits(seconds=20, memory=512 << 20))
    run_batch(spark, str(manifest), str(tmp_path / "out"), mapper, "1", task=4)
    counts = reconcile(spark, str(manifest), str(tmp_path / "out"))
    assert counts.agree and counts.distinct == 40, str(counts)
    for path, row in rows(spark, tmp_path / "out").items():
        assert row["outcome"] == kinds[Path(path).name.split("-")[0]], row
    assert list(folder.glob("worker-*.killed"))


def test_a_driver_that_is_killed_loses_nothing(
    spark: SparkSession, program: str, tmp_path: Path
) -> None:
    lines = make(tmp_path / "inputs", 40)
    in_manifests(tmp_path / "manifests", lines, 4)
    command = [
        sys.executable, "-m", "ptdump_lint.fleet", "stream", str(tmp_path / "manifests"),
        str(tmp_path / "out"), str(tmp_path / "check"), "--program", program, "--master",
        "local[2,4]", "--task", "4"]
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
