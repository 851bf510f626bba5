"""Measures the job on Spark beside xargs: python3 measure.py NEW-FOLDER [COUNT…], with PTDUMP_LINT set.

Prints a table of processor seconds, and fails where the ways have not the same rows.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import re
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]
os.environ["PYTHONPATH"] = os.pathsep.join(sys.path[:2])
os.environ["PYSPARK_PYTHON"] = sys.executable

from corpus import make  # noqa: E402

from ptdump_lint.fleet.schema import VOLATILE  # noqa: E402

PR_SET_CHILD_SUBREAPER = 36


def measured(command: list[str], **rest: Any) -> tuple[float, float]:
    """Runs a command and all that it starts to their end: seconds of the processor, and of the clock."""
    def processor() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    before, start = processor(), time.monotonic()
    subprocess.run(command, check=True, **rest)
    # Orphans (Java, its Pythons) come to this process, which reaps them.
    while True:
        try:
            os.wait()
        except ChildProcessError:
            break
    return processor() - before, time.monotonic() - start


def rows(place: Path) -> list[dict[str, Any]]:
    """The rows by path, without what runs need not have alike."""
    if place.is_file():
        found = [json.loads(line) for line in place.read_text().splitlines()]
    else:
        import pyarrow.parquet

        found = [
            row for file in sorted(place.glob("batch=*/*.parquet"))
            for row in pyarrow.parquet.ParquetFile(file).read().to_pylist(
                maps_as_pydicts="strict")]
    # Decimals are whole numbers here.
    kept = [
        json.loads(json.dumps(
            {key: value for key, value in row.items() if key not in VOLATILE}, default=int))
        for row in found]
    return sorted(kept, key=lambda row: str(row["path"]))


def ways(folder: Path, count: int, lines: list[str]) -> list[tuple[str, Path | None, list[str]]]:
    """What is measured: its name, where its rows are, and its command."""
    names, manifest, manifests = (
        folder / f"{what}-{count}" for what in ("names", "manifest", "manifests"))
    names.write_text("".join(json.loads(line)["path"] + "\n" for line in lines))
    manifest.write_text("".join(line + "\n" for line in lines))
    manifests.mkdir()
    for number in range(4):
        (manifests / f"{number}.manifest").write_text(
            "".join(line + "\n" for line in lines[number::4]))
    program = os.environ["PTDUMP_LINT"]
    loop = (f"xargs -P 2 -I NAME sh -c '\"$0\" check --format jsonl \"$1\" > /dev/null 2>&1; "
            f"true' {program} NAME < {names}")

    def fleet(way: str, source: Path, *rest: str) -> tuple[str, Path, list[str]]:
        name = " ".join([way, *rest[-1:]])
        place = folder / f"{re.sub('[^a-z]+', '-', name)}-{count}"
        more = [f"{place}.check"] if way == "stream" else []
        return name, place, [
            sys.executable, "-m", "ptdump_lint.fleet", way, str(source), str(place), *more,
            "--program", program, *rest]

    return [
        ("xargs", None, ["sh", "-c", loop]), fleet("map", manifest),
        *(fleet(way, source, "--master", master)
          for way, source in (("batch", manifest), ("stream", manifests))
          for master in ("local[2]", "local-cluster[2,1,1024]"))]


def beyond_start_up(folder: Path, counts: list[int]) -> None:
    """What Spark and the mapper take for an input, in one session that is warm."""
    from pyspark.sql import SparkSession

    from ptdump_lint.fleet.job import run_batch
    from ptdump_lint.fleet.mapper import Mapper

    def processor() -> float:
        # Of all that runs below this process; programs that have ended are in no line of it.
        fields = {}
        for path in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                head, tail = path.read_text().rsplit(")", 1)
                fields[int(head.split()[0])] = tail.split()
        ours = {os.getpid()}
        while more := {pid for pid, tail in fields.items() if int(tail[1]) in ours} - ours:
            ours |= more
        return sum(int(part) for pid in ours for part in fields[pid][11:13]) / os.sysconf("SC_CLK_TCK")

    spark = (
        SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false").getOrCreate())
    mapper = Mapper.of(os.environ["PTDUMP_LINT"])
    print("| inputs | in one session: Spark and the mapper | an input |\n|---|---|---|", flush=True)
    for name, count in [("warm", min(counts)), *((str(count), count) for count in counts)]:
        before = processor()
        run_batch(spark, str(folder / f"manifest-{count}"), str(folder / "session"), mapper, name)
        taken = processor() - before
        if name != "warm":
            print(f"| {count} | {taken:.1f} s | {1000 * taken / count:.1f} ms |", flush=True)
    spark.stop()


def main(folder: Path, counts: list[int]) -> int:
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    folder.mkdir(parents=True)
    status = 0
    print("| inputs | way | processor | clock | rows |\n|---|---|---|---|---|", flush=True)
    for count in counts:
        lines = make(folder / f"inputs-{count}", count)
        wanted: list[dict[str, Any]] | None = None
        for name, place, command in ways(folder, count, lines):
            with open(folder / "log", "ab") as log:
                processor, clock = measured(command, stdout=log, stderr=log)
            said = "-"
            if place:
                found = rows(place)
                wanted = wanted or found
                same = found == wanted and len(found) == len(lines)
                status |= not same
                said = f"{len(found)}, {'the same' if same else 'DIFFERENT'}"
            print(f"| {count} | {name} | {processor:.1f} s | {clock:.1f} s | {said} |", flush=True)
    beyond_start_up(folder, counts)
    return status


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), [int(count) for count in sys.argv[2:]] or [100, 1000]))
