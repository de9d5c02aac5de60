#!/usr/bin/env python3
"""Runs an ordinary Linux program on an emulated CPU: a check of instruction sets that this machine lacks.

    python test/emulate/run.py --cpu arrow_lake build/nybble isa

Exit status: the program's; 128 + signal where it faulted (an instruction that the CPU lacks is SIGILL: 132); 125 where the
emulator failed; 77 where it is not installed. RDTSC counts retired instructions; with --seed and an empty environment the
counts repeat exactly. Nothing here says how fast a CPU is.
"""
import argparse
import os
import signal
import sys

import bochs
import elf
import file_calls  # its calls enter themselves in the table
from process import Process

SKIPPED = 77


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cpu", default="sapphire_rapids", choices=bochs.MODELS, metavar="MODEL")
    parser.add_argument("--list", action="store_true", help="list the models")
    parser.add_argument("--count", action="store_true", help="tell the retired instructions on standard error")
    parser.add_argument("--no-amx", dest="amx", action="store_false", help="sapphire_rapids without its tiles")
    parser.add_argument("--writable", action="store_true", help="let the program change files")
    parser.add_argument("--trace", action="store_true", help="tell each system call on standard error")
    parser.add_argument("--seed", type=int, help="what the program finds as random")
    parser.add_argument("--stack", type=int, default=8, help="MiB")
    parser.add_argument("--cpus", type=int, default=1, help="how many the program finds; they take turns")
    parser.add_argument("--slice", type=int, default=200000, help="instructions until the next thread's turn")
    parser.add_argument("program", nargs=argparse.REMAINDER)
    options = parser.parse_args(arguments)
    options.amx = options.amx and options.cpu == "sapphire_rapids"
    if not options.list and not options.program:
        parser.error("no program")
    return options


def main() -> int:
    options = parse(sys.argv[1:])
    if options.list:
        print("\n".join(bochs.MODELS))
        return 0
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        process = Process(options)
    except bochs.Unavailable as missing:
        print(f"emulate: {missing}")
        return SKIPPED
    try:
        process.start(options.program, [f"{name}={value}" for name, value in os.environ.items()])
    except elf.NotAProgram as error:
        print(f"emulate: {error}", file=sys.stderr)
        return 126
    status = process.run()
    if options.count:
        count, rate = process.core.instructions(), process.core.instructions() / max(process.seconds, 1e-9) / 1e6
        print(f"emulate: {count} instructions, {process.core.amx_instructions()} of them AMX; {rate:.0f} million a second", file=sys.stderr)
    return status


if __name__ == "__main__":
    STATUS = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(STATUS)  # the core's threads and destructors are no longer needed
