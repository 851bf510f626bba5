"""The Spark job: manifests in, Parquet out. Spark schedules, retries and restarts."""

from __future__ import annotations

import gc
import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from .manifest import Entry
from .mapper import Mapper, Row
from .mappings import MAPPING, Image
from .schema import KEY, ROW, arrow_schema, batch, fit, spark_schema

# Inputs a task at most: what is done again where an executor dies. A task costs 0.6 s of the
# processor, whatever it does: the worker reads Spark's own zip files anew, Java makes a Parquet file.
TASK = 64
# Rows that wait in memory for one batch.
TOGETHER = 16


def _lines(spark: Any, manifest: str) -> Any:
    return _not_blank(spark.read.text(manifest))


def _not_blank(lines: Any) -> Any:
    # As bytes: Arrow takes no text that is not UTF-8.
    return lines.filter(lines.value.rlike(r"\S")).select(lines.value.cast("binary"))


def _decoded(part: Any) -> Iterator[str]:
    for line in part.column(0).to_pylist():
        yield line.decode(errors="surrogateescape")


def _together(made: Iterable[Row]) -> Iterator[list[Row]]:
    """Rows in lists of few findings: Arrow takes as long for one row as for sixteen."""
    some: list[Row] = []
    for row in made:
        some.append(row)
        if len(some) == TOGETHER or sum(len(row["findings"]) for row in some) > 1000:
            yield some
            some = []
    if some:
        yield some


def rows(lines: Any, mapper: Mapper, task: int = TASK) -> Any:
    """The rows of a data frame of manifest lines; a failure is a row, never a failed task."""
    def judge(batches: Iterable[Any]) -> Iterator[Any]:
        from pyspark import TaskContext

        context = TaskContext.get()
        attempt = context.attemptNumber() if context else 0
        # A node without the program fails the task, which is tried elsewhere.
        here, schema = mapper.here(), arrow_schema(ROW)
        # PySpark's worker collects garbage after each task, over all that Arrow and pandas loaded.
        gc.freeze()
        for part in batches:
            made = (here.line(line, attempt) for line in _decoded(part))
            for some in _together(made):
                yield batch(some, schema)

    count = lines.count()
    # One for each core, where there are inputs enough.
    cores = lines.sparkSession.sparkContext.defaultParallelism
    parts = max(1, math.ceil(count / task), min(count, cores))
    return lines.repartition(parts).mapInArrow(judge, spark_schema())


@dataclass(frozen=True)
class Counts:
    """Whether every line became one row."""

    lines: int
    rows: int
    #: Lines without a row of their input, by path, length and modification time.
    lost: int
    #: Rows of no line, or a line's second.
    stray: int

    @property
    def agree(self) -> bool:
        return self.lost == self.stray == 0

    def __str__(self) -> str:
        verdict = "they agree" if self.agree else f"{self.lost} LOST, {self.stray} TOO MANY"
        return f"{self.lines} manifest lines, {self.rows} rows: {verdict}"


def reconcile(spark: Any, manifest: str, output: str, name: str = "*") -> Counts:
    """Holds the rows against the lines of a manifest."""
    def keys(batches: Iterable[Any]) -> Iterator[Any]:
        schema = arrow_schema(KEY)
        for part in batches:
            yield batch([fit(asdict(Entry.parse(line)), KEY) for line in _decoded(part)], schema)

    lines = _lines(spark, manifest).mapInArrow(keys, spark_schema(KEY))
    made = _made(spark, f"{output}/batch={name}").select(*KEY)
    return Counts(
        lines=lines.count(), rows=made.count(), lost=lines.exceptAll(made).count(),
        stray=made.exceptAll(lines).count())


def _made(spark: Any, pattern: str) -> Any:
    from pyspark.errors import AnalysisException

    try:
        return spark.read.schema(spark_schema()).parquet(pattern)
    except AnalysisException as error:
        if error.getErrorClass() != "PATH_NOT_FOUND":
            raise
        return spark.createDataFrame([], spark_schema())


def run_batch(
    spark: Any, manifest: str, output: str, mapper: Mapper, name: str, task: int = TASK
) -> None:
    """Judges one manifest into batch=NAME, which it overwrites."""
    rows(_lines(spark, manifest), mapper, task).write.mode("overwrite").parquet(
        f"{output}/batch={name}")


def run_stream(
    spark: Any, folder: str, output: str, checkpoint: str, mapper: Mapper, *,
    files: int = 1, forever: bool = False, seconds: int = 10, task: int = TASK,
) -> None:
    """Judges manifests as they come into a folder, each batch into batch=N.

    A batch that is done again after a failure overwrites what the failed one left. Returns when the
    folder's manifests are done, unless it is to go on forever.
    """
    def judge(lines: Any, number: int) -> None:
        rows(_not_blank(lines), mapper, task).write.mode("overwrite").parquet(f"{output}/batch={number}")

    # Without an age Spark passes over a manifest that is a week older than the newest.
    writer = (
        spark.readStream.option("maxFilesPerTrigger", files).option("maxFileAge", "36500d")
        .text(folder).writeStream
        .option("checkpointLocation", checkpoint).foreachBatch(judge))
    trigger = {"processingTime": f"{seconds} seconds"} if forever else {"availableNow": True}
    writer.trigger(**trigger).start().awaitTermination()


def run_dump(spark: Any, image: Image, output: str, name: str, parts: int) -> None:
    """Lists one image's mappings into mappings=NAME, which it overwrites."""
    def judge(batches: Iterable[Any]) -> Iterator[Any]:
        schema = arrow_schema(MAPPING)
        for part in batches:
            for addresses in part.column(0).to_pylist():
                found = image.mappings(addresses)
                while some := list(islice(found, 4096)):
                    yield batch(some, schema)

    ranges = image.parts(parts)
    lines = spark.createDataFrame([(part,) for part in ranges], "part string")
    lines.repartition(len(ranges)).mapInArrow(judge, spark_schema(MAPPING)).write.mode(
        "overwrite").parquet(f"{output}/mappings={name}")
