"""Walks x86-64 page tables with drgn's reads and a loop in Python, as people do by hand.

    drgn-walk.py IMAGE

Prints the seconds of the walk, and the number of runs.
"""

import struct
import sys
import time

from drgn import Program

FRAME = 0x000ffffffffff000
ROOT = 1 << 30
program = Program()
program.set_core_dump(sys.argv[1])
runs = []


def walk(at, level, base):
    span = 1 << (12 + 9 * (level - 1))
    table = struct.unpack("<512Q", program.read(at, 4096, physical=True))
    for index, entry in enumerate(table):
        start = base + index * span
        if entry & 1 and not (level == 1 or level < 4 and entry & 0x80):
            walk(entry & FRAME, level - 1, start)
            continue
        flags, physical = (entry & ~FRAME, entry & FRAME) if entry & 1 else (0, 0)
        if runs:
            last = runs[-1]
            if (last[1] == start and last[2] == flags
                    and (not flags or last[3] + start - last[0] == physical)):
                last[1] = start + span
                continue
        runs.append([start, start + span, flags, physical])


began = time.monotonic()
walk(ROOT, 4, 0)
print(f"{time.monotonic() - began:.6f} s, {len(runs)} runs")
