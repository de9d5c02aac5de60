#!/usr/bin/env python3
"""Measures tokens a second beside the reference's encode_batch_fast, one thread, the same texts in memory.

    speed.py --program BUILD/test/tokenizer/tokenize_lines --model FOLDER/tokenizer.json

A measurement, not a test. English is the Jargon File by paragraphs; hostile is what parity.py makes. English is
measured for a tokenizer of each model kind, too, trained on it (families.py), with and without offsets, in rounds
that alternate with the reference's; and how long a file of 250,000 tokens takes to load.
"""
import os

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"
import json
import random
import struct
import subprocess
import sys
import tempfile
import time

from tokenizers import Tokenizer

import families
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
        write_texts(file, texts)
        done = subprocess.run([program, "--speed", model, file.name, str(TIMES * 4)], capture_output=True, check=True)
    return json.loads(done.stdout)


def write_texts(file, texts):
    for text in texts:
        raw = text.encode()
        file.write(struct.pack("<I", len(raw)) + raw)
    file.flush()


def measure_families(program, texts):
    """One of each model kind, and those whose pipelines cost most: rows of the table in docs/tokenizers.md."""
    size = sum(len(t.encode()) for t in texts)
    with tempfile.TemporaryDirectory() as folder, tempfile.NamedTemporaryFile() as file:
        write_texts(file, texts)
        for name, spec in families.families(texts, 8000).items():
            path = os.path.join(folder, "t.json")
            with open(path, "w", encoding="utf-8") as out:
                json.dump(spec, out)
            reference, best = Tokenizer.from_file(path), {"reference": 1e30, "ids": 1e30, "offsets": 1e30}
            for _ in range(TIMES):
                start = time.perf_counter()
                tokens = sum(len(e.ids) for e in reference.encode_batch_fast(texts))
                best["reference"] = min(best["reference"], time.perf_counter() - start)
                for what in ("ids", "offsets"):
                    command = [program, "--speed", path, file.name, "2"] + ([what] if what == "offsets" else [])
                    ours = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
                    if ours["tokens"] != tokens:
                        sys.exit(f"speed.py: {name}: {ours['tokens']} tokens, the reference has {tokens}")
                    best[what] = min(best[what], ours["best_s"])
            ns = {what: seconds / size * 1e9 for what, seconds in best.items()}
            cells = [f"{ns[what]:.1f} ({times(ns['reference'] / ns[what])})" for what in ("ids", "offsets")]
            print(f"| {name} ({spec['model']['type']}) | {ns['reference']:.0f} | {' | '.join(cells)} |", flush=True)


def times(ratio):
    return f"{ratio:.0f}\u00d7" if ratio >= 12 else f"{ratio:.1f}\u00d7"


def big_files():
    """{model kind: a tokenizer.json of 250,000 made-up tokens}."""
    r = random.Random(parity.SEED)
    letters, names = "etaoinshrdlucmfwypvbgkjqxz", {}
    while len(names) < 250000:
        names["".join(r.choice(letters) for _ in range(r.randrange(2, 10)))] = len(names)
    names = list(names)
    symbols = list(letters)
    vocab, merges = {c: i for i, c in enumerate(symbols)}, []
    while len(vocab) < 250000:
        left, right = r.choice(symbols), r.choice(symbols)
        if len(left) + len(right) > 12 or left + right in vocab:
            continue
        vocab[left + right] = len(vocab)
        merges.append([left, right])
        if len(left) + len(right) < 7:
            symbols.append(left + right)
    yield "Unigram", {"unk_id": 0, "vocab": [["<unk>", 0.0]] + [[n, -r.random() * 15] for n in names]}
    yield "BPE", {"unk_token": None, "vocab": vocab, "merges": merges}
    yield "WordLevel", {"unk_token": "<unk>", "vocab": {t: i for i, t in enumerate(["<unk>"] + names)}}
    yield "WordPiece", {"unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
                        "vocab": {t: i for i, t in enumerate(["[UNK]"] + ["##" * (i % 2) + n for i, n in enumerate(names)])}}


def measure_loading(program):
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file, tempfile.NamedTemporaryFile() as nothing:
        for kind, model in big_files():
            file.seek(0)
            file.truncate()
            json.dump({"version": "1.0", "model": {"type": kind, **model}}, file)
            file.flush()
            command = [program, "--speed", file.name, nothing.name, "1"]
            seconds = min(json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["load_s"] for _ in range(TIMES))
            print(f"loading 250,000 tokens, {kind}: {seconds * 1e3:.0f} ms", flush=True)


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
              f"load {ours['load_s'] * 1e3:.1f} ms", flush=True)
    if sources["English"]:
        print("| tokenizer | `encode_batch_fast`, ns a byte | ids | with offsets |\n|---|---|---|---|")
        measure_families(arguments.program, sources["English"])
    measure_loading(arguments.program)


if __name__ == "__main__":
    main()
