"""One huge image in parts: ranges of addresses in, a row a mapping out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..program import Failure, Limits, find_program, run
from .schema import camel, fit

#: A line of `dump --style jsonl`, under the names of docs/schema with underscores.
MAPPING: dict[str, Any] = {
    "input": "string", "start": "string", "end": "string", "size": "decimal", "kind": "string",
    "level": "string", "page_size": "long", "area": "string", "flags": ["string"],
    "raw_flags": "string", "write": "boolean", "user": "boolean", "execute": "boolean",
    "physical": "string", "symbol": "string"}

# Parts end where a table of the level above does, so that no table is walked twice.
GIB = 1 << 30


@dataclass(frozen=True)
class Image:
    """An image whose mappings are listed."""

    path: str
    #: A name for find_program.
    program: str
    limits: Limits = Limits()
    #: Further options of dump.
    options: tuple[str, ...] = ()

    def parts(self, count: int) -> list[str]:
        """Ranges for --range: each area is one, and the direct map is as many as asked for."""
        header = json.loads(self._dump("json", "0+0x1000"))["header"]
        edges = {0}
        for area in header["areas"]:
            start, end = int(area["start"], 16), int(area["end"], 16)
            edges |= {start, end}
            frames = header["facts"].get("maxPfnMapped")
            if area["area"] == "direct map" and frames:
                end = start + int(frames["value"]) * 4096
                step = GIB * max(1, -(-(end - start) // (GIB * count)))
                edges |= set(range(start, end, step))
        ordered = sorted(edges)
        return [f"{start:#x}-{end:#x}" for start, end in zip(ordered, [*ordered[1:], 0])]

    def mappings(self, part: str) -> Iterator[dict[str, Any]]:
        """The mappings of a range; raises Failure where it is not read."""
        for line in self._dump("jsonl", part).splitlines():
            yield fit(json.loads(line), MAPPING, camel)

    def _dump(self, style: str, part: str) -> bytes:
        with open(self.path, "rb") as file:
            size = file.seek(0, 2)
        ended = run(
            [find_program(self.program), "dump", "--style", style, "--range", part, *self.options,
             "--", self.path], self.limits, size)
        # 3: tables are missing, and mappings of kind unreadable say where.
        if ended.status not in (0, 3) or ended.timed_out or ended.cut_off:
            what = "time over" if ended.timed_out else f"status {ended.status}"
            raise Failure(f"{self.path}, {part}: {what}: {ended.errors.strip()}")
        return ended.output
