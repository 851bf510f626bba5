"""One input to one row. Whatever goes wrong is a row too, and never an exception."""

from __future__ import annotations

import json
import os
import re
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..program import Limits, Run, run
from .manifest import Entry

Row = dict[str, Any]

#: The version of docs/schema that this reads.
KNOWN_SCHEMA = 1

#: What an input came to.
OUTCOMES = (
    "clean", "findings", "partial", "unreadable", "crashed", "timeout", "memory", "garbled")


@dataclass(frozen=True)
class Mapper:
    """How inputs are judged."""

    program: str
    #: The program's version, part of a row's identity.
    tool: str
    limits: Limits = Limits()
    #: Further options of check.
    options: tuple[str, ...] = ()
    #: Where temporary files go.
    folder: str | None = None

    @classmethod
    def of(cls, program: str, **rest: Any) -> Mapper:
        """A mapper of this program; raises OSError or ValueError where it does not run."""
        ended = run([program, "--version"], Limits(seconds=60))
        version = ended.output.decode(errors="replace").strip()
        if ended.status != 0 or not version:
            raise ValueError(f"{program} --version fails: {ended.errors.strip()}")
        return cls(program=program, tool=version, **rest)

    def line(self, line: str, attempt: int = 0) -> Row:
        """The row of a manifest's line."""
        try:
            entry = Entry.parse(line)
        except ValueError as error:
            row = self._row(Entry(path=line[:1024]), attempt)
            row.update(outcome="garbled", stderr=f"no line of a manifest: {error}")
            return row
        return self.entry(entry, attempt)

    def entry(self, entry: Entry, attempt: int = 0) -> Row:
        """The row of an input."""
        row = self._row(entry, attempt)
        try:
            self._judge(entry, row)
        except Exception:  # noqa: BLE001 a failure of the machine must not fail the whole job
            row.update(outcome="crashed", stderr="the mapper: " + traceback.format_exc()[-4000:])
        return row

    def _row(self, entry: Entry, attempt: int) -> Row:
        return {
            "path": entry.path, "length": entry.length, "mtime": entry.mtime,
            "machine": entry.machine, "metadata": entry.metadata, "tool": self.tool,
            "attempt": attempt, "day": _day(entry.mtime), "facts": {}, "findings": [],
            "skipped": [], "self_tests": [], "faults": [], "other": [], "direct_map": [],
            "splits": [], "mapped": []}

    def _judge(self, entry: Entry, row: Row) -> None:
        try:
            size = os.stat(entry.path).st_size
        except OSError:
            size = 0
        ended = run(
            [self.program, "check", "--format", "jsonl", *self.options, "--", entry.path],
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
    if ended.signal is not None:
        return "memory" if _lacked_memory(ended, limits) else "crashed"
    if row.get("cause") == "memory":
        return "memory"
    if not whole or ended.cut_off:
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
    status: int | None = None
    for line in output.split(b"\n"):
        if not line:
            continue
        if whole:
            return False
        try:
            data = json.loads(line)
        except ValueError:
            return False
        if not isinstance(data, dict) or not data:
            return False
        try:
            whole, status = _take_line(data, row, line, status)
        except (KeyError, TypeError, AttributeError, ValueError):
            # A later schema may shape what this knows otherwise: keep it as it is.
            row["other"].append(line.decode(errors="replace"))
    return whole and output.endswith(b"\n") and (status is None or status == row["status"])


def _take_line(
    data: Mapping[str, Any], row: Row, line: bytes, status: int | None
) -> tuple[bool, int | None]:
    kind = next((key for key in data if key != "schemaVersion"), "")
    value = data.get(kind)
    if kind == "tool" and isinstance(value, dict):
        row["schema_version"] = int(data.get("schemaVersion", 0))
    elif kind == "summary" and isinstance(value, dict):
        return True, int(value["exitStatus"])
    elif kind in _TAKERS and isinstance(value, dict):
        _TAKERS[kind](row, value)
    else:
        row["other"].append(line.decode(errors="replace"))
    return False, status


def _take_input(row: Row, value: Mapping[str, Any]) -> None:
    facts = {key: str(fact["value"]) for key, fact in value["facts"].items()}
    row.update(
        format=value["format"], architecture=value["architecture"],
        paging_mode=value["pagingMode"], release=value.get("release"),
        complete=bool(value["complete"]), facts=facts)


def _take_finding(row: Row, value: Mapping[str, Any]) -> None:
    place = value.get("range") or {}
    row["findings"].append({
        "rule": value["rule"], "name": value["name"], "severity": value["severity"],
        "message": value["message"], "help": value["help"], "evidence": list(value["evidence"]),
        "table": value.get("table"), "area": value.get("area"), "start": place.get("start"),
        "end": place.get("end"), "pages": value.get("pages"), "level": value.get("level"),
        "entry": value.get("entry"), "physical": value.get("physical"),
        "fingerprint": value["fingerprint"], "cause_key": value["causeKey"],
        "known": bool(value.get("known")), "suppression": value.get("suppression")})


def _take_skipped(row: Row, value: Mapping[str, Any]) -> None:
    row["skipped"].append({"rule": value["rule"], "reason": value["reason"]})


def _take_fault(row: Row, value: Mapping[str, Any]) -> None:
    names = {
        "kind": "kind", "cause": "cause", "level": "level", "area": "area", "symbol": "symbol",
        "access": "access", "instruction": "instruction", "agreement": "agreement",
        "address": "address", "report": "report", "explanation": "explanation"}
    row["faults"].append({
        **{name: value.get(key) for name, key in names.items()}, "line": int(value["line"])})


def _take_self_test(row: Row, value: Mapping[str, Any]) -> None:
    for test in value["runs"]:
        row["self_tests"].append({
            "test_bit": test["testBit"], "result": test["result"], "verdict": test["verdict"],
            "failures": len(test["failures"]),
            "causes": sorted({failure["cause"] for failure in test["failures"]})})


def _take_statistics(row: Row, value: Mapping[str, Any]) -> None:
    row["direct_map"] = [
        {"page_size": int(part["pageSize"]), "count": int(part["count"])}
        for part in value["directMap"]["pages"]]
    row["splits"] = [
        {"page_size": int(part["pageSize"]), "count": int(part["count"]),
         "differs": " ".join(part["differs"])} for part in value["directMap"]["splits"]]
    row["mapped"] = [
        {"area": area["area"], "page_size": int(size["pageSize"]), "bytes": int(size["bytes"])}
        for area in value["areas"] for size in area["sizes"]]
    row["writable_executable_pages"] = int(value["writableExecutablePages"])


def _take_unreadable(row: Row, value: Mapping[str, Any]) -> None:
    row.update(reason=value["reason"], advice=value["advice"], cause=value.get("cause", "input"))


_TAKERS = {
    "input": _take_input, "finding": _take_finding, "skippedRule": _take_skipped,
    "fault": _take_fault, "cpaSelfTest": _take_self_test, "statistics": _take_statistics,
    "unreadable": _take_unreadable}


def shard(lines: Sequence[str], number: int, of: int) -> list[str]:
    """Every so many-th line, for schedulers that only number their jobs."""
    return [line for index, line in enumerate(lines) if index % of == number]
