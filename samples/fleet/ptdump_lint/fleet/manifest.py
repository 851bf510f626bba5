"""The list of inputs: a JSON object a line, which the collector writes when a dump is whole."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Entry:
    """One input, as its collector knows it."""

    path: str
    length: int | None = None
    #: Seconds since 1970.
    mtime: int | None = None
    machine: str | None = None
    #: Anything else that the line has.
    metadata: dict[str, str] = field(default_factory=dict)
    #: Why the line is none of a manifest; path is the whole line then.
    fault: str | None = None

    @classmethod
    def parse(cls, line: str) -> Entry:
        """Reads a line."""
        try:
            return cls._parse(line)
        except (ValueError, RecursionError) as error:
            return cls(path=line, fault=f"no line of a manifest: {error}")

    @classmethod
    def _parse(cls, line: str) -> Entry:
        data = json.loads(line)
        if not isinstance(data, dict) or not isinstance(data.get("path"), str):
            raise ValueError("no object with a path")
        if not data["path"] or b"\0" in os.fsencode(data["path"]):
            raise ValueError("no file can have this path")
        length, mtime, machine = data.get("length"), data.get("mtime"), data.get("machine")
        for number in (length, mtime):
            if number is not None and (type(number) is not int or abs(number) >= 1 << 63):
                raise ValueError("length and mtime are whole numbers of 64 bits")
        rest = {
            key: value if isinstance(value, str) else json.dumps(value)
            for key, value in data.items() if key not in ("path", "length", "mtime", "machine")}
        return cls(
            path=data["path"], length=length, mtime=mtime,
            machine=None if machine is None else str(machine), metadata=rest)

    def line(self) -> str:
        known = {
            "path": self.path, "length": self.length, "mtime": self.mtime, "machine": self.machine}
        return json.dumps({**self.metadata, **{k: v for k, v in known.items() if v is not None}})


def read(path: str) -> list[str]:
    """The lines of a manifest but blank ones; names may have bytes that are not UTF-8."""
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return [line.rstrip("\n") for line in file if line.strip()]


def entries(paths: Iterable[str], machine: str | None = None) -> Iterator[Entry]:
    """Entries of files as they are now, for collectors without one of their own."""
    for path in paths:
        try:
            status = os.stat(path)
        except OSError:
            yield Entry(path=path, machine=machine)
            continue
        yield Entry(
            path=path, length=status.st_size, mtime=int(status.st_mtime), machine=machine)
