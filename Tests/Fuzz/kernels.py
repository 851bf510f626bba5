"""Small kernels to mutate: page tables, VMCOREINFO, printk's ring, kallsyms, BTF, tasks and iomem in 20 to 130 KB,
and the containers that images come in."""
import random, struct, zlib

P, W, U, A, D, LARGE, G, NX = 1, 2, 4, 0x20, 0x40, 0x80, 0x100, 1 << 63
DATA = P | W | A | D | NX | G
IMAGE, MAP, TEXT = 0xffffffff80000000, 0xffff888000000000, 0xffffffff81000000
ROOT = 0x1000000


class Kernel:
    """Physical pages by address, VMCOREINFO's keys, and notes beside it."""

    def __init__(self):
        self.pages, self.tables, self.notes = {}, [], []
        self.free = 0x1100000
        self.table(ROOT)
        self.info = {
            "OSRELEASE": "6.12.117", "PAGESIZE": "4096", "SYMBOL(swapper_pg_dir)": f"{IMAGE + ROOT:x}",
            "SYMBOL(_stext)": f"{TEXT:x}", "NUMBER(phys_base)": "0", "NUMBER(pgtable_l5_enabled)": "0",
            "KERNELOFFSET": "0", "NUMBER(KERNEL_IMAGE_SIZE)": "1073741824"}
        for at in range(8, 32):
            self.map(IMAGE + at * 0x200000, at * 0x200000, DATA, 2)
        self.map(TEXT, ROOT, P | A | D | G | W | NX, 2)
        for at in range(32):
            self.map(MAP + at * 0x200000, at * 0x200000, DATA, 2)

    def page(self, at):
        return self.pages.setdefault(at, bytearray(4096))

    def table(self, at=None):
        if at is None:
            at, self.free = self.free, self.free + 4096
        self.tables.append(at)
        self.page(at)
        return at

    def entry(self, table, index):
        return struct.unpack_from("<Q", self.page(table), 8 * index)[0]

    def set(self, table, index, value):
        struct.pack_into("<Q", self.page(table), 8 * index, value & (1 << 64) - 1)

    def map(self, virtual, physical, flags, level=1, root=ROOT):
        at = root
        for number in range(4, level, -1):
            index = virtual >> 12 + 9 * (number - 1) & 511
            if not self.entry(at, index) & P:
                self.set(at, index, self.table() | P | W | A | D | (U if flags & U else 0))
            at = self.entry(at, index) & 0x000ffffffffff000
        self.set(at, virtual >> 12 + 9 * (level - 1) & 511, physical | flags | (LARGE if level > 1 else 0))

    def write(self, physical, data):
        for offset, byte in enumerate(data):
            self.page(physical + offset & ~4095)[physical + offset & 4095] = byte

    def vmcoreinfo(self):
        return "".join(f"{key}={value}\n" for key, value in self.info.items()).encode("utf-8", "replace")


def note(name, kind, data):
    name += b"\0"
    return struct.pack("<III", len(name), len(data), kind) + name + b"\0" * (-len(name) % 4) + data + b"\0" * (-len(data) % 4)


def with_ring(kernel):
    """printk's ring of four records."""
    kernel.info["SYMBOL(prb)"] = f"{MAP + 0x1001000:x}"
    for key, value in {
            "printk_ringbuffer.desc_ring": 0, "printk_ringbuffer.text_data_ring": 128, "prb_desc_ring.count_bits": 0,
            "prb_desc_ring.descs": 8, "prb_desc_ring.infos": 16, "prb_desc_ring.head_id": 24,
            "prb_desc_ring.tail_id": 32, "prb_desc.state_var": 0, "prb_desc.text_blk_lpos": 8,
            "prb_data_blk_lpos.begin": 0, "prb_data_blk_lpos.next": 8, "prb_data_ring.size_bits": 0,
            "prb_data_ring.data": 8, "printk_info.ts_nsec": 0, "printk_info.text_len": 8}.items():
        kernel.info[f"OFFSET({key})"] = str(value)
    kernel.info["SIZE(prb_desc)"], kernel.info["SIZE(printk_info)"] = "24", "16"
    kernel.write(0x1001000, struct.pack("<Q", MAP + 0x1001100))
    kernel.write(0x1001100, struct.pack("<5Q", 2, MAP + 0x1002000, MAP + 0x1003000, 3, 0))
    kernel.write(0x1001180, struct.pack("<QQ", 9, MAP + 0x1004000))
    lines = [b"Linux version 6.12.117", b"BUG: unable to handle page fault for address: ffffc90000001000",
             b"PGD 1101067 P4D 1101067 PUD 1102067 PMD 0", b"CPA self-test:\n 4k 32 large 16 gb 0 x 0[0-0] miss 0\nok."]
    for number, line in enumerate(lines):
        kernel.write(0x1002000 + 24 * number, struct.pack("<QQQ", 1 << 62 | number, number * 128, number * 128 + 120))
        kernel.write(0x1003000 + 16 * number, struct.pack("<QHHI", 10 ** 9 * number, len(line), 0, 0))
        kernel.write(0x1004000 + 128 * number, struct.pack("<Q", number) + line)
    return kernel


