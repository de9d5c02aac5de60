#!/usr/bin/env python3
"""Writes tables.cc: what the reference tokenizer library knows about every Unicode code point.

The reference mixes Unicode tables of several vintages, so nothing but the reference itself can say what it
does. This script asks it, code point by code point, and writes the answers as a two-level table.

    python3 -m venv v && v/bin/pip install tokenizers==0.22.2 && v/bin/python tokenizer/unicode/generate.py

It takes some minutes. `--check` compares with the file that is there instead of writing it.
"""
import argparse
import os
import sys
import unicodedata

import tokenizers
from charsmap import charsmap
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers

REFERENCE = "0.22.2"
BLOCK = 128
HANGUL = range(0xAC00, 0xAC00 + 11172)
# The order is that of the constants in unicode.h.
DROPPED, BLANKED, SPACE, PUNCTUATION, IDEOGRAPH, NONSPACING, WORD, NUMERIC, MARK, COMPOSES, REGEX_WORD, CLASS_WORD = (1 << i for i in range(12))
CATEGORIES = "Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Co Cn Cs".split()
GRAPHEMES = "other control prepend extend spacing zwj pictographic consonant linker extend_indic".split()
ACUTE, ZWJ, VIRAMA, KA, COPYRIGHT, SMILE = "\u0301", "\u200d", "\u094d", "\u0915", "\u00a9", "\u263a"


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
    digits, mark = pre_tokenizers.Digits().pre_tokenize_str, normalizers.StripAccents().normalize_str
    punctuation, spaces = pre_tokenizers.Punctuation().pre_tokenize_str, pre_tokenizers.WhitespaceSplit().pre_tokenize_str
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
        f |= NUMERIC if digits("a" + s)[1:] else 0
        f |= MARK if mark(s) == "" else 0
        assert bool(f & PUNCTUATION) == (len(punctuation("a" + s)) == 2)
        assert bool(f & SPACE) == (len(spaces("a" + s)) == 1 and spaces("a" + s)[0][0] == "a")
        flags[c] = f
    for c in members(r"\w"):
        flags[c] |= REGEX_WORD
    for c in members(r"[\w]"):  # superscripts of Latin-1 are word characters outside of classes alone
        flags[c] |= CLASS_WORD
    assert members(r"\s") == {c for c, f in flags.items() if f & SPACE}
    assert members(r"(?i:s)") == {0x53, 0x73, 0x17F} and members(r"(?i:k)") == {0x4B, 0x6B, 0x212A}
    for c, d in decomposition.items():
        assert strip(chr(c)) == "".join(x for x in d if not flags[ord(x)] & NONSPACING)
    return flags


def sweep_decompositions(form):
    """Of NFD, or what NFKD does to others."""
    found = {c: form(chr(c)) for c in code_points() if form(chr(c)) != chr(c)}
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


def members(pattern):
    """The code points that a pattern of the reference's regular expressions matches."""
    every = list(code_points())
    rest = pre_tokenizers.Split(Regex(pattern), "removed").pre_tokenize_str("".join(map(chr, every)))
    matched = bytearray(b"\1") * len(every)
    for _, (begin, end) in rest:
        matched[begin:end] = bytes(end - begin)
    return {c for c, m in zip(every, matched) if m}


def sweep_categories():
    """General categories as its regular expressions know them. The shorter names are what they stand for."""
    found = {c: CATEGORIES.index("Cs") for c in range(0xD800, 0xE000)}
    for i, name in enumerate(CATEGORIES[:-1]):
        of_name = members(r"\p{%s}" % name)
        assert not any(c in found for c in of_name)
        found.update(dict.fromkeys(of_name, i))
    assert len(found) == 0x110000
    for letter in "LMNPSZC":
        assert members(r"\p{%s}" % letter) == {c for c, i in found.items() if CATEGORIES[i][0] == letter and i != 29}
    assert members(r"\d") == {c for c, i in found.items() if CATEGORIES[i] == "Nd"}
    return found


def sweep_compositions(decomposition):
    """{(first, second): composed}. Hangul is left to arithmetic."""
    nfc = normalizers.NFC().normalize_str
    found = {}
    for c, d in decomposition.items():
        if len(d) < 2 or nfc(d) != chr(c):
            continue
        first = nfc(d[:-1])
        assert len(first) == 1 and nfc(first + d[-1]) == chr(c), hex(c)
        found[ord(first), ord(d[-1])] = c
    assert nfc("\u1112\u1161\u11ab") == "\ud55c" and nfc("\ud558\u11a7") == "\ud558\u11a7"
    return found


