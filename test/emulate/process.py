"""A guest process: its threads, what stops it, and the way from the CPU core to system calls and back."""
import os
import random
import signal
import struct
import subprocess
import sys
import tempfile
import time
import traceback

import bochs
import elf
import system_calls
from bochs import R8, R9, R10, R11, RAX, RCX, RDI, RDX, RSI, RSP
from memory import PAGE, READ, WRITE, BadAddress, Memory, PHYSICAL_BYTES

# The kernel is one page: sysretq; hlt. The same page holds the thread switch. Behind it, a page a thread for its registers.
_STUB = 0xFFFFFFFF80000000
_STUB_CODE = b"\x48\x0f\x07" b"\xf4"
_SWITCH = _STUB + 16
_SWITCH_CODE = b"\x48\x0f\xae\x27" b"\x48\x0f\xae\x2e" b"\x0f\x05"  # xsave64 [rdi]; xrstor64 [rsi]; syscall
_MAX_THREADS = 500
_INTERNAL_ERROR = 125

# What a callback of hooks.c answers.
_CONTINUE, _STOP, _STATE_REPLACED = 0, 1, 2

_FAULTS = {
    0: (signal.SIGFPE, "division error"), 1: (signal.SIGTRAP, "debug"), 3: (signal.SIGTRAP, "breakpoint"),
    6: (signal.SIGILL, "invalid opcode"), 7: (signal.SIGFPE, "device not available"), 12: (signal.SIGBUS, "stack segment"),
    13: (signal.SIGSEGV, "general protection"), 14: (signal.SIGSEGV, "page fault"), 16: (signal.SIGFPE, "x87 error"),
    17: (signal.SIGBUS, "alignment"), 19: (signal.SIGFPE, "vector floating point"),
}


class Wait:
    """What a thread waits for: a futex at `address` (0: none) with `bits`, until `deadline` (None: for ever); it then finds
    `late` in RAX."""

    def __init__(self, address=0, bits=0, deadline=None, late=0):
        self.address, self.bits, self.deadline, self.late = address, bits, deadline, late


class Thread:
    def __init__(self, tid: int, save_area: int, amx_state):
        self.tid, self.save_area, self.amx_state = tid, save_area, amx_state
        self.registers, self.pc, self.flags, self.fs_base = [0] * 16, 0, 0x202, 0
        self.wait = None
        self.clear_tid = 0  # the address to zero and wake when it ends