def with_old_symbols(kernel):
    """The symbol table of kernels before 4.6, which no note tells: whole addresses, and longs for counts and markers."""
    symbols = [("_text", TEXT), ("_stext", TEXT)] + [(f"function_{at}", TEXT + 16 * at) for at in range(1, 300)]
    names, markers, tokens, index = b"", b"", b"", b""
    for number, (name, _) in enumerate(symbols):
        if number % 256 == 0:
            markers += struct.pack("<Q", len(names))
        names += bytes([len(name) + 1]) + b"T" + name.encode()
    for code in range(256):
        index += struct.pack("<H", len(tokens))
        tokens += (bytes([code]) if 32 <= code < 127 else b"") + b"\0"
    table = b"".join(struct.pack("<Q", address) for _, address in symbols) + struct.pack("<Q", len(symbols))
    for part in (names, markers, tokens, index):
        table += b"\0" * (-len(table) % 8) + part
    kernel.write(0x1009000, table)
    return kernel


def btf():
    """The types by which processes are found."""
    strings, places = b"\0", {}

    def name(text):
        nonlocal strings
        if text not in places:
            places[text] = len(strings)
            strings += text.encode() + b"\0"
        return places[text]
    types = struct.pack("<4I", name("int"), 1 << 24, 4, 0x01000020)
    types += struct.pack("<3I", name("task_struct"), 4 << 24 | 4, 64)
    for field, offset in (("tasks", 0), ("pid", 16), ("comm", 24), ("mm", 40)):
        types += struct.pack("<3I", name(field), 1, offset * 8)
    types += struct.pack("<3I", name("mm_struct"), 4 << 24 | 1, 16) + struct.pack("<3I", name("pgd"), 1, 0)
    return struct.pack("<HBB5I", 0xeb9f, 1, 0, 24, 0, len(types), len(types), len(strings)) + types + strings