def sweep_scripts():
    """0 for what belongs to every script, else a number a script: only whether two are the same is visible."""
    split = pre_tokenizers.UnicodeScripts().pre_tokenize_str
    together = lambda a, b: len(split(a + b)) == 1
    found, representatives = {}, [("a", 1), ("\u0436", 2)]
    assert not together("a", "\u0436")
    for c in code_points():
        s = chr(c)
        latin, cyrillic = together("a", s), together("\u0436", s)
        if latin or cyrillic:
            found[c] = 0 if latin and cyrillic else 1 if latin else 2
            continue
        known = next((r for r in representatives if together(r[0], s)), None)
        if known is None:
            known = (s, len(representatives) + 1)
        else:
            representatives.remove(known)
        representatives.insert(0, known)
        found[c] = known[1]
    return found


def sweep_graphemes():
    """Classes of UAX 29, as far as the normalizer Precompiled shows them: it looks at a grapheme of at most five bytes as
    a whole and replaces it by what replaces its start, so that a mark is lost exactly where its grapheme is that short."""
    rules = {"a": "X", ACUTE: "Y", COPYRIGHT: "Z", KA: "W"}
    probe = normalizers.Precompiled(charsmap(rules)).normalize_str
    kept = lambda text: probe(text).endswith(("ZY", "WY"))
    name = dict.fromkeys(code_points(), "other")
    for c in code_points():
        s = chr(c)
        if probe(s + ACUTE + "\u0302") == probe(s) + "Y":
            name[c] = "control"
        elif probe("a" + s) == "X":
            after_smile = kept(SMILE + s + ZWJ + COPYRIGHT + ACUTE)
            if kept(KA + s + KA + ACUTE):
                name[c] = "linker"
            elif after_smile:
                name[c] = "extend_indic" if kept(KA + s + VIRAMA + KA + ACUTE) else "extend"
            else:
                name[c] = "spacing"
        elif kept(s + COPYRIGHT + ACUTE):
            name[c] = "prepend"
        elif kept(s + ZWJ + COPYRIGHT + ACUTE):
            name[c] = "pictographic"
        elif kept(s + VIRAMA + KA + ACUTE):
            name[c] = "consonant"
    name[ord(ZWJ)] = "zwj"
    assert name[0x301] in ("extend", "extend_indic") and name[0x263A] == "pictographic" and name[0x903] == "spacing"
    return {c: GRAPHEMES.index(n) for c, n in name.items()}


def records():
    decomposition = sweep_decompositions(normalizers.NFD().normalize_str)
    compatibility = {c: d for c, d in sweep_decompositions(normalizers.NFKD().normalize_str).items() if decomposition.get(c) != d}
    compositions = sweep_compositions(decomposition)
    flags, classes, lower = sweep_flags(decomposition), sweep_combining_classes(decomposition), sweep_lower_case()
    for _, second in compositions:
        flags[second] |= COMPOSES
    categories, scripts, graphemes = sweep_categories(), sweep_scripts(), sweep_graphemes()
    pool, offsets, distinct, index_of = [], {"": 0}, {}, []
    for c in range(0x110000):
        d, k = decomposition.get(c, ""), compatibility.get(c, decomposition.get(c, ""))
        for text in (d, k):
            if text not in offsets:
                offsets[text] = len(pool)
                pool.extend(map(ord, text))
        low = lower.get(c, chr(c))
        record = (ord(low[0]) - c, offsets[d], offsets[k], ord(low[1]) if len(low) > 1 else 0, flags.get(c, 0), len(d), len(k),
                  classes.get(c, 0), categories[c], scripts.get(c, 0), graphemes.get(c, 0))
        index_of.append(distinct.setdefault(record, len(distinct)))
    return pool, list(distinct), index_of, sorted((a, b, c) for (a, b), c in compositions.items())


def rows(values, form=str, width=108):
    line, out = "", []
    for v in map(form, values):
        if len(line) + len(v) + 2 > width:
            out.append(line.rstrip())
            line = ""
        line += v + ", "
    return "\n".join("    " + r for r in out + [line.rstrip()])


def source():
    pool, distinct, index_of, compositions = records()
    blocks, first = {}, []
    for start in range(0, 0x110000, BLOCK):
        first.append(blocks.setdefault(tuple(index_of[start:start + BLOCK]), len(blocks)))
    second = [v for block in blocks for v in block]
    assert len(pool) < 1 << 16 and len(distinct) < 1 << 16 and len(blocks) < 1 << 16
    record = lambda r: "{" + ", ".join(map(str, r)) + "}"
    return f"""// generated by tokenizer/unicode/generate.py from tokenizers {REFERENCE}; do not edit
// clang-format off
#include "tokenizer/unicode/unicode.h"

namespace nybble::tokenizer::unicode {{

const char32_t kDecompositions[{len(pool)}] = {{
{rows(pool, lambda v: "0x%X" % v)}
}};

const Composition kCompositions[{len(compositions)}] = {{
{rows(compositions, lambda c: "{0x%X, 0x%X, 0x%X}" % c)}
}};
const std::size_t kCompositionCount = {len(compositions)};

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
