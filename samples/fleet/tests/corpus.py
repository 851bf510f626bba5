"""Makes inputs out of samples: images with random faults, texts, logs, damaged, empty and missing ones."""

from __future__ import annotations

import os
import random
from pathlib import Path

from ptdump_lint.fleet.manifest import Entry

ROOT = Path(__file__).resolve().parents[3]
IMAGES = ["healthy", "healthy-pti", "cpa-2008", "real-failure", "writable-executable", "faults"]
TEXTS = [
    "samples/healthy/kernel.txt", "samples/cpa-2008/kernel.txt", "samples/old/3.10.txt",
    "samples/writable-executable/kernel.txt"]

# Flags of an x86 entry that random damage sets or clears: RW, U, PCD, G, NX.
FLAGS = [1 << 1, 1 << 2, 1 << 4, 1 << 8, 1 << 63]


def with_faults(image: bytes, chance: random.Random, faults: int) -> bytes:
    """The image with flags turned over in what looks like entries of leaves."""
    made = bytearray(image)
    left = faults
    while left:
        at = chance.randrange(0, len(made) - 8) & ~7
        entry = int.from_bytes(made[at:at + 8], "little")
        # Present, accessed and dirty, and a frame below 4 GiB.
        if entry & 0x61 == 0x61 and entry & 0x7FFF_FFFF_0000_0000 == 0 and entry > 0x1000:
            made[at:at + 8] = (entry ^ chance.choice(FLAGS)).to_bytes(8, "little")
            left -= 1
    return bytes(made)


def make(folder: Path, count: int, seed: int = 1, machines: int = 40, name: str = "") -> list[str]:
    """Writes inputs and gives the lines of their manifest."""
    chance = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    images = [(ROOT / f"samples/{image}/memory.elf").read_bytes() for image in IMAGES]
    logs = sorted((ROOT / "samples/logs").glob("*.txt"))
    lines = []
    for index in range(count):
        path = folder / f"{name}{index:05}.dump"
        kind = index % 20
        if kind < 10:
            path.write_bytes(with_faults(chance.choice(images), chance, 1 + chance.randrange(3)))
        elif kind < 12:
            path.write_bytes(chance.choice(images))
        elif kind < 14:
            path.write_bytes((ROOT / chance.choice(TEXTS)).read_bytes())
        elif kind < 17:
            path.write_bytes(chance.choice(logs).read_bytes())
        elif kind == 17:
            image = chance.choice(images)
            path.write_bytes(image[:chance.randrange(1, len(image))])
        elif kind == 18:
            path.write_bytes(b"")
        seconds = 1_700_000_000 + 3600 * index
        if path.exists():
            os.utime(path, (seconds, seconds))
            lines.append(Entry(
                str(path), path.stat().st_size, seconds, f"machine-{index % machines:03}",
                {"site": "lab"}).line())
        else:
            lines.append(Entry(str(path), None, seconds, f"machine-{index % machines:03}").line())
    return lines
