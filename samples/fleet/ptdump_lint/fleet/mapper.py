"""One input to one row. Whatever goes wrong is a row too, and never an exception."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..program import Failure, Limits, Run, find_program, run, wanted_program
from .manifest import Entry
from .schema import ROW, camel, fit

Row = dict[str, Any]

#: What an input came to.
OUTCOMES = (
    "clean", "findings", "partial", "unreadable", "crashed", "timeout", "memory", "garbled")

#: What of the machine ran out, by the number of the error.
_LACKS = {
    errno.ENOSPC: "disk", errno.EDQUOT: "disk", errno.EMFILE: "descriptors",
    errno.ENFILE: "descriptors", errno.ENOMEM: "memory", errno.EAGAIN: "memory"}


@dataclass(frozen=True)
class Mapper:
    """How inputs are judged."""

    #: A name for find_program: what it finds may differ from node to node.
    program: str
    #: The program's version, part of a row's identity.
    tool: str
    limits: Limits = Limits()
    #: Further options of check.
    options: tuple[str, ...] = ()
    #: Where temporary files go.
    folder: str | None = None

    @classmethod
    def of(cls, program: str | None, options: tuple[str, ...] = (), **rest: Any) -> Mapper:
        """A mapper of this program; raises Failure where it or its options do not work."""
        name = wanted_program(program)
        ended = run(
            [find_program(name), "check", "--format", "jsonl", *options, "--", os.devnull],
            Limits(seconds=60))
        try:
            tool = json.loads(ended.output.split(b"\n")[0])["tool"]["version"]
        except (ValueError, KeyError, TypeError):
            raise Failure(f"{name} check does not run: {ended.errors.strip()}") from None
        return cls(program=name, tool=tool, options=options, **rest)

    def here(self) -> Mapper:
        """The same with this node's program; raises Failure where it has none."""
        return replace(self, program=find_program(self.program))

    def line(self, line: str, attempt: int = 0) -> Row:
        """The row of a manifest's line."""
        return self.entry(Entry.parse(line), attempt)

    def entry(self, entry: Entry, attempt: int = 0) -> Row:
        """The row of an input, with every column."""
        row: Row = {
            "path": entry.path, "length": entry.length, "mtime": entry.mtime,
            "machine": entry.machine, "metadata": entry.metadata, "tool": self.tool,
            "attempt": attempt, "day": _day(entry.mtime), "facts": {},
            **{name: [] for name, kind in ROW.items() if isinstance(kind, list)}}
        try:
            if entry.fault:
                row.update(outcome="garbled", reason=entry.fault, cause="manifest")
            else:
                self._judge(entry, row)
        except OSError as error:
            cause = _LACKS.get(error.errno or 0)
            row.update(
                outcome={None: "crashed", "memory": "memory"}.get(cause, "unreadable"),
                cause=cause or "mapper", reason=str(error))
        except Exception:  # noqa: BLE001 a failure of the mapper must not fail the whole job
            row.update(outcome="crashed", cause="mapper", stderr=traceback.format_exc()[-4000:])
        made: Row = fit(row, ROW)
        return made

    def _judge(self, entry: Entry, row: Row) -> None:
        try:
            size = os.stat(entry.path).st_size
        except OSError:
            size = 0
        with _utf8(entry.path, self.folder) as path:
            ended = run(
                [self.program, "check", "--format", "jsonl", *self.options, "--", path],
                self.limits, size, self.folder)
        row.update(
            status=ended.status, signal=ended.signal, seconds=ended.seconds,
            cpu_seconds=ended.cpu_seconds, peak_memory=ended.peak_memory, stderr=ended.errors)
        whole = _take(ended.output, row)
        row["outcome"] = _outcome(ended, row, whole, self.limits)
        if row["outcome"] in ("clean", "findings", "partial") and _changed(entry, size):
            row.update(
                outcome="unreadable", reason=f"has {size} bytes, and the manifest says "
                f"{entry.length}: it was copied in part, or changed", cause="input")
        crash = row["facts"].get("crashTime", "")
        if crash.isdigit() and 0 < int(crash) < 1 << 40:
            row["day"] = _day(int(crash))


@contextlib.contextmanager
def _utf8(path: str, folder: str | None) -> Iterator[str]:
    """The path, or that of a link to it: the program takes names in UTF-8 only."""
    try:
        path.encode()
    except UnicodeEncodeError:
        with tempfile.TemporaryDirectory(dir=folder) as place:
            link = os.path.join(place, "input")
            os.symlink(os.path.abspath(path), link)
            yield link
    else:
        yield path


def _changed(entry: Entry, size: int) -> bool:
    return entry.length is not None and entry.length != size


def _day(seconds: int | None) -> str | None:
    if seconds is None:
        return None
    try:
        return time.strftime("%Y-%m-%d", time.gmtime(seconds))
    except (OverflowError, OSError, ValueError):
        return None


