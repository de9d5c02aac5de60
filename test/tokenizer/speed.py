#!/usr/bin/env python3
"""Measures tokens a second beside the reference's encode_batch_fast, one thread, the same texts in memory.

    speed.py --program BUILD/test/tokenizer/tokenize_lines --model FOLDER/tokenizer.json

A measurement, not a test. English is the Jargon File by paragraphs; hostile is what parity.py makes.
"""
import os

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"
import json
import struct
import subprocess
import sys
import tempfile
import time

from tokenizers import Tokenizer

import parity

TIMES = 5


def reference_speed(model, texts):
    reference = Tokenizer.from_file(model)
    reference.no_padding()
    reference.no_truncation()
    best, tokens = 1e30, 0
    for _ in range(TIMES):
        start = time.perf_counter()
        encodings = reference.encode_batch_fast(texts)
        best = min(best, time.perf_counter() - start)
        tokens = sum(len(e.ids) for e in encodings)
    return tokens, best


def our_speed(program, model, texts):
    with tempfile.NamedTemporaryFile() as file:
        for text in texts:
            raw = text.encode()
            file.write(struct.pack("<I", len(raw)) + raw)
        file.flush()
        done = subprocess.run([program, "--speed", model, file.name, str(TIMES * 4)], capture_output=True, check=True)
    return json.loads(done.stdout)


def cpu_name():
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        return next((l.partition(": ")[2].strip() for l in info if l.startswith("model name")), "unknown")


def main():
    arguments = parity.parse_arguments()
    print(f"CPU: {cpu_name()}, one thread, best of {TIMES} (reference) and {TIMES * 4} (ours)")
    jargon = parity.jargon_file()
    sources = {"English": [t for t in jargon[:-1] if "\n" in t] if jargon else None,
               "descriptions": parity.descriptions(), "hostile": parity.Hostile(arguments.seed).texts(20000)}
    for name, texts in sources.items():
        if texts is None:
            print(f"{name}: no texts on this machine, left out")
            continue
        tokens, theirs = reference_speed(arguments.model, texts)
        ours = our_speed(arguments.program, arguments.model, texts)
        if ours["tokens"] != tokens:
            sys.exit(f"speed.py: {name}: {ours['tokens']} tokens, the reference has {tokens}")
        print(f"{name}: {len(texts)} texts, {tokens} tokens; reference {tokens / theirs / 1e6:.3f} M tokens/s, "
              f"ours {tokens / ours['best_s'] / 1e6:.2f} M tokens/s, {theirs / ours['best_s']:.1f} times; "
              f"load {ours['load_s'] * 1e3:.1f} ms")


if __name__ == "__main__":
    main()
