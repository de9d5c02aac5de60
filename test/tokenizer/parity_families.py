#!/usr/bin/env python3
"""Compares tokenizers like those that families publish (families.py) with the reference, tokenizers 0.22.2.

    parity_families.py --program BUILD/test/tokenizer/tokenize_lines [--share N] [--require-all]

Texts: the Jargon File, the short descriptions of this machine's package lists, names of languages, countries and
currencies in all languages that Debian's iso-codes has (ten scripts and more), and seeded hostile strings. Each family
gets every N-th text, another share each; --share 1 gives each of them all. Compared are ids, tokens, offsets, type
ids, word ids, specials, and the decoded text. Ends with exit status 1 at any difference.
"""
import argparse
import collections
import gettext
import glob
import json
import os
import sys
import tempfile
import unicodedata

import tokenizers
from tokenizers import Tokenizer

import families
import parity

NAMES = os.environ.get("NYBBLE_NAMES", "/usr/share/locale")


def names():
    """{script: texts} of the translations."""
    out = collections.defaultdict(set)
    for file in sorted(glob.glob(os.path.join(NAMES, "*", "LC_MESSAGES", "iso_*.mo"))):
        with open(file, "rb") as packed:
            catalogue = gettext.GNUTranslations(packed)._catalog
        for text in catalogue.values():
            letter = next((c for c in text if c.isalpha()), None) if isinstance(text, str) else None
            if letter and len(text) < 300:
                out[unicodedata.name(letter, "OTHER").split()[0]].add(text)
    return {script: sorted(texts) for script, texts in sorted(out.items())} or None


def compare(name, spec, texts, program, folder, failures):
    file = os.path.join(folder, f"{name}.json")
    with open(file, "w", encoding="utf-8") as out:
        json.dump(spec, out)
    reference = Tokenizer.from_file(file)
    before, tokens = failures.count, 0
    found = parity.run_program(program, file, texts, 0)
    for start in range(0, len(texts), 1000):
        chunk = texts[start:start + 1000]
        encodings = reference.encode_batch(chunk)
        decoded = reference.decode_batch([e.ids for e in encodings])
        for text, ours, theirs, back in zip(chunk, found[start:start + 1000], encodings, decoded):
            expected = parity.expected_encoding(theirs, text if isinstance(text, tuple) else (text,)) | {"decoded": back}
            tokens += len(theirs.ids)
            for field, value in expected.items():
                if ours.get(field) != value:
                    failures.add(name, text, field, value, ours.get(field, ours))
    print(f"{name}: {len(texts)} texts, {tokens} tokens, {failures.count - before} differences", flush=True)
    return len(texts)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True, help="the built tokenize_lines")
    parser.add_argument("--share", type=int, default=7, help="each family gets one text of so many")
    parser.add_argument("--require-all", action="store_true", help="fail where a source of texts is missing")
    parser.add_argument("--seed", type=int, default=parity.SEED)
    arguments = parser.parse_args()
    if tokenizers.__version__ != parity.REFERENCE:
        sys.exit(f"parity_families.py: needs tokenizers {parity.REFERENCE}, found {tokenizers.__version__}")
    by_script = names()
    sources = {"Jargon File": parity.jargon_file(), "package descriptions": parity.descriptions(),
               "names": by_script and [t for texts in by_script.values() for t in texts]}
    missing = [name for name, texts in sources.items() if texts is None]
    for name in missing:
        print(f"{name}: not on this machine, left out")
    real = [t for texts in sources.values() for t in texts or []] + families.sentences()
    if by_script:
        print("names by script: " + ", ".join(f"{script.lower()} {len(texts)}" for script, texts in by_script.items()))
    hostile = parity.Hostile(arguments.seed).texts(60000)
    print(f"seed {arguments.seed}; {len(set(real))} real texts, {len(hostile)} hostile ones", flush=True)
    failures, counts = parity.Failures(), [0, 0]
    with tempfile.TemporaryDirectory() as folder:
        for i, (name, spec) in enumerate(families.families(real[::25] + families.sentences(), 4000).items()):
            start = i % arguments.share
            counts[0] += compare(name, spec, real[start::arguments.share], arguments.program, folder, failures)
            counts[1] += compare(name + ", hostile", spec, hostile[start::arguments.share], arguments.program, folder, failures)
            pairs = list(zip(hostile[start:600:2], real[start:600:2]))
            compare(name + ", pairs", spec, pairs, arguments.program, folder, failures)
    print(f"{counts[0]} real and {counts[1]} hostile texts, {failures.count} differences")
    sys.exit(1 if failures.count or (missing and arguments.require_all) else 0)


if __name__ == "__main__":
    main()
