"""The guest's memory: physical pages in one large mapping of ours, four levels of page tables in it, and the list of what
is mapped. Physical pages that were unmapped are used again, zeroed."""
import array
import ctypes
import mmap
import struct
from bisect import bisect_right
from collections import defaultdict

PAGE = 4096
READ, WRITE, EXECUTE = 1, 2, 4
PHYSICAL_BYTES = 64 << 30  # reserved, not used: what is untouched costs nothing
_FIRST_PHYSICAL = 1 << 32  # clear of the page at 0xFEE00000 that a core takes for its interrupt controller
_PRESENT, _WRITABLE, _USER, _NO_EXECUTE = 1, 2, 4, 1 << 63
_ADDRESS = 0x000FFFFFFFFFF000
_MAP_NORESERVE = 0x4000


class BadAddress(Exception):
    """The program named memory that it may not use so."""


def pages(size: int) -> int:
    return (size + PAGE - 1) // PAGE


class Region:
    """[start, end) of the guest, at `physical`, with READ | WRITE | EXECUTE."""

    __slots__ = ("start", "end", "physical", "protection")

    def __init__(self, start, end, physical, protection):
        self.start, self.end, self.physical, self.protection = start, end, physical, protection


class Memory:
    def __init__(self, flush_translations):
        self.map = mmap.mmap(-1, PHYSICAL_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_NORESERVE)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self.map))
        self.bytes = memoryview(self.map)
        self.words = self.bytes.cast("Q")
        self._flush = flush_translations
        self._next = _FIRST_PHYSICAL
        self._free = defaultdict(list)  # number of pages: physical addresses
        self.root = self.allocate(1)
        self._starts, self._regions = [], []  # sorted, side by side

    # ---- physical pages and tables ----

    def allocate(self, count: int) -> int:
        if self._free[count]:
            return self._free[count].pop()
        physical = self._next
        self._next += count * PAGE
        if self._next > PHYSICAL_BYTES:
            raise MemoryError
        return physical

    def _release(self, physical: int, count: int):
        self.map.madvise(mmap.MADV_DONTNEED, physical, count * PAGE)
        self._free[count].append(physical)

    def table_below(self, table: int, index: int) -> int:
        """The table that entry `index` of `table` names, made if there is none."""
        word = (table >> 3) + index
        if not self.words[word] & _PRESENT:
            self.words[word] = self.allocate(1) | _PRESENT | _WRITABLE | _USER
        return self.words[word] & _ADDRESS

    def last_table(self, address: int) -> int:
        table = self.root
        for shift in (39, 30, 21):
            table = self.table_below(table, address >> shift & 511)
        return table

    def _set_entries(self, address: int, count: int, physical: int, protection: int):
        flags = 0
        if protection & 7:
            flags = _PRESENT | _USER | (_WRITABLE if protection & WRITE else 0) | (0 if protection & EXECUTE else _NO_EXECUTE)
        while count:
            index = address >> 12 & 511
            here = min(count, 512 - index)
            first = (self.last_table(address) >> 3) + index
            entries = range(physical | flags, (physical | flags) + here * PAGE, PAGE) if flags else bytes(8 * here)
            self.words[first:first + here] = memoryview(array.array("Q", entries))
            count, address, physical = count - here, address + here * PAGE, physical + here * PAGE

    # ---- regions ----

    def _add(self, region: Region):
        at = bisect_right(self._starts, region.start)
        self._starts.insert(at, region.start)
        self._regions.insert(at, region)

    def find(self, address: int):
        at = bisect_right(self._starts, address) - 1
        if at >= 0 and address < self._regions[at].end:
            return self._regions[at]
        return None

    def overlapping(self, start: int, end: int) -> list:
        at = max(0, bisect_right(self._starts, start) - 1)
        found = []
        while at < len(self._regions) and self._regions[at].start < end:
            if self._regions[at].end > start:
                found.append(self._regions[at])
            at += 1
        return found

    def _cut(self, start: int, end: int) -> list:
        """Takes [start, end) out of the list; the pieces taken."""
        pieces = []
        for old in self.overlapping(start, end):
            at = self._regions.index(old)
            del self._regions[at], self._starts[at]
            low, high = max(start, old.start), min(end, old.end)
            pieces.append(Region(low, high, old.physical + low - old.start, old.protection))
            if old.start < low:
                self._add(Region(old.start, low, old.physical, old.protection))
            if high < old.end:
                self._add(Region(high, old.end, old.physical + high - old.start, old.protection))
        return pieces

    def map_zeros(self, address: int, size: int, protection: int):
        """Zeros at a page's start, instead of what was there."""
        count = pages(size)
        self.unmap(address, size)
        physical = self.allocate(count)
        self._add(Region(address, address + count * PAGE, physical, protection))
        self._set_entries(address, count, physical, protection)
        self._flush()

    def unmap(self, address: int, size: int):
        for piece in self._cut(address, address + pages(size) * PAGE):
            count = pages(piece.end - piece.start)
            self._set_entries(piece.start, count, 0, 0)
            self._release(piece.physical, count)
        self._flush()

    def protect(self, address: int, size: int, protection: int) -> bool:
        size = pages(size) * PAGE
        pieces = self._cut(address, address + size)
        whole = sum(piece.end - piece.start for piece in pieces) == size
        for piece in pieces:
            if whole:
                piece.protection = protection
                self._set_entries(piece.start, pages(piece.end - piece.start), piece.physical, protection)
            self._add(piece)
        self._flush()
        return whole

    def zero(self, address: int, size: int):
        """What MADV_DONTNEED does to private memory."""
        for physical, count in self._spans(address, pages(size) * PAGE, 0):
            self.map.madvise(mmap.MADV_DONTNEED, physical, count)

    def hole(self, size: int, top: int = 0x7FFFF0000000, bottom: int = 0x10000):
        """The highest unused range of that size below `top`; None if there is none."""
        size, end = pages(size) * PAGE, top
        for region in reversed(self._regions):
            if region.start >= end:
                continue
            if region.end <= end - size:
                break
            end = min(end, region.start)
        return end - size if end - size >= bottom else None

    # ---- contents ----

    def _spans(self, address: int, size: int, needed: int):
        """(physical address, bytes) piece by piece; `needed` 0: whatever the protection."""
        while size > 0:
            region = self.find(address)
            if region is None or (needed and not region.protection & needed):
                raise BadAddress(address)
            count = min(size, region.end - address)
            yield region.physical + address - region.start, count
            address, size = address + count, size - count

    def read(self, address: int, size: int) -> bytes:
        return b"".join(bytes(self.bytes[at:at + count]) for at, count in self._spans(address, size, READ | EXECUTE))

    def write(self, address: int, data: bytes, loading: bool = False):
        done = 0
        for at, count in self._spans(address, len(data), 0 if loading else WRITE):
            self.bytes[at:at + count] = data[done:done + count]
            done += count

    def read_string(self, address: int) -> bytes:
        text = b""
        while True:
            piece = self.read(address, PAGE - address % PAGE)
            end = piece.find(0)
            if end >= 0:
                return text + piece[:end]
            text, address = text + piece, address + len(piece)

    def read_u32(self, address: int) -> int:
        return struct.unpack("<I", self.read(address, 4))[0]
