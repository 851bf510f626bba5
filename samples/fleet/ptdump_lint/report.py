"""One input's report as Python objects."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .program import Failure, Limits, find_program, run


@dataclass(frozen=True)
class Finding:
    """Something that a rule found; what is not known is None."""

    rule: str
    name: str
    severity: str
    message: str
    help: str
    #: The same for the same defect in each boot of one kernel on one machine.
    fingerprint: str
    #: The same for the same kind of defect on any machine.
    cause_key: str
    evidence: tuple[str, ...] = ()
    table: str | None = None
    area: str | None = None
    start: int | None = None
    #: Exclusive; 0 at the top of the address space.
    end: int | None = None
    pages: int | None = None
    level: str | None = None
    entry: int | None = None
    physical: int | None = None
    known: bool = False
    suppression: str | None = None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Finding:
        place = data.get("range") or {}
        return cls(
            rule=data["rule"], name=data["name"], severity=data["severity"],
            message=data["message"], help=data["help"], fingerprint=data["fingerprint"],
            cause_key=data["causeKey"], evidence=tuple(data["evidence"]), table=data.get("table"),
            area=data.get("area"), start=_number(place.get("start")), end=_number(place.get("end")),
            pages=data.get("pages"), level=data.get("level"), entry=_number(data.get("entry")),
            physical=_number(data.get("physical")), known=data.get("known") or False,
            suppression=data.get("suppression"))


@dataclass(frozen=True)
class Report:
    """What check said of one input."""

    path: str
    #: 0 clean, 1 findings, 3 analysed in part.
    status: int
    #: Whether the whole input was seen.
    complete: bool
    architecture: str
    paging_mode: str
    release: str | None
    #: What is known of the kernel, by name.
    facts: Mapping[str, str]
    findings: tuple[Finding, ...]
    #: Why rules did not run, by the rule's id.
    skipped: Mapping[str, str]
    #: The whole document of --format json, as docs/schema has it.
    document: Mapping[str, Any] = field(repr=False)

    @property
    def passed(self) -> bool:
        """Whether the input was read whole and nothing was found that counts."""
        return self.status == 0


def check(
    path: str | os.PathLike[str], *, log: str | None = None, symbols: Sequence[str] = (),
    options: Sequence[str] = (), program: str | None = None, limits: Limits = Limits(),
) -> Report:
    """Judges a memory image, a text dump or a kernel log.

    options are further options of `ptdump-lint check`. Raises Failure where the input is not
    analysed.
    """
    name = os.fspath(path)
    arguments = [find_program(program), "check", "--format", "json"]
    if log is not None:
        arguments += ["--log", log]
    for file in symbols:
        arguments += ["--symbols", file]
    size = os.stat(name).st_size if os.path.isfile(name) else 0
    ended = run([*arguments, *options, "--", name], limits, size)
    if ended.timed_out:
        raise Failure(f"{name}: took more than {limits.seconds:g} seconds")
    if ended.status not in (0, 1, 3):
        what = f"signal {ended.signal}" if ended.signal else f"status {ended.status}"
        raise Failure(ended.errors.strip() or f"{name}: the program ended with {what}")
    document = json.loads(ended.output)
    first = document["inputs"][0]
    return Report(
        path=name, status=document["summary"]["exitStatus"], complete=first["complete"],
        architecture=first["architecture"], paging_mode=first["pagingMode"],
        release=first.get("release"),
        facts={key: fact["value"] for key, fact in first["facts"].items()},
        findings=tuple(Finding.from_json(finding) for finding in document["findings"]),
        skipped={skip["rule"]: skip["reason"] for skip in document["skippedRules"]},
        document=document)


def _number(text: str | None) -> int | None:
    return None if text is None else int(text, 16)
