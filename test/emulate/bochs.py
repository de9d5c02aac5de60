"""The CPU core of Bochs out of the wheel bochscpu-python 0.4.0 (CPython 3.11, x86-64), as a plain library.

The wheel's Python interface is not used: it calls back for every instruction. Its shared object also exports the core
itself under C names, and looks its instrumentation up by name; hooks.c, loaded first, defines those names. Both reach
into fields at fixed offsets, which holds for this one build: the package is pinned by its hash, and CpuCore checks the
offsets before anything runs.
"""
import ctypes
import hashlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

# In the order of this build's own list; CpuCore compares the name of what it made.
MODELS = """bx_generic i486dx4 pentium pentium_mmx amd_k6_2_chomper athlon_xp p2_klamath p3_katmai p4_willamette
core_duo_t2400_yonah atom_n270 p4_prescott_celeron_336 athlon64_clawhammer athlon64_venice turion64_tyler
phenom_8650_toliman core2_penryn_t9600 corei5_lynnfield_750 corei5_arrandale_m520 corei7_sandy_bridge_2600k zambezi
trinity_apu ryzen corei7_ivy_bridge_3770k corei7_haswell_4770 broadwell_ult corei7_skylake_x corei3_cnl
corei7_icelake_u tigerlake sapphire_rapids arrow_lake""".split()

RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11 = range(12)
REGISTER_NAMES = "rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15".split()
CS, SS, DS, FS, GS = 1, 2, 3, 4, 5

# Offsets in BX_CPU_C, as in hooks.h, and of the value in a parameter object.
_GPR, _CPUID, _RIP, _PREVIOUS_RIP, _INSTRUCTIONS, _LAST_SYNC = 0x58, 0x38, 0xD8, 0x110, 0x128, 0x130
_PARAMETER_VALUE = 0x88

u16, u32, u64, pointer = ctypes.c_uint16, ctypes.c_uint32, ctypes.c_uint64, ctypes.c_void_p
_THE_CPU = u32(0)


class Unavailable(Exception):
    """The emulator cannot run here; the text says what is missing."""


def _find_core() -> Path:
    if sys.version_info[:2] != (3, 11):
        raise Unavailable(f"bochscpu-python 0.4.0 is built for Python 3.11, this is {sys.version.split()[0]}")
    package = importlib.util.find_spec("bochscpu")
    objects = sorted(Path(package.origin).parent.glob("_bochscpu*.so")) if package and package.origin else []
    if not objects:
        raise Unavailable("the Python package bochscpu-python 0.4.0 is not installed (tools/setup emulate)")
    return objects[0]


def _build_hooks() -> Path:
    """Compiles hooks.c and amx.c once, into the Python environment, under a name that their contents give."""
    here = Path(__file__).parent
    sources = [here / name for name in ("hooks.c", "amx.c", "hooks.h")]
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]
    target = Path(sys.prefix) / f"nybble-hooks-{digest}.so"
    if not target.exists():
        new = target.with_suffix(f".{os.getpid()}")
        compiler = os.environ.get("CC", "gcc").split()
        subprocess.run([*compiler, "-O3", "-fPIC", "-shared", "-fno-strict-aliasing", "-o", new, *sources[:2]], check=True)
        new.rename(target)
    return target


def _address(library, name: str) -> int:
    return ctypes.cast(getattr(library, name), pointer).value


