"""Measures the job on Spark beside xargs: python3 measure.py FOLDER [COUNT…], with PTDUMP_LINT set.

Prints a table of processor seconds, and fails where the ways have not the same rows.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]
os.environ["PYTHONPATH"] = os.pathsep.join(sys.path[:2])

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


def rows(pattern: str, json_lines: bool) -> list[dict[str, Any]]:
    """The rows by path, without what runs need not have alike."""
    if json_lines:
        found = [json.loads(line) for line in Path(pattern).read_text().splitlines()]
    else:
        import pyarrow.parquet

        found = [
            row for file in sorted(Path(pattern).glob("batch=*/*.parquet"))
            for row in pyarrow.parquet.ParquetFile(file).read().to_pylist()]
    kept = []
    for row in found:
        for name in ("facts", "metadata"):
            row[name] = sorted(map(list, dict(row[name]).items()))
        plain = {key: value for key, value in row.items() if key not in VOLATILE}
        kept.append(json.loads(json.dumps(plain, default=int)))
    return sorted(kept, key=lambda row: str(row["path"]))


def main(folder: Path, counts: list[int]) -> int:
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    folder.mkdir(parents=True, exist_ok=True)
    program = os.environ["PTDUMP_LINT"]
    fleet = [sys.executable, "-m", "ptdump_lint.fleet"]
    log = open(folder / "log", "ab")
    status = 0
    print("| inputs | way | processor | clock | rows |\n|---|---|---|---|---|", flush=True)
    for count in counts:
        lines = make(folder / f"inputs-{count}", count)
        names = folder / f"names-{count}"
        names.write_text("".join(json.loads(line)["path"] + "\n" for line in lines))
        manifests = folder / f"manifests-{count}"
        manifests.mkdir(exist_ok=True)
        for number in range(4):
            (manifests / f"{number}.manifest").write_text(
                "".join(line + "\n" for line in lines[number::4]))
        manifest = folder / f"manifest-{count}"
        manifest.write_text("".join(line + "\n" for line in lines))
        out = {way: str(folder / f"{way}-{count}") for way in ("map", "batch", "cluster", "stream")}
        loop = (f"xargs -P 2 -n 1 -I NAME sh -c '\"$0\" check --format jsonl \"$1\" > /dev/null 2>&1; "
                f"true' {program} NAME < {names}")
        ways: list[tuple[str, list[str]]] = [
            ("xargs", ["sh", "-c", loop]),
            ("map", [*fleet, "map", str(manifest), out["map"], "--program", program]),
            ("batch, local[2]", [
                *fleet, "batch", str(manifest), out["batch"], "--program", program, "--master",
                "local[2]"]),
            ("batch, local-cluster[2,1,1024]", [
                *fleet, "batch", str(manifest), out["cluster"], "--program", program, "--master",
                "local-cluster[2,1,1024]"]),
            ("stream, local[2]", [
                *fleet, "stream", str(manifests), out["stream"], f"{out['stream']}.check",
                "--program", program, "--master", "local[2]"])]
        wanted: list[dict[str, Any]] | None = None
        for name, command in ways:
            processor, clock = measured(command, stdout=log, stderr=log)
            said = "-"
            if name != "xargs":
                place = out[{"map": "map", "stream, local[2]": "stream"}.get(
                    name, "cluster" if "cluster" in name else "batch")]
                found = rows(place, name == "map")
                wanted = wanted or found
                same = found == wanted and len(found) == len(lines)
                status |= not same
                said = f"{len(found)}, {'the same' if same else 'DIFFERENT'}"
            print(f"| {count} | {name} | {processor:.1f} s | {clock:.1f} s | {said} |", flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), [int(count) for count in sys.argv[2:]] or [100, 1000]))