def full():
    """All that the program reads of a kernel."""
    kernel = with_ring(Kernel())
    types = btf()

    def at(physical):
        return IMAGE + physical
    symbols = sorted({
        "_stext": TEXT, "_text": TEXT, "_etext": TEXT + 0x200000, "__start_rodata": TEXT + 0x200000,
        "__end_rodata": TEXT + 0x400000, "_sdata": TEXT + 0x400000, "_end": TEXT + 0x2000000,
        "init_task": at(0x1006000), "__start_BTF": at(0x1005000), "__stop_BTF": at(0x1005000 + len(types)),
        "page_offset_base": at(0x1007000), "vmalloc_base": at(0x1007008), "vmemmap_base": at(0x1007010),
        "__supported_pte_mask": at(0x1007018), "__default_kernel_pte_mask": at(0x1007020),
        "max_pfn_mapped": at(0x1007028), "iomem_resource": at(0x1007100), "address_markers": at(0x1007300),
        "linux_banner": at(0x1007800), "init_top_pgt": IMAGE + ROOT, "__init_begin": TEXT + 0x1000000,
        "__init_end": TEXT + 0x1200000, "direct_pages_count": at(0x1007900), "efi_mm": at(0x1007b00),
        "init_mm": at(0x1007a00), "system_state": at(0x1007940)}.items(), key=lambda item: item[1])
    names = b"".join(bytes([len(name) + 1]) + b"T" + name.encode() for name, _ in symbols)
    tokens, index = b"", b""
    for code in range(256):
        index += struct.pack("<H", len(tokens))
        tokens += (bytes([code]) if 32 <= code < 127 else b"") + b"\0"
    kernel.write(0x1009000, struct.pack("<IIQ", len(symbols), 0, IMAGE))
    kernel.write(0x1009100, names)
    token_table = 0x1009100 + len(names) + 8
    kernel.write(token_table, tokens)
    kernel.write(0x100b000, index)
    kernel.write(0x100b200, b"".join(struct.pack("<I", address - IMAGE) for _, address in symbols))
    for name, place in (("names", 0x1009100), ("num_syms", 0x1009000), ("token_table", token_table),
                        ("token_index", 0x100b000), ("offsets", 0x100b200), ("relative_base", 0x1009008)):
        kernel.info[f"SYMBOL(kallsyms_{name})"] = f"{MAP + place:x}"
    kernel.page(0x100a000)
    kernel.page(0x100c000)
    kernel.write(0x1005000, types)
    for place, other, pid, name in ((0x1006000, 0x1006100, 0, b"swapper"), (0x1006100, 0x1006000, 1, b"init")):
        kernel.write(place, struct.pack("<QQI4x16s", at(other), at(other), pid, name))
    user = kernel.table()
    for slot in range(256, 512):
        kernel.set(user, slot, kernel.entry(ROOT, slot))
    kernel.map(0x400000, 0x2000000, P | U | A, root=user)
    kernel.map(0x7ffffffff000, 0x2001000, P | W | U | A | NX, root=user)
    kernel.write(0x1006128, struct.pack("<Q", MAP + 0x1006200))
    kernel.write(0x1006200, struct.pack("<Q", MAP + user))
    kernel.write(0x1007000, struct.pack("<6Q", MAP, 0xffffc90000000000, 0xffffea0000000000, 2 ** 64 - 1, 2 ** 64 - 1, 0x40000))
    kernel.write(0x1007100, struct.pack("<8Q", 0, 2 ** 40, MAP + 0x1007700, 0, 0, 0, 0, MAP + 0x1007180))
    kernel.write(0x1007180, struct.pack("<8Q", 0, 0x3ffffff, MAP + 0x1007710, 0, 0, MAP + 0x1007100, 0, 0))
    kernel.write(0x1007700, b"PCI mem\0\0\0\0\0\0\0\0\0System RAM\0")
    kernel.write(0x1007300, struct.pack("<9Q", 0, MAP + 0x1007710, 0, MAP, MAP + 0x1007700, 0, 2 ** 64 - 1, 0, 0))
    kernel.write(0x1007800, b"Linux version 6.12.117 (x) \0")
    kernel.write(0x1007900, struct.pack("<4Q", 0, 0, 32, 0))
    kernel.map(0xffffc90000001000, 0x2003000, DATA)
    kernel.map(0xffffffffa0000000, 0x2004000, P | A | D | G)
    kernel.map(0xfffffe0000000000, 0x2005000, P | A | NX | G)
    return kernel


# Containers.

def segments(kernel):
    found = []
    for at in sorted(kernel.pages):
        if found and found[-1][0] + len(found[-1][1]) == at:
            found[-1][1].extend(kernel.pages[at])
        else:
            found.append((at, bytearray(kernel.pages[at])))
    return found


def elf(kernel):
    notes = note(b"VMCOREINFO", 0, kernel.vmcoreinfo()) + b"".join(note(*each) for each in kernel.notes)
    parts = segments(kernel)
    at = 64 + 56 * (1 + len(parts))
    headers = [(4, 0, at, 0, 0, len(notes), len(notes), 0)]
    data = at + len(notes) + 4095 & ~4095
    body = b"\0" * (data - at - len(notes))
    for physical, content in parts:
        headers.append((1, 4, data, 0, physical, len(content), len(content), 0))
        body += bytes(content)
        data += len(content)
    head = b"\x7fELF\x02\x01\x01" + b"\0" * 9 + struct.pack(
        "<HHIQQQIHHHHHH", 4, 62, 1, 0, 64, 0, 0, 64, 56, len(headers), 0, 0, 0)
    return head + b"".join(struct.pack("<IIQQQQQQ", *each) for each in headers) + notes + body


