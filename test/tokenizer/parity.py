#!/usr/bin/env python3
"""Compares the tokenizer with the reference, tokenizers 0.22.2: ids, tokens, offsets, type and word ids, specials.

    parity.py --program BUILD/test/tokenizer/tokenize_lines --model FOLDER/tokenizer.json [--quick]

Texts: the Jargon File (Debian's dict-jargon), the short descriptions of this machine's package lists, and seeded
hostile strings. Vocabularies: the model's, and one that holds every code point as `c` and `##c`, as with the
model's own most of a hostile text is [UNK], which hides errors. Ends with exit status 1 at any difference.
Sources that this machine lacks are named and left out; with --require-all they are failures.
"""
import argparse
import gzip
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile

import tokenizers
from tokenizers import Tokenizer

REFERENCE = "0.22.2"
SEED = 20240607
JARGON = os.environ.get("NYBBLE_JARGON", "/usr/share/dictd/jargon.dict.dz")
PAIR = 0x80000000


def jargon_file():
    if not os.path.exists(JARGON):
        return None
    with gzip.open(JARGON) as packed:
        text = packed.read().decode("utf-8", "replace")
    return text.split("\n") + text.split("\n\n") + [text]


def descriptions():
    if shutil.which("apt-cache") is None:
        return None
    out = subprocess.run(["apt-cache", "dumpavail"], capture_output=True, check=False).stdout
    lines = out.decode("utf-8", "replace").split("\n")
    return [l.partition(": ")[2] for l in lines if l.startswith("Description: ")] or None


