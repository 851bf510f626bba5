"""Measures the job on Spark beside xargs: python3 measure.py NEW-FOLDER [COUNT…], with PTDUMP_LINT set.

Prints a table of processor seconds, and fails where the ways have not the same rows.
"""

from __future__ import annotations

import json
import os
import re
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


class Group:
    """A control group: it counts the processor's time of all that runs in it, of those nobody waits for, too.

    Spark's Python workers are such: what they and their programs took is in no parent's account.
    """

    def __init__(self) -> None:
        mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
        place = next((Path(mount[1]) for mount in mounts if mount[2] == "cgroup2"), None)
        if place is None:
            sys.exit("measure.py counts by a control group of version 2, and none is mounted")
        self.folder = place / f"ptdump-lint-measure-{os.getpid()}"
        self.folder.mkdir()

    def enter(self) -> None:
        """Puts this process into the group, and so all that it starts."""
        (self.folder / "cgroup.procs").write_text("0")

    def seconds(self) -> float:
        """The processor's time so far."""
        stat = dict(line.split() for line in (self.folder / "cpu.stat").read_text().splitlines())
        return int(stat["usage_usec"]) / 1e6

    def wait(self) -> None:
        """Waits until all in the group have ended."""
        while "populated 1" in (self.folder / "cgroup.events").read_text():
            time.sleep(0.1)


def measured(command: list[str], **rest: Any) -> tuple[float, float]:
    """Runs a command and all that it starts to their end: seconds of the processor, and of the clock."""
    group, start = Group(), time.monotonic()
    subprocess.run(command, check=True, preexec_fn=group.enter, **rest)
    clock = time.monotonic() - start
    group.wait()
    processor = group.seconds()
    group.folder.rmdir()
    return processor, clock


def read(place: Path) -> list[dict[str, Any]]:
    """The rows as they were written."""
    if place.is_file():
        return [json.loads(line) for line in place.read_text().splitlines()]
    import pyarrow.parquet

    return [
        row for file in sorted(place.glob("**/*.parquet"))
        for row in pyarrow.parquet.ParquetFile(file).read().to_pylist(maps_as_pydicts="strict")]


def rows(place: Path) -> list[dict[str, Any]]:
    """The rows by path, without what runs need not have alike."""
    # Decimals are whole numbers here.
    kept = [
        json.loads(json.dumps(
            {key: value for key, value in row.items() if key not in VOLATILE}, default=int))
        for row in read(place)]
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
    """What an input takes beyond its program, where Spark has started and is warm."""
    from pyspark.sql import SparkSession

    from ptdump_lint.fleet.job import run_batch
    from ptdump_lint.fleet.mapper import Mapper

    group = Group()
    group.enter()
    spark = (
        SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false").getOrCreate())
    mapper = Mapper.of(os.environ["PTDUMP_LINT"])

    def batch(name: str, count: int) -> tuple[float, float]:
        before, output = group.seconds(), folder / "session"
        run_batch(spark, str(folder / f"manifest-{count}"), str(output), mapper, name)
        taken = group.seconds() - before
        return taken, sum(row["cpu_seconds"] or 0 for row in read(output / f"batch={name}"))

    one = (folder / f"manifest-{counts[0]}").read_text().splitlines(keepends=True)[0]
    (folder / "manifest-1").write_text(one)
    for name in ("warm", "warmer"):
        batch(name, max(counts))
    # What a batch takes for itself, whatever is in it.
    start, _ = batch("1", 1)
    print(
        "| inputs, one warm session | beyond a batch of one | of it, programs | the rest, an input |\n"
        "|---|---|---|---|", flush=True)
    for count in counts:
        taken, programs = batch(str(count), count)
        taken -= start
        print(
            f"| {count} | {taken:.1f} s | {programs:.1f} s | "
            f"{1000 * (taken - programs) / count:.1f} ms |", flush=True)
    print(f"a batch of one: {start:.1f} s")
    spark.stop()


def main(folder: Path, counts: list[int]) -> int:
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
