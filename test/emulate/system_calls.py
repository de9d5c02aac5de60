"""The table of system calls, and those of memory, threads, time and identity; files are in file_calls.py.

A call is a function of the Process and its six arguments (unsigned, unused ones in *_) that returns what RAX gets, or
raises BadAddress, OSError or MemoryError. Whatever a program here was not seen to need answers ENOSYS.
"""
import errno
import os
import random
import signal
import struct
import time

from memory import PAGE, READ, WRITE, BadAddress, pages

_CALLS = {}


class GiveWay:
    """Instead of a result: another thread may run; this one finds `value` in RAX when it is its turn."""

    def __init__(self, value: int = 0):
        self.value = value


def system_call(*numbers):
    def register(function):
        for number in numbers:
            _CALLS[number] = function
        return function
    return register


def name_of(number: int) -> str:
    return _CALLS[number].__name__ if number in _CALLS else f"call {number}"


def perform(process, number: int, arguments):
    try:
        return _CALLS[number](process, *arguments) if number in _CALLS else -errno.ENOSYS
    except BadAddress:
        return -errno.EFAULT
    except MemoryError:
        return -errno.ENOMEM
    except OSError as error:
        return -(error.errno or errno.EIO)


def as_int32(value: int) -> int:
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value


def as_int64(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


# ---- memory ----

_MAP_FIXED, _MAP_ANONYMOUS = 0x10, 0x20
_LARGEST_MAPPING = 1 << 40


@system_call(9)
def mmap(process, address, size, protection, flags, file, offset):
    """Files are copied when they are mapped: what is written to a shared mapping stays in the guest."""
    if size == 0:
        return -errno.EINVAL
    size = pages(size) * PAGE
    if size > _LARGEST_MAPPING:
        return -errno.ENOMEM
    if not flags & _MAP_FIXED and (not address or address % PAGE or process.memory.overlapping(address, address + size)):
        address = process.memory.hole(size)
    if address is None:
        return -errno.ENOMEM
    data = b"" if flags & _MAP_ANONYMOUS else _read_all(process, file, size, offset)
    process.memory.map_zeros(address, size, protection & 7)
    process.memory.write(address, data, loading=True)
    return address


def _read_all(process, file, size, offset) -> bytes:
    file, pieces, found = open_file(process, file), [], 0
    while found < size:
        piece = os.pread(file, size - found, offset + found)
        if not piece:
            break
        pieces.append(piece)
        found += len(piece)
    return b"".join(pieces)


def open_file(process, number: int) -> int:
    number = as_int32(number)
    if number not in process.open_files:
        raise OSError(errno.EBADF, "")
    return number


@system_call(11)
def munmap(process, address, size, *_):
    if address % PAGE:
        return -errno.EINVAL
    process.memory.unmap(address, size)
    return 0


@system_call(10)
def mprotect(process, address, size, protection, *_):
    if address % PAGE:
        return -errno.EINVAL
    return 0 if not size or process.memory.protect(address, size, protection & 7) else -errno.ENOMEM


@system_call(25)
def mremap(process, *_):
    return -errno.ENOMEM  # glibc then allocates, copies and frees


@system_call(28)
def madvise(process, address, size, advice, *_):
    dont_need = 4
    if advice == dont_need:
        process.memory.zero(address, size)
    return 0


@system_call(12)
def brk(process, address, *_):
    if not process.break_start <= address <= process.break_start + _LARGEST_MAPPING:
        return process.break_now
    end, mapped = pages(address) * PAGE, process.break_mapped
    if end > mapped:
        if process.memory.overlapping(mapped, end):
            return process.break_now
        process.memory.map_zeros(mapped, end - mapped, READ | WRITE)
    elif end < mapped:
        process.memory.unmap(end, mapped - end)
    process.break_mapped, process.break_now = end, address
    return address


# ---- the CPU's own state ----

@system_call(158)
def arch_prctl(process, code, value, *_):
    set_gs, set_fs, get_fs = 0x1001, 0x1002, 0x1003
    get_features, get_permitted, request_permission, get_guest_permitted = 0x1021, 0x1022, 0x1023, 0x1024
    if code == set_fs:
        process.core.set_segment(4, 0, value, 0xC0F3)
        process.current.fs_base = value
    elif code == set_gs:
        process.core.set_segment(5, 0, value, 0xC0F3)
    elif code == get_fs:
        process.memory.write(value, struct.pack("<Q", process.current.fs_base))
    elif code in (get_features, get_permitted, get_guest_permitted):
        process.memory.write(value, struct.pack("<Q", process.saved_state))
    elif code == request_permission:
        return 0 if process.amx and value in (17, 18) else -errno.EOPNOTSUPP
    else:
        return -errno.EINVAL
    return 0


@system_call(157)
def prctl(process, operation, *_):
    set_name, name_mapping = 15, 0x53564D41
    return 0 if operation in (set_name, name_mapping) else -errno.EINVAL


# ---- threads ----

@system_call(56)
def clone(process, flags, stack, parent_tid, child_tid, thread_storage, *_):
    share_memory, same_process = 0x100, 0x10000
    set_storage, set_parent_tid, clear_child_tid, set_child_tid = 0x80000, 0x100000, 0x200000, 0x1000000
    if not flags & share_memory or not flags & same_process:
        return -errno.ENOSYS
    thread = process.clone_thread(stack, thread_storage if flags & set_storage else process.current.fs_base)
    if flags & set_parent_tid:
        process.memory.write(parent_tid, struct.pack("<I", thread.tid))
    if flags & set_child_tid:
        process.memory.write(child_tid, struct.pack("<I", thread.tid))
    if flags & clear_child_tid:
        thread.clear_tid = child_tid
    return thread.tid


@system_call(60)
def exit_thread(process, code, *_):
    if len(process.threads) == 1:
        return exit_process(process, code)
    process.end_thread()
    return GiveWay()


@system_call(231)
def exit_process(process, code, *_):
    process.status = code & 255
    return 0


@system_call(202)
def futex(process, address, operation, value, timeout, address2, value3):
    wait, wake, requeue, compare_requeue, wait_bits, wake_bits = 0, 1, 3, 4, 9, 10
    by_wall_clock, operation, value = operation & 256, operation & 0x7F, value & 0xFFFFFFFF
    if operation in (wait, wait_bits):
        if process.memory.read_u32(address) != value:
            return -errno.EAGAIN
        process.current.wait = _futex_wait(process, address, operation == wait, by_wall_clock, timeout, value3)
        return GiveWay()
    if operation == wake:
        return process.wake(address, value)
    if operation == wake_bits:
        return process.wake(address, value, value3 & 0xFFFFFFFF)
    if operation in (requeue, compare_requeue):
        if operation == compare_requeue and process.memory.read_u32(address) != value3 & 0xFFFFFFFF:
            return -errno.EAGAIN
        woken = process.wake(address, value)
        moved = [t for t in process.threads if t.wait and t.wait.address == address][:timeout]
        for thread in moved:
            thread.wait.address = address2
        return woken + len(moved)
    return -errno.ENOSYS


def _futex_wait(process, address, relative, by_wall_clock, timeout, bits):
    from process import Wait
    deadline = None
    if timeout:
        seconds, nanoseconds = struct.unpack("<qq", process.memory.read(timeout, 16))
        now = time.monotonic()
        offset = now if relative else now - time.time() if by_wall_clock else 0.0
        deadline = seconds + nanoseconds / 1e9 + offset
    return Wait(address, 0xFFFFFFFF if relative else bits & 0xFFFFFFFF, deadline, -errno.ETIMEDOUT & (1 << 64) - 1)


@system_call(24)
def sched_yield(process, *_):
    return GiveWay() if len(process.threads) > 1 else 0


@system_call(35)
def nanosleep(process, wanted, *_):
    from process import Wait
    seconds, nanoseconds = struct.unpack("<QQ", process.memory.read(wanted, 16))
    process.current.wait = Wait(deadline=time.monotonic() + seconds + nanoseconds / 1e9)
    return GiveWay()


@system_call(230)
def clock_nanosleep(process, clock, flags, wanted, *_):
    return -errno.ENOSYS if flags else nanosleep(process, wanted)


@system_call(204)
def sched_getaffinity(process, tid, size, mask, *_):
    if size < 8:
        return -errno.EINVAL
    process.memory.write(mask, struct.pack("<Q", (1 << process.options.cpus) - 1))
    return 8


@system_call(203, 273)
def accepted(process, *_):
    """sched_setaffinity, set_robust_list."""
    return 0


@system_call(309)
def getcpu(process, cpu, node, *_):
    for address in (cpu, node):
        if address:
            process.memory.write(address, bytes(4))
    return 0


# ---- signals: remembered, never delivered ----

@system_call(13)
def rt_sigaction(process, number, action, old, *_):
    if old:
        process.memory.write(old, process.signal_handlers.get(number, bytes(32)))
    if action:
        process.signal_handlers[number] = process.memory.read(action, 32)
    return 0


@system_call(14)
def rt_sigprocmask(process, how, new, old, *_):
    if old:
        process.memory.write(old, bytes(8))
    return 0


@system_call(131)
def sigaltstack(process, new, old, *_):
    disabled = 2
    if old:
        process.memory.write(old, struct.pack("<QiiQ", 0, disabled, 0, 0))
    return 0


def _signal(process, number):
    if as_int32(number):
        process.end_by_signal(as_int32(number), "the program sent itself a signal")
    return 0


@system_call(62, 200)
def kill(process, target, number, *_):
    return _signal(process, number)


@system_call(234)
def tgkill(process, group, thread, number, *_):
    return _signal(process, number)


# ---- identity, limits, time ----

@system_call(39)
def getpid(process, *_):
    return process.pid


@system_call(110)
def getppid(process, *_):
    return 1


@system_call(186)
def gettid(process, *_):
    return process.current.tid


@system_call(218)
def set_tid_address(process, address, *_):
    process.current.clear_tid = address
    return process.current.tid


for _number, _function in ((102, os.getuid), (104, os.getgid), (107, os.geteuid), (108, os.getegid)):
    _CALLS[_number] = lambda process, *_, function=_function: function()


@system_call(63)
def uname(process, out, *_):
    fields = (b"Linux", b"emulated", b"6.1.0", b"#1", b"x86_64", b"(none)")
    process.memory.write(out, b"".join(field.ljust(65, b"\0") for field in fields))
    return 0


@system_call(302)
def prlimit64(process, pid, resource, new, old, *_):
    stack, files, unlimited = 3, 7, (1 << 64) - 1
    limits = {stack: (process.options.stack << 20, unlimited), files: (1024, 4096)}
    if old:
        process.memory.write(old, struct.pack("<QQ", *limits.get(resource, (unlimited, unlimited))))
    return 0


@system_call(97)
def getrlimit(process, resource, out, *_):
    return prlimit64(process, 0, resource, 0, out)


@system_call(98)
def getrusage(process, who, out, *_):
    seconds = time.process_time()
    process.memory.write(out, struct.pack("<QQ128x", int(seconds), int(seconds % 1 * 1e6)))
    return 0


@system_call(99)
def sysinfo(process, out, *_):
    one_unit = 1
    process.memory.write(out, struct.pack("<q3QQQQQQQHHIQQI", 1000, 0, 0, 0, 16 << 30, 8 << 30, 0, 0, 0, 0, 1, 0, 0, 0, 0,
                                          one_unit).ljust(112, b"\0")[:112])
    return 0


@system_call(318)
def getrandom(process, out, size, *_):
    seed = process.options.seed
    process.memory.write(out, os.urandom(size) if seed is None else random.Random(seed).randbytes(size))
    return size


@system_call(228)
def clock_gettime(process, clock, out, *_):
    now = time.clock_gettime_ns(min(as_int32(clock), 7))
    process.memory.write(out, struct.pack("<QQ", now // 10**9, now % 10**9))
    return 0


@system_call(229)
def clock_getres(process, clock, out, *_):
    if out:
        process.memory.write(out, struct.pack("<QQ", 0, 1))
    return 0


@system_call(96)
def gettimeofday(process, out, *_):
    now = time.time_ns()
    process.memory.write(out, struct.pack("<QQ", now // 10**9, now % 10**9 // 1000))
    return 0


@system_call(201)
def seconds_since_1970(process, out, *_):
    if out:
        process.memory.write(out, struct.pack("<Q", int(time.time())))
    return int(time.time())
