#!/usr/bin/env python3
"""Writes tables.cc: what the reference tokenizer library knows about every Unicode code point.

The reference mixes Unicode tables of several vintages, so nothing but the reference itself can say what it
does. This script asks it, code point by code point, and writes the answers as a two-level table.

    python3 -m venv v && v/bin/pip install tokenizers==0.22.2 && v/bin/python tokenizer/unicode/generate.py

It takes about a minute. `--check` compares with the file that is there instead of writing it.
"""
import argparse
import os
import sys
import unicodedata

import tokenizers
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

REFERENCE = "0.22.2"
BLOCK = 128
HANGUL = range(0xAC00, 0xAC00 + 11172)
# The order is that of the constants in unicode.h.
DROPPED, BLANKED, SPACE, PUNCTUATION, IDEOGRAPH, NONSPACING, WORD = (1 << i for i in range(7))


def code_points():
    return (c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF)


def bert(**on):
    options = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    return normalizers.BertNormalizer(**{**options, **on}).normalize_str


def added_token_probe(**options):
    probe = Tokenizer(models.WordPiece({"[UNK]": 0}, unk_token="[UNK]"))
    probe.add_tokens([AddedToken("<T>", normalized=False, **options)])
    return lambda text: probe.encode(text, add_special_tokens=False)


def sweep_flags(decomposition):
    clean, ideograph, strip = bert(clean_text=True), bert(handle_chinese_chars=True), bert(strip_accents=True)
    split = pre_tokenizers.BertPreTokenizer().pre_tokenize_str
    single, rstrip = added_token_probe(single_word=True), added_token_probe(rstrip=True)
    flags = {}
    for c in code_points():
        s, f = chr(c), 0
        cleaned = clean(s)
        assert cleaned in ("", " ", s)
        f |= DROPPED if cleaned == "" else BLANKED if cleaned == " " else 0
        pieces = [p for p, _ in split("a" + s + "a")]
        assert pieces in ([f"a{s}a"], ["a", "a"], ["a", s, "a"])
        f |= SPACE if len(pieces) == 2 else PUNCTUATION if len(pieces) == 3 else 0
        surrounded = ideograph(s)
        assert surrounded in (s, f" {s} ")
        f |= IDEOGRAPH if surrounded != s else 0
        f |= NONSPACING if c not in decomposition and strip(s) == "" else 0
        word = single("<T>" + s).ids[0] != 1
        assert word == (1 not in single(s + "<T>").ids)
        f |= WORD if word else 0
        assert (rstrip("<T>" + s).offsets[0] == (0, 4)) == bool(f & SPACE), hex(c)
        flags[c] = f
    for c, d in decomposition.items():
        assert strip(chr(c)) == "".join(x for x in d if not flags[ord(x)] & NONSPACING)
    return flags


def sweep_decompositions():
    nfd = normalizers.NFD().normalize_str
    found = {c: nfd(chr(c)) for c in code_points() if nfd(chr(c)) != chr(c)}
    for c in HANGUL:  # tables.cc leaves these to arithmetic
        i = c - 0xAC00
        parts = [0x1100 + i // 588, 0x1161 + i % 588 // 28] + ([0x11A7 + i % 28] if i % 28 else [])
        assert found.pop(c) == "".join(map(chr, parts))
    assert all(d not in found for text in found.values() for d in map(ord, text))
    return found


def sweep_combining_classes(decomposition):
    """The classes are not visible, but the order that they give to a pair of marks is."""
    nfd = normalizers.NFD().normalize_str
    swaps = lambda a, b: nfd(a + b) == b + a and a != b
    representative = {}  # of each class that the reference knows; its tables lack the newest marks
    for c in code_points():
        k, known = unicodedata.combining(chr(c)), c == 0x345 or swaps("\u0345", chr(c))
        if k and known and c not in decomposition:
            representative.setdefault(k, chr(c))
    order = sorted(representative)
    for i, low in enumerate(order):
        for high in order[i + 1:]:
            assert swaps(representative[high], representative[low]), (low, high)
    classes = {}
    for c in code_points():
        s = chr(c)
        if c in decomposition or c in HANGUL:
            continue
        if not (swaps(representative[order[-1]], s) or swaps(s, representative[order[0]])):
            continue
        below = [k for k in order if swaps(s, representative[k])]
        above = [k for k in order if swaps(representative[k], s)]
        same = [k for k in order if k not in below and k not in above]
        assert len(same) == 1 and below == order[: len(below)], hex(c)
        classes[c] = same[0]
    return classes


def sweep_lower_case():
    lower = normalizers.Lowercase().normalize_str
    found = {c: lower(chr(c)) for c in code_points() if lower(chr(c)) != chr(c)}
    assert all(1 <= len(v) <= 2 for v in found.values())
    # Each code point is lowered by itself: no rule looks at its neighbours.
    assert lower("\u0391\u03a3") == "\u03b1" + lower("\u03a3")
    return found


def records():
    decomposition = sweep_decompositions()
    flags, classes, lower = sweep_flags(decomposition), sweep_combining_classes(decomposition), sweep_lower_case()
    pool, offsets, distinct, index_of = [], {}, {}, []
    for c in range(0x110000):
        d = decomposition.get(c, "")
        if d and d not in offsets:
            offsets[d] = len(pool)
            pool.extend(map(ord, d))
        low = lower.get(c, chr(c))
        record = (ord(low[0]) - c, offsets.get(d, 0), ord(low[1]) if len(low) > 1 else 0, len(d),
                  classes.get(c, 0), flags.get(c, 0))
        index_of.append(distinct.setdefault(record, len(distinct)))
    return pool, list(distinct), index_of


def rows(values, form=str, width=108):
    line, out = "", []
    for v in map(form, values):
        if len(line) + len(v) + 2 > width:
            out.append(line.rstrip())
            line = ""
        line += v + ", "
    return "\n".join("    " + r for r in out + [line.rstrip()])


def source():
    pool, distinct, index_of = records()
    blocks, first = {}, []
    for start in range(0, 0x110000, BLOCK):
        first.append(blocks.setdefault(tuple(index_of[start:start + BLOCK]), len(blocks)))
    second = [v for block in blocks for v in block]
    assert len(pool) < 1 << 16 and len(distinct) < 1 << 16 and len(blocks) < 1 << 16
    record = lambda r: "{%d, %d, %d, %d, %d, %d}" % r
    return f"""// generated by tokenizer/unicode/generate.py from tokenizers {REFERENCE}; do not edit
// clang-format off
#include "tokenizer/unicode/unicode.h"

namespace nybble::tokenizer::unicode {{

const char32_t kDecompositions[{len(pool)}] = {{
{rows(pool, lambda v: "0x%X" % v)}
}};

const Properties kProperties[{len(distinct)}] = {{
{rows(distinct, record)}
}};

const std::uint16_t kBlocks[{len(first)}] = {{
{rows(first)}
}};

const std::uint16_t kIndices[{len(second)}] = {{
{rows(second)}
}};

}}  // namespace nybble::tokenizer::unicode
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with tables.cc instead of writing it")
    arguments = parser.parse_args()
    if tokenizers.__version__ != REFERENCE:
        sys.exit(f"generate.py: needs tokenizers {REFERENCE}, found {tokenizers.__version__}")
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tables.cc")
    made = source()
    if arguments.check:
        with open(path, encoding="ascii") as there:
            sys.exit(0 if there.read() == made else f"generate.py: {path} differs from the reference")
    with open(path, "w", encoding="ascii") as out:
        out.write(made)


if __name__ == "__main__":
    main()