class CpuCore:
    """One emulated CPU. Registers are integers; everything else works through methods named for what they do."""

    def __init__(self, model: str):
        core = _find_core()
        self.hooks = ctypes.CDLL(str(_build_hooks()), mode=ctypes.RTLD_GLOBAL)  # before the core: its names win
        self.lib = ctypes.CDLL(str(core))
        self.lib.sim_get_param_enum.restype = pointer
        for name in ("cpu_get_reg64", "cpu_get_cr2"):
            getattr(self.lib, name).restype = u64
        self.base = ctypes.addressof(ctypes.c_char.in_dll(self.lib, "bx_cpu"))
        self._make(model)
        self._check_offsets()

    def _make(self, model: str):
        parameter = self.lib.sim_get_param_enum(b"cpu.model")
        ctypes.c_int64.from_address(parameter + _PARAMETER_VALUE).value = MODELS.index(model)
        self.lib.cpu_new(_THE_CPU)
        table = u64.from_address(self._model_object()).value
        get_name = ctypes.CFUNCTYPE(ctypes.c_char_p, pointer)(u64.from_address(table + 0x10).value)
        made = get_name(self._model_object()).decode()
        if made != model and model != MODELS[0]:
            raise Unavailable(f"asked for the CPU {model}, this build of Bochs made {made}")

    def _check_offsets(self):
        self.set_register(RBX, 0x1122334455667788)
        self.set_pc(0x99887766)
        found = [u64.from_address(self.base + at).value for at in (_GPR + 8 * RBX, _RIP, _PREVIOUS_RIP)]
        if found != [0x1122334455667788, 0x99887766, 0x99887766]:
            raise Unavailable("this is not the build of bochscpu-python whose fields are known (0.4.0 for CPython 3.11)")

    def _model_object(self) -> int:
        return u64.from_address(self.base + _CPUID).value

    # ---- registers ----

    def register(self, index: int) -> int:
        return self.lib.cpu_get_reg64(_THE_CPU, u32(index))

    def set_register(self, index: int, value: int):
        self.lib.cpu_set_reg64(_THE_CPU, u32(index), u64(value & (1 << 64) - 1))

    def set_stack_pointer(self, value: int):
        self.set_register(RSP, value)
        self.lib.cpu_set_sp(_THE_CPU, u64(value))

    def set_pc(self, value: int):
        self.lib.cpu_set_pc(_THE_CPU, u64(value))

    def instruction_address(self) -> int:
        """Where the current instruction starts: right also in a fault and inside a REP."""
        return u64.from_address(self.base + _PREVIOUS_RIP).value

    def flags(self) -> int:
        self.lib._ZN8BX_CPU_C11force_flagsEv()
        return self.lib.cpu_get_eflags(_THE_CPU)

    def set_flags(self, value: int):
        self.lib.cpu_set_eflags(_THE_CPU, u32(value))

    def set_segment(self, index: int, selector: int, base: int, attributes: int):
        self.lib.cpu_set_seg(_THE_CPU, u32(index), u32(1), u16(selector), u64(base), u32(0xFFFFFFFF), u16(attributes))

    def enter_user_mode(self, fs_base: int = 0):
        self.set_segment(CS, 0x33, 0, 0xA0FB)  # 64-bit code, DPL 3; the selector's low bits are the privilege level
        self.set_segment(SS, 0x2B, 0, 0xC0F3)
        self.set_segment(FS, 0, fs_base, 0xC0F3)

    def enter_kernel_mode(self):
        self.set_segment(CS, 0x10, 0, 0xA09B)
        self.set_segment(SS, 0x18, 0, 0xC093)

    def state_changed(self):
        """To be called after segments or control registers; the library's own set_mode forgets the AVX enables."""
        self.lib._ZN8BX_CPU_C22handleCpuContextChangeEv()

    def fault_address(self) -> int:
        return self.lib.cpu_get_cr2(_THE_CPU)

    def flush_translations(self):
        self.lib._ZN8BX_CPU_C9TLB_flushEv()

    # ---- set-up ----

    def begin(self, page_table: int, system_call_entry: int, amx: bool) -> int:
        """64-bit mode, paging on, everything that the model can save enabled in XCR0, which is returned."""
        lib = self.lib
        lib.cpu_set_cr0(_THE_CPU, u32(0x80010033))  # PG WP NE ET MP PE
        lib.cpu_set_cr3(_THE_CPU, u64(page_table))
        cr4 = 1 << 5 | 1 << 7 | 1 << 9 | 1 << 10 | 1 << 16  # PAE PGE OSFXSR OSXMMEXCPT FSGSBASE
        xcr0 = 1
        if self.cpuid(1)[2] >> 26 & 1:
            cr4 |= 1 << 18  # OSXSAVE
            low, _, _, high = self.cpuid(0xD)
            xcr0 = (low | high << 32) & 0xE7 | (0x60000 if amx else 0)
        lib.cpu_set_cr4(_THE_CPU, u32(cr4))
        lib.cpu_set_efer(_THE_CPU, u32(0xD01))  # NXE LMA LME SCE
        lib.cpu_set_xcr0(_THE_CPU, u32(xcr0))
        lib.cpu_set_star(_THE_CPU, u64(0x23 << 48 | 0x10 << 32))
        lib.cpu_set_lstar(_THE_CPU, u64(system_call_entry))
        lib.cpu_set_fmask(_THE_CPU, u32(0x47700))
        self.set_flags(0x202)
        self.enter_user_mode()
        for index in (0, DS, GS):
            self.set_segment(index, 0 if index == GS else 0x2B, 0, 0xC0F3)
        for set_table in (lib.cpu_set_gdtr, lib.cpu_set_idtr):
            set_table(_THE_CPU, u64(0), u16(0))
        lib.cpu_set_mxcsr(_THE_CPU, u32(0x1F80))
        lib.cpu_set_mxcsr_mask(_THE_CPU, u32(0xFFFF))
        lib.cpu_set_fp_cw(_THE_CPU, u16(0x37F))
        lib.cpu_set_fp_sw(_THE_CPU, u16(0))
        lib.cpu_set_fp_tw(_THE_CPU, u16(0xFFFF))
        self.state_changed()
        return xcr0

    def change_cpuid(self, model: str, amx: bool, more_leaf_7_1_edx: int):
        leaf = _address(self.lib, f"_ZNK{len(model) + 2}{model}_t14get_cpuid_leafEjjP16cpuid_function_t")
        if not self.hooks.hooks_change_cpuid(pointer(self._model_object()), pointer(leaf), int(amx), u32(more_leaf_7_1_edx)):
            raise Unavailable("CPUID was not found in this build of Bochs")

    def cpuid(self, leaf: int, subleaf: int = 0) -> list:
        """EAX, EBX, ECX, EDX, by the slot that the function has in the table of a model that can be named."""
        named = ctypes.addressof(ctypes.c_char.in_dll(self.lib, "_ZTV17sapphire_rapids_t")) + 16
        function = _address(self.lib, "_ZNK17sapphire_rapids_t14get_cpuid_leafEjjP16cpuid_function_t")
        slot = next(i for i in range(64) if u64.from_address(named + 8 * i).value == function)
        own = u64.from_address(u64.from_address(self._model_object()).value + 8 * slot).value
        words = (u32 * 4)()
        ctypes.CFUNCTYPE(None, pointer, u32, u32, pointer)(own)(self._model_object(), leaf, subleaf, ctypes.addressof(words))
        return list(words)

    def connect(self, memory_address: int, memory_bytes: int, page_table: int, amx: bool, system_call, exception, halt):
        """Python's side of hooks.c; the callbacks are kept alive here."""
        plain, of_fault = ctypes.CFUNCTYPE(ctypes.c_int), ctypes.CFUNCTYPE(ctypes.c_int, u32, u32)
        self._callbacks = [plain(system_call), of_fault(exception), plain(halt)]
        leave, stop = _address(self.lib, "cpu_bail"), _address(self.lib, "cpu_set_killbit")
        self.hooks.hooks_begin(pointer(self.base), pointer(memory_address), u64(memory_bytes), u64(page_table),
                               pointer(leave), pointer(stop), *self._callbacks, int(amx))

    def call_every(self, instructions: int, callback):
        self._callbacks.append(ctypes.CFUNCTYPE(ctypes.c_int)(callback))
        self.hooks.hooks_slice(self._callbacks[-1], u32(instructions))

    # ---- running ----

    def instructions(self) -> int:
        return u64.from_address(self.base + _INSTRUCTIONS).value

    def run(self):
        """Until a callback stops it."""
        for field in (_INSTRUCTIONS, _LAST_SYNC):
            u64.from_address(self.base + field).value = 0
        self.lib.cpu_clear_killbit(_THE_CPU)
        self.lib.cpu_loop(_THE_CPU)

    # ---- AMX state, which lives in amx.c ----

    def amx_state(self):
        return ctypes.create_string_buffer(self.hooks.amx_state_bytes())

    def amx_switch(self, old, new):
        self.hooks.amx_save(old)
        self.hooks.amx_load(new)

    def amx_instructions(self) -> int:
        return u64.in_dll(self.hooks, "amx_instructions").value

    def amx_fault_address(self) -> int:
        return u64.in_dll(self.hooks, "amx_fault_address").value

    def amx_complaint(self) -> str:
        text = ctypes.c_char_p.in_dll(self.hooks, "amx_complaint").value
        return text.decode() if text else ""