def between_letters():
    """Every code point, some dozens a text."""
    words = ["a" + chr(c) + "B" for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
    return [" ".join(words[i:i + 48]) for i in range(0, len(words), 48)]


class Hostile:
    """Strings made of whatever has broken a tokenizer before."""

    FRAGMENTS = ["[CLS]", "[SEP]", "[MASK]", "[UNK]", "[PAD]", "[MASK]x", "x[MASK]", "[CLS", "SEP]", "[[MASK]]", "[mask]",
                 "##", "##ing", "unaffable", "don't", "e-mail", "\u0130stanbul", "\u03a3\u03a3", "\u03bf\u03b4\u03bf\u03c3", "\u00df", "\ufb01",
                 "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f1e9\U0001f1ea", "\u2764\ufe0f", "\u202eabc\u202c", "\u2066x\u2069", "a\u0301", "\u00e1", "A\u030a",
                 "\u0344", "\u0958", "\u1e9b\u0323", "q\u0307\u0323", "\u0f73\u0f71", "\uac00\u11a8", "\u1112\u1161\u11ab", "\ud55c\uad6d\uc5b4", "\u302e\u0301\u302f",
                 "\U0001d15e\U0001d165", "\u4e2d\u6587", "\ufa0e\uf900\U0002f800", "\u037e", "\u1fef", "\u2126", "\u00a0", "\u0085", "\u2028", "\u3000", "\u180e",
                 "\u200b", "\ufeff", "\x00", "\x0b", "\x1c", "\x7f", "\t", "\r\n", "\ufffd", "\ud7ff", "\ue000", "\U0010ffff", "\uffff", "\u034f",
                 "<x>", "foo", "Foo", "FOO", "\u00c9t\u00e9", "<s> ", " ", "  "]
    RANGES = [(0x20, 0x7F), (0, 0x20), (0x80, 0x250), (0x300, 0x370), (0x370, 0x400), (0x400, 0x530), (0x590, 0x700),
              (0x900, 0xE00), (0xF00, 0x1000), (0x1100, 0x1200), (0x1AB0, 0x1B00), (0x1DC0, 0x2000), (0x2000, 0x2070),
              (0x20D0, 0x2100), (0x2E00, 0x3100), (0x3400, 0x3480), (0x4E00, 0xA000), (0xAC00, 0xD7A4), (0xD7B0, 0xD800),
              (0xE000, 0xE100), (0xF900, 0xFB00), (0xFE00, 0x10000), (0x10000, 0x11000), (0x11000, 0x12000),
              (0x1D100, 0x1D250), (0x1E000, 0x1F000), (0x1F000, 0x1FB00), (0x20000, 0x20100), (0x2B700, 0x2B940),
              (0x2F800, 0x2FA20), (0xE0000, 0xE0200), (0xF0000, 0xF0010), (0x10FF00, 0x110000)]

    def __init__(self, seed):
        self.random = random.Random(seed)

    def code_point(self):
        r = self.random
        while True:
            low, high = r.choice(self.RANGES) if r.random() < 0.7 else (0, 0x110000)
            c = r.randrange(low, high)
            if not 0xD800 <= c <= 0xDFFF:
                return chr(c)

    def marks(self):
        r = self.random
        return "".join(chr(r.choice([r.randrange(0x300, 0x370), 0x302E, 0x302F, 0x16FF0, 0x1D165, 0x1D16D, 0x0F71, 0x034F,
                                     r.randrange(0x1DC0, 0x1E00), r.randrange(0x591, 0x5C8)]))
                       for _ in range(r.randrange(1, 8)))

    def part(self):
        r = self.random
        kind = r.random()
        if kind < 0.35:
            return self.code_point()
        if kind < 0.55:
            return r.choice(self.FRAGMENTS)
        if kind < 0.65:
            return " "
        if kind < 0.75:
            return self.code_point() + self.marks()
        if kind < 0.76:
            return r.choice(["a", "\u00e9", "\u4e2d", "\u0301", "\U0001d400"]) * r.choice([30, 99, 100, 101, 300])
        return "".join(r.choice("etaoinshrdluETAOIN") for _ in range(r.randrange(1, 9)))

    def text(self):
        return "".join(self.part() for _ in range(self.random.randrange(1, 25)))

    def texts(self, count):
        return [self.text() for _ in range(count)]


def every_code_point(base):
    """The model's file with a vocabulary of all code points."""
    spec = json.loads(base)
    vocabulary = {t["content"]: t["id"] for t in spec["added_tokens"]}
    next_id = max(vocabulary.values()) + 1
    for c in range(0x110000):
        if 0xD800 <= c <= 0xDFFF:
            continue
        for token in (chr(c), "##" + chr(c)):
            if token not in vocabulary:
                vocabulary[token] = next_id
                next_id += 1
    spec["model"]["vocab"] = vocabulary
    return json.dumps(spec)


def added(content, **flags):
    off = dict(single_word=False, lstrip=False, rstrip=False, normalized=False, special=False)
    return {"id": 0, "content": content, **off, **flags}


def changed(base, **parts):
    spec = json.loads(base)
    for path, value in parts.items():
        node, *rest = path.split("__")
        if rest:
            spec[node][rest[0]] = value
        else:
            spec[node] = value
    return json.dumps(spec)


def variants(base):
    """Other settings of every part, by name."""
    for clean in (True, False):
        for ideographs in (True, False):
            for strip in (None, True, False):
                for lower in (True, False):
                    name = f"clean={clean:d} cjk={ideographs:d} strip={strip} lower={lower:d}"
                    yield name, changed(base, normalizer=dict(type="BertNormalizer", clean_text=clean, strip_accents=strip,
                                                              handle_chinese_chars=ideographs, lowercase=lower))
    yield "no normalizer", changed(base, normalizer=None)
    yield "no pre-tokenizer", changed(base, pre_tokenizer=None, model__max_input_chars_per_word=4000)
    yield "no post-processor", changed(base, post_processor=None)
    yield "BertProcessing", changed(base, post_processor=dict(type="BertProcessing", sep=["[SEP]", 102], cls=["[CLS]", 101]))
    yield "short words", changed(base, model__max_input_chars_per_word=5)
    yield "no prefix", changed(base, model__continuing_subword_prefix="")
    tokens = json.loads(base)["added_tokens"]
    for strips in (dict(lstrip=True), dict(rstrip=True), dict(lstrip=True, rstrip=True), dict(single_word=True),
                   dict(single_word=True, lstrip=True, rstrip=True)):
        more = [added("<x>", **strips), added("foo", normalized=True, **strips), added("Foo", normalized=True),
                added("new token", normalized=True, **strips), added("[MASK]x", special=True, **strips), added("\u00c9t\u00e9", **strips),
                added("\u4e2d", normalized=True, **strips), added("foo", special=True), added("")]
        bare = [dict(t, **strips) for t in tokens]
        yield f"added tokens {' '.join(strips)}", changed(base, added_tokens=bare + more)
        yield f"raw added tokens {' '.join(strips)}", changed(base, added_tokens=bare + [t for t in more if not t["normalized"] and t["content"].isascii()])


class Failures:
    def __init__(self):
        self.count = 0

    def add(self, what, text, field, expected, found):
        self.count += 1
        if self.count <= 10:
            print(f"DIFFERENT {what}: {field}\n  text     {text!r}\n  expected {expected}\n  found    {found}")


def byte_offsets(text):
    offsets, at = [0], 0
    for c in text:
        at += len(c.encode())
        offsets.append(at)
    return offsets


def expected_encoding(encoding, texts, sequence=None):
    to_bytes = [byte_offsets(t) for t in texts]
    sequence = sequence or encoding.sequence_ids
    offsets = [[0, 0] if s is None else [to_bytes[s][a], to_bytes[s][b]]
               for s, (a, b) in zip(sequence, encoding.offsets)]
    return {"ids": encoding.ids, "tokens": encoding.tokens, "type_ids": encoding.type_ids, "offsets": offsets,
            "word_ids": [-1 if w is None else w for w in encoding.word_ids], "special": encoding.special_tokens_mask}


def run_program(program, json_file, texts, max_tokens):
    blob = bytearray()
    for t in texts:
        first, *second = t if isinstance(t, tuple) else (t,)
        raw = first.encode()
        blob += struct.pack("<I", len(raw) | (PAIR if second else 0)) + raw
        for other in second:
            raw = other.encode()
            blob += struct.pack("<I", len(raw)) + raw
    command = [program, json_file] + ([str(max_tokens)] if max_tokens else [])
    done = subprocess.run(command, input=bytes(blob), capture_output=True, check=False)
    if done.returncode != 0:
        sys.exit(f"parity.py: {' '.join(command)} failed: {done.stderr.decode()}")
    return [json.loads(line) for line in done.stdout.split(b"\n")[:-1]]


def compare(what, program, json_text, texts, failures, folder, max_tokens=0):
    json_file = os.path.join(folder, "tokenizer.json")
    with open(json_file, "w", encoding="utf-8") as out:
        out.write(json_text)
    reference = Tokenizer.from_str(json_text)
    reference.no_padding()
    reference.no_truncation()
    if max_tokens:
        reference.enable_truncation(max_tokens)
    found = run_program(program, json_file, texts, max_tokens)
    assert len(found) == len(texts), "the program lost texts"
    before, tokens = failures.count, 0
    for start in range(0, len(texts), 1000):
        chunk = texts[start:start + 1000]
        for text, ours, theirs in zip(chunk, found[start:start + 1000], reference.encode_batch(chunk)):
            expected = expected_encoding(theirs, text if isinstance(text, tuple) else (text,))
            tokens += len(expected["ids"])
            for field, value in expected.items():
                if ours[field] != value:
                    failures.add(what, text, field, value, ours[field])
    print(f"{what}: {len(texts)} texts, {tokens} tokens, {failures.count - before} differences", flush=True)


def random_bytes(count, seed):
    r = random.Random(seed)
    pool = bytes([0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC2, 0xDF, 0xE0, 0xE1, 0xED, 0xEF, 0xF0, 0xF1, 0xF4, 0xF5, 0xFF])
    return [bytes(r.choice(pool) for _ in range(r.randrange(20))) for _ in range(count)]


def compare_repair(program, count, seed, failures):
    texts = random_bytes(count, seed)
    blob = b"".join(struct.pack("<I", len(t)) + t for t in texts)
    done = subprocess.run([program, "--repair"], input=blob, capture_output=True, check=True)
    before = failures.count
    for text, line in zip(texts, done.stdout.split(b"\n")):
        expected = text.decode("utf-8", "replace")
        if json.loads(line) != [expected.count("\ufffd") - text.count(b"\xef\xbf\xbd"), expected]:
            failures.add("repair", text, "text", expected, line)
    print(f"UTF-8 repair beside Python's decode: {count} texts, {failures.count - before} differences", flush=True)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True, help="the built tokenize_lines")
    parser.add_argument("--model", required=True, help="a BERT tokenizer.json")
    parser.add_argument("--quick", action="store_true", help="fewer texts")
    parser.add_argument("--require-all", action="store_true", help="fail where a source of texts is missing")
    parser.add_argument("--seed", type=int, default=SEED)
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    if tokenizers.__version__ != REFERENCE:
        sys.exit(f"parity.py: needs tokenizers {REFERENCE}, found {tokenizers.__version__}")
    print(f"seed {arguments.seed}")
    with open(arguments.model, encoding="utf-8") as model:
        base = model.read()
    hostile = Hostile(arguments.seed)
    sources = {"Jargon File": jargon_file(), "package descriptions": descriptions(),
               "hostile": hostile.texts(2000 if arguments.quick else 20000)}
    sources["every code point between letters"] = between_letters()
    vocabularies = {"the model's vocabulary": base, "every code point": every_code_point(base)}
    failures = Failures()
    compare_repair(arguments.program, 20000 if arguments.quick else 200000, arguments.seed, failures)
    missing = [name for name, texts in sources.items() if texts is None]
    for name in missing:
        print(f"{name}: not on this machine, left out")
    with tempfile.TemporaryDirectory() as folder:
        for vocabulary, text in vocabularies.items():
            for name, texts in sources.items():
                if texts:
                    step = 10 if arguments.quick else 1
                    compare(f"{name}, {vocabulary}", arguments.program, text, texts[::step], failures, folder)
        few = hostile.texts(300 if arguments.quick else 3000)
        pairs = list(zip(few[::2], few[1::2]))
        for limit in (2, 3, 4, 7, 16, 33):
            compare(f"hostile, at most {limit}", arguments.program, base, few, failures, folder, limit)
            compare(f"pairs, at most {limit + 1}", arguments.program, base, pairs, failures, folder, limit + 1)
        compare("pairs", arguments.program, base, pairs, failures, folder)
        for base_name, base_text in {"model": base, "all code points": every_code_point_small(base)}.items():
            for name, text in variants(base_text):
                compare(f"hostile, {name} ({base_name})", arguments.program, text, few, failures, folder)
                compare(f"pairs, {name} ({base_name})", arguments.program, text, pairs[:300], failures, folder, 12)
    print(f"{failures.count} differences")
    sys.exit(1 if failures.count or (missing and arguments.require_all) else 0)


def every_code_point_small(base):
    """As every_code_point(), of the code points that hostile texts favour: quick to load for many variants."""
    spec = json.loads(every_code_point(base))
    kept = {t: i for t, i in spec["model"]["vocab"].items() if len(t) > 3 or ord(t[-1]) < 0x3400 or ord(t[-1]) > 0x1D000 and ord(t[-1]) < 0x1F000}
    spec["model"]["vocab"] = kept
    return json.dumps(spec)


if __name__ == "__main__":
    main()
