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

    @classmethod
    def parse(cls, line: str) -> Entry:
        """Reads a line; raises ValueError where it is none."""
        data = json.loads(line)
        if not isinstance(data, dict) or not isinstance(data.get("path"), str):
            raise ValueError("no object with a path")
        length, mtime, machine = data.get("length"), data.get("mtime"), data.get("machine")
        for number in (length, mtime):
            if number is not None and not isinstance(number, int):
                raise ValueError("length and mtime are whole numbers")
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