def kdump(kernel, level=31):
    count = max(kernel.pages) // 4096 + 1
    notes = note(b"VMCOREINFO", 0, kernel.vmcoreinfo())
    blocks = (104 + len(notes) + 4095) // 4096
    size = (count // 8 + 4096) & ~4095
    head = bytearray(4096)
    head[:8] = b"KDUMP   "
    struct.pack_into("<I", head, 8, 6)
    head[272:278] = b"x86_64"
    struct.pack_into("<5I", head, 424, 1, 4096, blocks, 2 * size // 4096, count)
    sub = bytearray(4096 * blocks)
    struct.pack_into("<I", sub, 8, level)
    struct.pack_into("<QQ", sub, 48, 4096 + 104, len(notes))
    struct.pack_into("<3Q", sub, 80, 0, 0, count)
    sub[104:104 + len(notes)] = notes
    bitmap = bytearray(size)
    for at in kernel.pages:
        bitmap[at // 4096 // 8] |= 1 << at // 4096 % 8
    front = bytes(head) + bytes(sub) + bytes(bitmap) * 2
    data, descriptors = b"", b""
    for at in sorted(kernel.pages):
        packed, flags = zlib.compress(bytes(kernel.pages[at])), 1
        if len(packed) >= 4096:
            packed, flags = bytes(kernel.pages[at]), 0
        descriptors += struct.pack("<QIIQ", len(front) + 24 * len(kernel.pages) + len(data), len(packed), flags, 0)
        data += packed
    return front + descriptors + data


def in_memory(kernel):
    """With the kernel's own copy of VMCOREINFO, for containers without notes."""
    kernel.write(0x100d000, kernel.vmcoreinfo()[:4096])
    return kernel


def lime(kernel):
    return b"".join(b"EMiL" + struct.pack("<IQQQ", 1, at, at + len(content) - 1, 0) + bytes(content)
                    for at, content in segments(in_memory(kernel)))


CRC = []
for start in range(256):
    for _ in range(8):
        start = start >> 1 ^ (0x82f63b78 if start & 1 else 0)
    CRC.append(start)


def checksum(data):
    """Snappy's masked CRC-32C."""
    value = 0xffffffff
    for byte in data:
        value = value >> 8 ^ CRC[(value ^ byte) & 255]
    value ^= 0xffffffff
    return (value >> 15 | value << 17) + 0xa282ead8 & 0xffffffff


def snappy(data):
    size, made = len(data), b""
    while size > 127:
        made, size = made + bytes([size & 127 | 128]), size >> 7
    made += bytes([size])
    for at in range(0, len(data), 60):
        piece = data[at:at + 60]
        made += bytes([len(piece) - 1 << 2]) + piece
    return made


PACKED = {}


def frame(page):
    if page not in PACKED:
        content = struct.pack("<I", checksum(page)) + snappy(page)
        PACKED[page] = struct.pack("<I", len(content) << 8) + content
    return PACKED[page]


def avml(kernel):
    made = b""
    for at in sorted(in_memory(kernel).pages):
        frames = b"\xff\x06\0\0sNaPpY" + frame(bytes(kernel.pages[at]))
        made += b"AVML" + struct.pack("<IQQQ", 2, at, at + 4095, 0) + frames + struct.pack("<Q", len(frames))
    return made


def flattened(kernel):
    data = kdump(kernel)
    made = (b"makedumpfile\0\0\0\0" + struct.pack(">QQ", 1, 1)).ljust(4096, b"\0")
    for at in range(0, len(data), 8192):
        made += struct.pack(">QQ", at, len(data[at:at + 8192])) + data[at:at + 8192]
    return made + b"\xff" * 16


CONTAINERS = {"elf": elf, "kdump": kdump, "kdump1": lambda kernel: kdump(kernel, 1), "lime": lime, "avml": avml,
              "flattened": flattened}
