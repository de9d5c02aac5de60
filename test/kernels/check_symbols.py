#!/usr/bin/env python3
"""Fails unless each object file given has exactly one visible symbol, the KernelSet that its name says.

    check_symbols.py NM OBJECT=SYMBOL...
"""
import subprocess
import sys


def visible_symbols(nm, path):
    lines = subprocess.run([nm, "--extern-only", "--defined-only", path], check=True, capture_output=True, text=True)
    return [line.split()[-1] for line in lines.stdout.splitlines() if line.strip()]


def main():
    nm, failed = sys.argv[1], False
    for argument in sys.argv[2:]:
        path, symbol = argument.rsplit("=", 1)
        found = visible_symbols(nm, path)
        if found != [symbol]:
            failed = True
            print(f"{path}: expected the one symbol {symbol}, found {found}", file=sys.stderr)
    if len(sys.argv) < 3:
        sys.exit("no object to check")
    sys.exit(1 if failed else 0)


main()
