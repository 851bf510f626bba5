"""Calls functions of a kernel inside a stopped machine, through QEMU's gdb port.

Debian's kernels have no page_tables in debugfs, but the function that prints them: their check for writable and
executable memory is built on it. So the kernel's own text can be had of a kernel as it is distributed.
"""

import re
import socket
import struct

# The registers as gdb numbers them on x86-64, and how many bytes each has.
RAX, RDX, RSI, RDI, RSP, RIP, EFLAGS = 0, 3, 4, 5, 7, 16, 17
SIZES = [8] * 17 + [4]
INTERRUPTS = 1 << 9
PIECE = 1000


class Failure(Exception):
    pass


class Gdb:
    """The remote protocol, as far as one call of a function needs it. The machine stands still from here on."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(120)
        self.socket.connect(path)
        self.received = b""

    def reply(self):
        while not (match := re.search(rb"\$([^#]*)#..", self.received, re.S)):
            part = self.socket.recv(1 << 16)
            if not part:
                raise Failure("QEMU's gdb port closed")
            self.received += part
        self.received = self.received[match.end():]
        self.socket.sendall(b"+")
        return match.group(1).decode("latin1")

    def ask(self, packet):
        self.socket.sendall(f"${packet}#{sum(packet.encode()) & 0xff:02x}".encode())
        said = self.reply()
        # QEMU says on its own that it stopped when the port was opened.
        while said.startswith("T") and packet != "c":
            said = self.reply()
        return said

    def command(self, packet):
        if (said := self.ask(packet)) != "OK":
            raise Failure(f"QEMU's gdb port: {packet[:20]}: {said}")

    def read(self, address, size):
        data = b""
        while len(data) < size:
            said = self.ask(f"m{address + len(data):x},{min(size - len(data), PIECE):x}")
            if said.startswith("E"):
                raise Failure(f"no memory at {address + len(data):#x}")
            data += bytes.fromhex(said)
        return data

    def write(self, address, data):
        for place in range(0, len(data), PIECE):
            piece = data[place:place + PIECE]
            self.command(f"M{address + place:x},{len(piece):x}:{piece.hex()}")

    def registers(self):
        data, values = bytes.fromhex(self.ask("g")), []
        for size in SIZES:
            values.append(int.from_bytes(data[:size], "little"))
            data = data[size:]
        return values

    def set(self, values):
        """Sets the first registers, and leaves the others."""
        self.command("G" + b"".join(value.to_bytes(size, "little") for value, size in zip(values, SIZES)).hex())

    def run_to(self, address):
        self.command(f"Z0,{address:x},1")
        self.ask("c")
        self.command(f"z0,{address:x},1")
        if (place := self.registers()[RIP]) != address:
            raise Failure(f"the machine stopped at {place:#x}, not at {address:#x}")


class Caller:
    """Stops the machine where a process enters a function, and calls others from there."""

    def __init__(self, path, function):
        self.gdb = Gdb(path)
        self.gdb.run_to(function)
        self.before = self.gdb.registers()

    def call(self, function, *arguments):
        """As the caller of the function it stands at would, and returns what that returns; no interrupt comes
        meanwhile."""
        back = int.from_bytes(self.gdb.read(self.before[RSP], 8), "little")
        registers = list(self.before)
        for register, value in zip((RDI, RSI, RDX), arguments):
            registers[register] = value
        registers[EFLAGS] &= ~INTERRUPTS
        registers[RIP] = function
        self.gdb.set(registers)
        self.gdb.run_to(back)
        returned = self.gdb.registers()[RAX]
        self.gdb.write(self.before[RSP], back.to_bytes(8, "little"))
        self.gdb.set(self.before)
        return returned

    def print(self, function, buffer, size, *arguments):
        """What a function prints into a seq_file: (the file, *arguments). The buffer is kernel memory that nothing
        uses meanwhile; it keeps its content."""
        kept = self.gdb.read(buffer, size)
        head = 512
        # struct seq_file begins with buf, size, from, count (include/linux/seq_file.h, 5.10 to 7.3).
        self.gdb.write(buffer, struct.pack("<QQQQ", buffer + head, size - head, 0, 0) + bytes(head - 32))
        self.call(function, buffer, *arguments)
        count = struct.unpack("<Q", self.gdb.read(buffer + 24, 8))[0]
        text = self.gdb.read(buffer + head, count)
        self.gdb.write(buffer, kept)
        if count >= size - head:
            raise Failure(f"the text has more than {size - head} bytes")
        return text
