"""Calls functions of an arm64 kernel inside a stopped machine, through QEMU's gdb port.

Debian's arm64 kernels have no kernel_page_tables in debugfs, but the dumper: their check for writable and executable
memory is built on it.
"""

import struct

from kernel_calls import Failure, Gdb

# The registers as gdb numbers them: x0 to x30, sp, pc, 8 bytes each.
LINK, PLACE, COUNT = 30, 32, 33
LAST = (1 << 64) - 1


class Caller:
    """Stops the machine where a process enters a function, and calls others from there, as that function's caller
    would. Interrupts stay on: a function may sleep."""

    def __init__(self, path, function):
        self.gdb = Gdb(path)
        self.function = function
        self.run_to(function)
        self.before = self.registers()

    def registers(self):
        return list(struct.unpack(f"<{COUNT}Q", bytes.fromhex(self.gdb.ask("g"))[:8 * COUNT]))

    def set(self, values):
        self.gdb.command("G" + struct.pack(f"<{COUNT}Q", *values).hex())

    def run_to(self, address):
        """By a breakpoint of the processor: the text that it is in may not be written."""
        self.gdb.command(f"Z1,{address:x},4")
        self.gdb.ask("c")
        self.gdb.command(f"z1,{address:x},4")
        if (place := self.registers()[PLACE]) != address:
            raise Failure(f"the machine stopped at {place:#x}, not at {address:#x}")

    def start(self, function, *arguments):
        registers = list(self.before)
        registers[:len(arguments)] = [value & LAST for value in arguments]
        registers[LINK] = self.function
        registers[PLACE] = function
        self.set(registers)

    def call(self, function, *arguments):
        self.start(function, *arguments)
        self.run_to(self.function)
        return self.registers()[0]

    def second_argument(self, function, inner):
        """What `function`, called without arguments, gives `inner` as its second."""
        self.start(function)
        self.run_to(inner)
        found = self.registers()[1]
        self.run_to(self.function)
        return found

    def word(self, address):
        return struct.unpack("<Q", self.gdb.read(address, 8))[0]

    def print_tables(self, walk, room, size, mm, markers, start):
        """The text of `ptdump_walk`: (struct seq_file *, struct ptdump_info *), which the size of the room must hold.

        struct seq_file begins with buf, size, from, count; struct ptdump_info is mm, markers, base_addr; a marker is an
        address and a name. Source: include/linux/seq_file.h, arch/arm64/include/asm/ptdump.h, 6.1 to 7.3.
        """
        head = 8192
        rows, names = b"", b""
        for address, name in [*markers, (LAST, None)]:
            rows += struct.pack("<QQ", address & LAST, room + 2048 + len(names) if name else 0)
            names += (name or "").encode() + b"\0"
        block = struct.pack("<QQQQ", room + head, size - head, 0, 0).ljust(512, b"\0")
        block += struct.pack("<QQQ", mm, room + 1024, start & LAST).ljust(512, b"\0")
        block += rows.ljust(1024, b"\0") + names
        self.gdb.write(room, block)
        self.call(walk, room, room + 512)
        count = self.word(room + 24)
        if count >= size - head:
            raise Failure(f"the text has more than {size - head} bytes")
        return self.gdb.read(room + head, count)

    def leave(self):
        self.set(self.before)