def _outcome(ended: Run, row: Row, whole: bool, limits: Limits) -> str:
    if ended.timed_out:
        return "timeout"
    if ended.cut_off:
        row.update(cause="output", reason=f"printed more than {limits.output} bytes")
        return "garbled"
    if ended.signal is not None:
        return "memory" if _lacked_memory(ended, limits) else "crashed"
    if row.get("cause") == "memory":
        return "memory"
    if not whole:
        if "is the disk full?" in ended.errors:
            row.update(cause="disk", reason="the disk of temporary files is full")
            return "unreadable"
        return "memory" if _lacked_memory(ended, limits) else "garbled"
    return {0: "clean", 1: "findings", 2: "unreadable", 3: "partial"}.get(
        -1 if ended.status is None else ended.status, "garbled")


def _lacked_memory(ended: Run, limits: Limits) -> bool:
    """Whether memory ran out: it says so, or the kernel's OOM killer came, or it took its limit."""
    if re.search(r"out of memory|cannot allocate|bad_alloc|MemoryError", ended.errors, re.I):
        return True
    if ended.signal == 9:
        return True
    return limits.memory is not None and ended.peak_memory >= limits.memory * 0.8


def _take(output: bytes, row: Row) -> bool:
    """Takes the lines of the program; False where they are not whole, or not in order."""
    whole = False
    for line in output.split(b"\n"):
        if not line:
            continue
        if whole:
            return False
        try:
            data = json.loads(line)
            kind = next(key for key in data if key != "schemaVersion")
            whole = kind == "summary" and data[kind]["exitStatus"] == row["status"]
        except (ValueError, RecursionError, StopIteration, TypeError, KeyError):
            return False
        if kind != "summary":
            _take_line(kind, data, row, line)
    return whole and output.endswith(b"\n")


def _take_line(kind: str, data: Mapping[str, Any], row: Row, line: bytes) -> None:
    """Takes a line. A later schema may shape what this knows otherwise: it is kept as it is then."""
    try:
        if kind == "tool":
            row["schema_version"] = fit(data["schemaVersion"], "int")
        columns = {
            name: fit(part, ROW[name], camel) for name, part in _COLUMNS[kind](data[kind]).items()}
    except (KeyError, TypeError, AttributeError, ValueError):
        columns = {"other": [line.decode(errors="replace")]}
    for name, part in columns.items():
        if isinstance(part, list):
            row[name].extend(part)
        else:
            row[name] = part


_OF_INPUT = (
    "format", "architecture", "paging_mode", "release", "tables", "complete", "dump_level",
    "tables_taken_for_zero")


def _input(value: Mapping[str, Any]) -> Row:
    # What a log alone tells is facts too; its reports come as faults.
    facts = {name: str(part) for name, part in value.get("log", {}).items() if name != "reports"}
    facts |= {name: str(fact["value"]) for name, fact in value["facts"].items()}
    known = {"path", "facts", "log", *map(camel, _OF_INPUT)}
    rest = {name: part for name, part in value.items() if name not in known}
    return {
        **{name: value.get(camel(name)) for name in _OF_INPUT}, "facts": facts,
        "other": [json.dumps({"input": rest})] if rest else []}


def _finding(value: Mapping[str, Any]) -> Row:
    return {"findings": [{"known": False, "walk": [], **value.get("range", {}), **value}]}


def _self_test(value: Mapping[str, Any]) -> Row:
    return {"self_tests": [
        {**test, "failures": len(test["failures"]),
         "causes": sorted({failure["cause"] for failure in test["failures"]})}
        for test in value["runs"]]}


def _statistics(value: Mapping[str, Any]) -> Row:
    areas = value["areas"]
    return {
        "direct_map": value["directMap"]["pages"], "splits": value["directMap"]["splits"],
        "mapped": [{**area, **size} for area in areas for size in area["sizes"]],
        "protected": [{**area, **part} for area in areas for part in area["protections"]],
        "writable_executable_pages": value["writableExecutablePages"]}


#: What the columns of a row become by a line of the program.
_COLUMNS: dict[str, Callable[[Mapping[str, Any]], Row]] = {
    "input": _input, "finding": _finding, "cpaSelfTest": _self_test, "statistics": _statistics,
    "tool": lambda value: {"tool": value["version"]},
    "skippedRule": lambda value: {"skipped": [value]},
    "fault": lambda value: {"faults": [value]},
    "unreadable": lambda value: {name: value[name] for name in ("reason", "advice", "cause")}}


def shard(lines: Sequence[str], number: int, of: int) -> list[str]:
    """Every so many-th line, for schedulers that only number their jobs."""
    return [line for index, line in enumerate(lines) if index % of == number]
