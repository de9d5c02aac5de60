"""ELF programs as the kernel lays them out: segments, the dynamic loader, the first stack."""
import os
import struct

from memory import EXECUTE, PAGE, READ, WRITE, Memory

_LOAD, _INTERPRETER, _PROGRAM_HEADERS, _X86_64, _POSITION_INDEPENDENT = 1, 3, 6, 62, 3
_STACK_TOP = 0x7FFFFFFFF000


class NotAProgram(Exception):
    """The file is not one that can run; the text says why."""


class Image:
    """A loaded file: `bias` is what was added to its addresses."""

    def __init__(self, memory: Memory, path: str, base=None):
        with open(path, "rb") as file:
            data = file.read()
        if data[:5] != b"\x7fELF\x02" or struct.unpack_from("<H", data, 18)[0] != _X86_64:
            raise NotAProgram(f"{path}: not an x86-64 ELF file")
        kind, = struct.unpack_from("<H", data, 16)
        entry, self._table = struct.unpack_from("<QQ", data, 24)
        self.header_bytes, self.headers = struct.unpack_from("<HH", data, 54)
        headers = [struct.unpack_from("<IIQQQQQQ", data, self._table + i * self.header_bytes) for i in range(self.headers)]
        loaded = [h for h in headers if h[0] == _LOAD]
        low, high = min(h[3] for h in loaded) & -PAGE, max(h[3] + h[6] for h in loaded)
        self.bias = 0
        if kind == _POSITION_INDEPENDENT:
            self.bias = (memory.hole(high - low) if base is None else base) - low
        self.path, self.entry, self.start, self.end = path, entry + self.bias, low + self.bias, high + self.bias
        self.interpreter, self.header_address = None, 0
        for header in headers:
            self._place(memory, data, header)

    def _place(self, memory: Memory, data: bytes, header):
        kind, flags, offset, address, _, in_file, in_memory, _ = header
        address += self.bias
        if kind == _INTERPRETER:
            self.interpreter = data[offset:offset + in_file].rstrip(b"\0").decode()
        if kind == _PROGRAM_HEADERS:
            self.header_address = address
        if kind != _LOAD:
            return
        if not self.header_address and offset <= self._table < offset + in_file:
            self.header_address = address + self._table - offset
        start, end = address & -PAGE, (address + in_memory + PAGE - 1) & -PAGE
        for region in memory.overlapping(start, end):  # segments that share a page
            start = max(start, region.end)
        protection = (READ if flags & 4 else 0) | (WRITE if flags & 2 else 0) | (EXECUTE if flags & 1 else 0)
        if start < end:
            memory.map_zeros(start, end - start, protection)
        memory.write(address, data[offset:offset + in_file], loading=True)


def first_stack(memory: Memory, program: Image, loader, arguments, environment, random_bytes, features, save_area, size):
    """Arguments, environment and auxiliary vector; the stack pointer. `loader` is the dynamic loader's Image or None."""
    memory.map_zeros(_STACK_TOP - size, size, READ | WRITE)
    at = _STACK_TOP - 64

    def push(data: bytes) -> int:
        nonlocal at
        at -= len(data)
        memory.write(at, data)
        return at

    name, platform, seed = push(os.fsencode(arguments[0]) + b"\0"), push(b"x86_64\0"), push(random_bytes)
    variables = [push(os.fsencode(text) + b"\0") for text in environment]
    values = [push(os.fsencode(text) + b"\0") for text in arguments]
    auxiliary = [
        (3, program.header_address), (4, program.header_bytes), (5, program.headers), (6, PAGE),
        (7, loader.start if loader else 0), (8, 0), (9, program.entry),
        (11, os.getuid()), (12, os.geteuid()), (13, os.getgid()), (14, os.getegid()),
        (15, platform), (16, features), (17, 100), (23, 0), (25, seed), (26, 2), (31, name), (51, save_area), (0, 0),
    ]
    words = [len(values), *values, 0, *variables, 0, *(word for pair in auxiliary for word in pair)]
    at = (at & -16) - 8 * (len(words) + len(words) % 2)
    memory.write(at, struct.pack(f"<{len(words)}Q", *words))
    return at
