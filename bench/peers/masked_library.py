"""Copies of a Python package whose compiled code takes this CPU for one with AVX2 and nothing beyond.

For ONNX Runtime, which has no switch for that. In the copy each CPUID instruction is one that no CPU has, of the same
length; a small library, preloaded, answers for it (make/masked_cpuid.c). That happens when features are looked up, so that nothing else changes.
"""
import pathlib
import re
import shutil
import subprocess

MASK = pathlib.Path(__file__).parent / "make/masked_cpuid.c"
CPUID, NO_INSTRUCTION = b"\x0f\xa2", b"\x0f\x04"


def _output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def cpuid_offsets(library):
    """Where in the file the CPUID instructions of its .text stand."""
    section = re.search(r"\.text\s+\w+\s+(\w+)\s+\w+\s+(\w+)", _output("objdump", "-h", library))
    address, offset = int(section[1], 16), int(section[2], 16)
    listing = _output("objdump", "-d", "--no-show-raw-insn", "-j", ".text", library)
    return [int(found, 16) - address + offset for found in re.findall(r"(?m)^\s*(\w+):\s+cpuid\s*$", listing)]


def mask(library):
    """Rewrites the file; returns how many instructions were replaced."""
    code, offsets = bytearray(library.read_bytes()), cpuid_offsets(library)
    for offset in offsets:
        if code[offset:offset + 2] != CPUID:
            raise ValueError(f"{library}: expected CPUID at byte {offset}, found {code[offset:offset + 2].hex()}")
        code[offset:offset + 2] = NO_INSTRUCTION
    library.write_bytes(code)
    return len(offsets)


def make_masked(package, folder):
    """`folder` with a masked copy of a package and the library to preload, made once."""
    if not folder.exists():
        new = folder.with_name(f"new-{folder.name}")
        shutil.rmtree(new, ignore_errors=True)
        shutil.copytree(package, new / package.name)
        if sum(mask(library) for library in (new / package.name).rglob("*.so*")) == 0:
            raise SystemExit(f"peers: expected CPUID instructions in {package}, found none")
        subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", new / "masked_cpuid.so", MASK], check=True)
        new.rename(folder)
    return {"PYTHONPATH": str(folder), "LD_PRELOAD": str(folder / "masked_cpuid.so")}
