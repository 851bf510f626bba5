"""Writes an ELF core as a kdump-compressed file of version 6, each page by zlib at level 1.

    elf-to-kdump.py CORE OUT
"""

import struct
import sys
import zlib

core = open(sys.argv[1], "rb").read()
phoff, = struct.unpack_from("<Q", core, 32)
count, = struct.unpack_from("<H", core, 56)
pages, memory, note = {}, [], b""
for index in range(count):
    kind, _, offset, _, physical, held, size, _ = struct.unpack_from(
        "<IIQQQQQQ", core, phoff + 56 * index)
    if kind == 4:
        note = core[offset:offset + held]
    if kind == 1 and size:
        memory.append((physical >> 12, size >> 12))
    for at in range(0, held, 4096) if kind == 1 else ():
        pages[(physical + at) >> 12] = offset + at
last = max(first + number for first, number in memory)
blocks = (last + 8 * 4096 - 1) // (8 * 4096)
present, kept = bytearray(blocks * 4096), bytearray(blocks * 4096)
for first, number in memory:
    for page in range(first, first + number):
        present[page >> 3] |= 1 << (page & 7)
for page in pages:
    kept[page >> 3] |= 1 << (page & 7)
head = bytearray(4096)
struct.pack_into("<8si", head, 0, b"KDUMP   ", 6)
head[272:278] = b"x86_64"
struct.pack_into("<IiIIII", head, 424, 1, 4096, 1, 2 * blocks, min(last, 0xffffffff), 0)
sub = bytearray(4096)
struct.pack_into("<QII", sub, 0, 0, 0, 0)
struct.pack_into("<QQ", sub, 48, 4096 + 512, len(note))
sub[512:512 + len(note)] = note
struct.pack_into("<Q", sub, 96, last)
descriptors, data = bytearray(), bytearray()
start = 4096 * (2 + 2 * blocks) + 24 * len(pages)
for page in sorted(pages):
    packed = zlib.compress(core[pages[page]:pages[page] + 4096], 1)
    descriptors += struct.pack("<QIIQ", start + len(data), len(packed), 1, 0)
    data += packed
with open(sys.argv[2], "wb") as out:
    for part in (head, sub, present, kept, descriptors, data):
        out.write(part)