class Process:
    """`options`: cpu, amx, seed, stack (MiB), cpus, slice, writable, trace."""

    def __init__(self, options):
        self.options = options
        self.core = bochs.CpuCore(options.cpu)
        self.memory = Memory(self.core.flush_translations)
        self.amx = options.amx
        self.status = None
        self.pid = os.getpid()
        self.open_files = {0, 1, 2}
        self.break_start = self.break_now = self.break_mapped = 0
        self.signal_handlers = {}
        self.seconds = 0.0
        self._threads_made = 0
        self._map_stub()
        xcr0 = self.core.begin(self.memory.root, _STUB, self.amx)
        self.saved_state = xcr0
        if self.amx or options.cpu == "arrow_lake":
            # This arrow_lake executes AVX-VNNI-INT8, NE-CONVERT and VNNI-INT16 but does not tell.
            self.core.change_cpuid(options.cpu, self.amx, 0 if self.amx else 1 << 4 | 1 << 5 | 1 << 10)
        self.core.connect(self.memory.address, PHYSICAL_BYTES, self.memory.root, self.amx,
                          self._on_system_call, self._on_exception, self._on_halt)
        self.current = self.new_thread(self.pid)
        self.threads = [self.current]

    def _map_stub(self):
        physical = self.memory.allocate(1)
        self._stub_table = self.memory.last_table(_STUB) >> 3
        self.memory.words[self._stub_table] = physical | 1
        for at, code in ((0, _STUB_CODE), (16, _SWITCH_CODE)):
            self.memory.bytes[physical + at:physical + at + len(code)] = code

    # ---- starting and ending ----

    def start(self, arguments, environment):
        chance = random.Random(self.options.seed)
        program = elf.Image(self.memory, arguments[0], 0x555555554000)
        loader = elf.Image(self.memory, program.interpreter) if program.interpreter else None
        self.program, self.executable = program, os.path.realpath(arguments[0])
        self.break_start = self.break_now = self.break_mapped = (program.end + PAGE - 1) & -PAGE
        save_area = 11008 if self.amx else 2696
        stack = elf.first_stack(self.memory, program, loader, arguments, environment, chance.randbytes(16),
                                self.core.cpuid(1)[3], save_area, self.options.stack << 20)
        self.core.set_stack_pointer(stack)
        self.core.set_pc((loader or program).entry)

    def run(self) -> int:
        """The exit status: the program's, or 128 + signal, or 125 where the emulator failed."""
        start = time.perf_counter()
        self.core.run()
        self.seconds = time.perf_counter() - start
        return _INTERNAL_ERROR if self.status is None else self.status

    def end_by_signal(self, number: int, why: str):
        sys.stderr.write(f"emulate: {why}: {signal.Signals(number).name}; handlers of the program are not run\n")
        self.status = 128 + number

    # ---- faults ----

    def _on_exception(self, vector: int, code: int) -> int:
        try:
            number, name = _FAULTS.get(vector, (signal.SIGSEGV, f"exception {vector}"))
            self._describe_fault(vector, code, name)
            self.status = 128 + number
        except BaseException:
            traceback.print_exc()
            self.status = _INTERNAL_ERROR
        return _STOP

    def _describe_fault(self, vector: int, code: int, name: str):
        core, at = self.core, self.core.instruction_address()
        lines = [f"{name} (code {code:#x}) on {self.options.cpu} at {self._place_of(at)}, after {core.instructions()} instructions"]
        if vector == 14:
            lines.append(f"address {core.amx_fault_address() if code == 0x100 else core.fault_address():#x}")
        if vector in (6, 13) and core.amx_complaint():
            lines.append(f"AMX: {core.amx_complaint()}")
        try:
            lines.append(self._disassemble(self.memory.read(at, 15)))
        except (BadAddress, OSError, IndexError):
            lines.append("no instruction there")
        registers = [f"{n:>3}={core.register(i):016x}" for i, n in enumerate(bochs.REGISTER_NAMES)]
        lines += ["  ".join(registers[i:i + 4]) for i in range(0, 16, 4)]
        sys.stderr.write("".join(f"emulate: {line}\n" for line in lines))

    def _place_of(self, address: int) -> str:
        if not self.program.start <= address < self.program.end:
            return f"{address:#x}"
        best = None
        listing = subprocess.run(["nm", "-C", self.executable], capture_output=True, text=True, check=False).stdout
        for line in listing.splitlines():
            fields = line.split(None, 2)
            if len(fields) == 3 and fields[1] in "tTwW":
                start = int(fields[0], 16) + self.program.bias
                if start <= address and (best is None or start > best[0]):
                    best = start, fields[2]
        return f"{address:#x}" + (f" <{best[1]}+{address - best[0]:#x}>" if best else "")

    @staticmethod
    def _disassemble(code: bytes) -> str:
        with tempfile.NamedTemporaryFile() as file:
            file.write(code)
            file.flush()
            command = ["objdump", "-D", "-b", "binary", "-m", "i386:x86-64", "-M", "intel", file.name]
            listing = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        return listing.splitlines()[7].split("\t", 1)[1]

    def _on_halt(self) -> int:
        self.status = _INTERNAL_ERROR
        return _STOP

    # ---- threads ----
    # A switch lets the CPU itself save and load the vector registers: it runs the stub's xsave64 and xrstor64 in kernel
    # mode, whose final SYSCALL comes back here, where the rest of the state is replaced.

    def new_thread(self, tid: int) -> Thread:
        self._threads_made += 1
        if self._threads_made > _MAX_THREADS:
            raise BlockingIOError(11, "too many threads")  # EAGAIN
        physical = self.memory.allocate(1)
        self.memory.words[self._stub_table + self._threads_made] = physical | 3
        # The header of XSAVE says that all is in its initial state; MXCSR is loaded whatever it says.
        self.memory.bytes[physical + 24:physical + 32] = struct.pack("<II", 0x1F80, 0xFFFF)
        return Thread(tid, _STUB + self._threads_made * PAGE, self.core.amx_state())

    def clone_thread(self, stack: int, fs_base: int) -> Thread:
        thread = self.new_thread(self.pid + self._threads_made)
        thread.registers = [self.core.register(i) for i in range(16)]
        thread.registers[RAX], thread.registers[RSP] = 0, stack
        thread.pc, thread.flags, thread.fs_base = self.core.register(RCX), self.core.register(R11), fs_base
        self.threads.append(thread)
        self.core.call_every(self.options.slice, self._on_slice)
        return thread

    def end_thread(self):
        ended = self.current
        self.threads.remove(ended)
        if ended.clear_tid:
            self.memory.write(ended.clear_tid, bytes(4))
            self.wake(ended.clear_tid, 1)

    def wake(self, address: int, count: int, bits: int = 0xFFFFFFFF) -> int:
        woken = 0
        for thread in self.threads:
            if woken == count:
                break
            if thread.wait and thread.wait.address == address and thread.wait.bits & bits:
                thread.wait, thread.registers[RAX] = None, 0
                woken += 1
        return woken

    def _next_thread(self):
        """The next one, in turn, that can run; sleeps while all wait with deadlines; None: nothing will wake them."""
        while True:
            now = time.monotonic()
            for thread in self.threads:
                if thread.wait and thread.wait.deadline is not None and thread.wait.deadline <= now:
                    thread.registers[RAX], thread.wait = thread.wait.late, None
            first = self.threads.index(self.current) + 1 if self.current in self.threads else 0
            for thread in self.threads[first:] + self.threads[:first]:
                if not thread.wait:
                    return thread
            deadlines = [thread.wait.deadline for thread in self.threads if thread.wait.deadline is not None]
            if not deadlines:
                return None
            time.sleep(max(0.0, min(deadlines) - now))

    def _remember_current(self, pc: int, flags: int):
        self.current.registers = [self.core.register(i) for i in range(16)]
        self.current.pc, self.current.flags = pc, flags

    def _enter_switch(self, to: Thread):
        self.core.amx_switch(self.current.amx_state, to.amx_state)
        for index, value in ((RDI, self.current.save_area), (RSI, to.save_area), (RAX, self.saved_state & 0xE7), (RDX, 0)):
            self.core.set_register(index, value)
        self.core.set_pc(_SWITCH)
        self.current = to

    def _finish_switch(self) -> int:
        thread = self.current
        self.core.enter_user_mode(thread.fs_base)
        for index, value in enumerate(thread.registers):
            self.core.set_register(index, value)
        self.core.set_stack_pointer(thread.registers[RSP])
        self.core.set_pc(thread.pc)
        self.core.set_flags(thread.flags)
        self.core.state_changed()
        return _STATE_REPLACED

    def _give_way(self, result: int) -> int:
        """At a system call that blocks, yields or ends the thread."""
        self._remember_current(self.core.register(RCX), self.core.register(R11))
        self.current.registers[RAX] = result & (1 << 64) - 1
        thread = self._next_thread()
        if thread is None:
            sys.stderr.write("emulate: deadlock: every thread waits for another\n")
            self.status = _INTERNAL_ERROR
            return _STOP
        if thread is self.current:
            self.core.set_register(RAX, thread.registers[RAX])
        else:
            self._enter_switch(thread)
        return _CONTINUE

    def _on_slice(self) -> int:
        """Now and then, while there are several threads: the next one's turn."""
        try:
            at = self.core.instruction_address()
            if len(self.threads) < 2 or at >= 1 << 47:
                return 0
            self._remember_current(at, self.core.flags())
            thread = self._next_thread()
            if thread is self.current:
                return 0
            self.core.enter_kernel_mode()
            self._enter_switch(thread)
            self.core.state_changed()
            return 1
        except BaseException:
            traceback.print_exc()
            os._exit(_INTERNAL_ERROR)

    # ---- system calls ----

    def _on_system_call(self) -> int:
        try:
            register = self.core.register
            if register(RCX) >= _STUB:
                return self._finish_switch()
            number = register(RAX)
            arguments = [register(i) for i in (RDI, RSI, RDX, R10, R8, R9)]
            result = system_calls.perform(self, number, arguments)
            if self.options.trace:
                sys.stderr.write(f"[{self.core.instructions()}] {system_calls.name_of(number)} {[hex(a) for a in arguments]} = {result}\n")
            if isinstance(result, system_calls.GiveWay):
                return self._give_way(result.value)
            if self.status is not None:
                return _STOP
            self.core.set_register(RAX, result)
            return _CONTINUE
        except BaseException:
            traceback.print_exc()
            self.status = _INTERNAL_ERROR
            return _STOP
