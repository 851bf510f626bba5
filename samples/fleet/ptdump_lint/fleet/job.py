"""The Spark job: manifests in, Parquet out. Spark schedules, retries and restarts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from .mapper import Mapper
from .schema import KEY, batch, spark_schema

# Inputs a task: what is done again where an executor dies, and rows that wait in memory.
TASK = 16


def rows(lines: Any, mapper: Mapper, task: int = TASK) -> Any:
    """The rows of a data frame of manifest lines; a failure is a row, never a failed task."""
    def judge(batches: Iterable[Any]) -> Iterator[Any]:
        from pyspark import TaskContext

        context = TaskContext.get()
        attempt = context.attemptNumber() if context else 0
        for part in batches:
            for line in part.column(0).to_pylist():
                yield batch([mapper.line(line, attempt)])

    wanted = lines.filter("length(trim(value)) > 0")
    return wanted.repartition(max(1, math.ceil(wanted.count() / task))).mapInArrow(
        judge, spark_schema())


@dataclass(frozen=True)
class Counts:
    """Whether every line became one row."""

    lines: int
    rows: int
    #: Rows that differ in path, length, modification time and tool.
    distinct: int
    #: Lines that repeat another's.
    repeated: int

    @property
    def agree(self) -> bool:
        return self.lines == self.rows and self.distinct == self.lines - self.repeated

    def __str__(self) -> str:
        verdict = "agree" if self.agree else "DO NOT AGREE"
        return (f"{self.lines} manifest lines ({self.repeated} repeated), {self.rows} rows, "
                f"{self.distinct} distinct: they {verdict}")


def reconcile(spark: Any, manifest: str, output: str, name: str = "*") -> Counts:
    """Counts the lines of a manifest and the rows that they became."""
    lines = spark.read.text(manifest).filter("length(trim(value)) > 0")
    total = lines.count()
    made = spark.read.schema(spark_schema()).parquet(f"{output}/batch={name}")
    return Counts(
        lines=total, rows=made.count(), distinct=made.select(*KEY).distinct().count(),
        repeated=total - lines.distinct().count())


def run_batch(
    spark: Any, manifest: str, output: str, mapper: Mapper, name: str, task: int = TASK
) -> None:
    """Judges one manifest into batch=NAME, which it overwrites."""
    rows(spark.read.text(manifest), mapper, task).write.mode("overwrite").parquet(
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
        rows(lines, mapper, task).write.mode("overwrite").parquet(f"{output}/batch={number}")

    writer = (
        spark.readStream.option("maxFilesPerTrigger", files).text(folder).writeStream
        .option("checkpointLocation", checkpoint).foreachBatch(judge))
    trigger = {"processingTime": f"{seconds} seconds"} if forever else {"availableNow": True}
    writer.trigger(**trigger).start().awaitTermination()
