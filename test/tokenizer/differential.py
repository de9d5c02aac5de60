#!/usr/bin/env python3
"""Draws random tokenizers and random texts and compares with the reference, tokenizers 0.22.2, until time is up.

    differential.py --program BUILD/test/tokenizer/tokenize_lines [--seconds 60] [--seed N]

A tokenizer: a model of any kind, trained on a few lines of this round's texts, with random settings, between random
normalizers, pre-tokenizers, post-processors, added tokens, decoders and truncations. Compared are ids, tokens, offsets,
type ids, word ids, specials, the windows of what was cut, and the decoded text, with and without special tokens. Where
the reference refuses or stops (it panics on some), a refusal is what is expected, or the text is passed over. A
regular expression that the program refuses is exchanged for nothing: it may refuse, never differ.
"""
import argparse
import json
import os
import random
import re
import struct
import subprocess
import sys
import time

import tokenizers
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, trainers

import families
import parity

TOKENIZER, TRUNCATION = 1 << 30, 1 << 29


class Program:
    def __init__(self, path):
        self.process = subprocess.Popen([path, "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, *records):
        """Sends records, (flag, bytes) each; an answer a record, of a pair one for both."""
        self.process.stdin.write(b"".join(struct.pack("<I", len(raw) | flag) + raw for flag, raw in records))
        self.process.stdin.flush()
        answers = []
        for i, (flag, _) in enumerate(records):
            if i and records[i - 1][0] == parity.PAIR:
                continue
            line = self.process.stdout.readline()
            if not line:
                sys.exit("differential.py: the program stopped")
            answers.append(json.loads(line))
        return answers


class Draw:
    """Random parts, as JSON."""

    def __init__(self, r):
        self.r = r

    def chance(self, p):
        return self.r.random() < p

    def flag(self):
        return self.chance(0.5)

    def behavior(self):
        return self.r.choice(["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"])

    def atom(self, depth):
        r = self.r
        kind = r.random()
        if kind < 0.3:
            return r.choice(["a", "e", "t", " ", "\\n", "'", "-", "\\.", "\u00e9", "\u4e2d", "\u2581", "1", "[0-9]", "\\u0041"])
        if kind < 0.65:
            return r.choice(["\\s", "\\S", "\\w", "\\W", "\\d", "\\D", "\\p{L}", "\\p{N}", "\\p{Lu}", "\\P{L}", "\\p{P}", "\\p{M}", ".",
                             "[a-m]", "[^a-m]", "[^\\s\\p{L}\\p{N}]", "[\\r\\n]", "[^\\r\\n\\p{L}\\p{N}]", "[\\p{L}\\p{M}']",
                             "[\u4e00-\u9fff]", "[\\w-]", "[^\\S ]", "\\h", "[\\p{Ll}\\p{Lo}]", "\\p{^L}", "(?m:.)", "(?i:[sdk])",
                             "(?i:k)", "(?i:'ve)"])
        if kind < 0.72:
            return r.choice(["\\b", "\\B", "^", "$", "\\A", "\\z", "\\Z"])
        if kind < 0.8 and depth < 3:
            return r.choice(["(?=", "(?!", "(?<!", "(?<="]) + (self.atom(9) if r.random() < 0.5 else self.expression(depth + 1)) + ")"
        if depth < 3:
            return r.choice(["(?:", "(", "(?>", "(?i:", "(?<x>"]) + self.expression(depth + 1) + ")"
        return "o"

    def expression(self, depth=0):
        r = self.r
        branches = []
        for _ in range(r.choice([1, 1, 1, 2, 3])):
            parts = ""
            for _ in range(r.choice([1, 1, 2, 2, 3])):
                parts += self.atom(depth)
                if self.chance(0.4):
                    parts += r.choice(["*", "+", "?", "*?", "+?", "??", "++", "*+", "{1,3}", "{2}", "{2,}", "{,2}", "{1,2}?"])
            branches.append(parts)
        return "|".join(branches)

    def pattern(self):
        if self.chance(0.3):
            return {"String": self.r.choice([" ", "e", "th", "\u2581", "''", "``", "\u00e9", "  ", "."])}
        return {"Regex": self.r.choice(families.EXPRESSIONS) if self.chance(0.4) else self.expression()}

    def normalizer(self):
        r = self.r
        return r.choice([
            lambda: {"type": r.choice(["NFC", "NFD", "NFKC", "NFKD"])},
            lambda: {"type": r.choice(["NFC", "NFD", "NFKC", "NFKD"])},
            lambda: {"type": r.choice(["Lowercase", "StripAccents", "Nmt", "ByteLevel"])},
            lambda: {"type": r.choice(["Lowercase", "StripAccents"])},
            lambda: {"type": "Strip", "strip_left": self.flag(), "strip_right": self.flag()},
            lambda: {"type": "Replace", "pattern": self.pattern(), "content": r.choice(["", " ", "\u2581", "x", "\u00e9y", "abc"])},
            lambda: {"type": "Prepend", "prepend": r.choice(["\u2581", " ", "ab"])},
            lambda: families.precompiled(r.randrange(3)),
            lambda: families.precompiled(r.randrange(3)),
            lambda: {"type": "BertNormalizer", "clean_text": self.flag(), "handle_chinese_chars": self.flag(),
                     "strip_accents": r.choice([None, True, False]), "lowercase": self.flag()},
        ])()

    def metaspace(self):
        r = self.r
        scheme = r.choice(["first", "never", "always"])
        out = {"type": "Metaspace", "replacement": r.choice(["\u2581", "\u2581", "\u2581", "_"]), "prepend_scheme": scheme}
        if self.chance(0.3):
            out["add_prefix_space"] = scheme != "never"
        if self.flag():
            out["split"] = self.flag()
        return out

    def byte_level(self):
        return {"type": "ByteLevel", "add_prefix_space": self.flag(), "trim_offsets": self.flag(), "use_regex": self.chance(0.7)}

    def pre_tokenizer(self):
        r = self.r
        return r.choice([
            lambda: {"type": r.choice(["BertPreTokenizer", "Whitespace", "WhitespaceSplit", "UnicodeScripts"])},
            lambda: {"type": r.choice(["BertPreTokenizer", "Whitespace", "WhitespaceSplit", "UnicodeScripts"])},
            self.byte_level, self.metaspace, self.metaspace,
            lambda: {"type": "Split", "pattern": self.pattern(), "behavior": self.behavior(), "invert": self.flag()},
            lambda: {"type": "Split", "pattern": self.pattern(), "behavior": self.behavior(), "invert": self.flag()},
            lambda: {"type": "Punctuation", "behavior": self.behavior()},
            lambda: {"type": "Digits", "individual_digits": self.flag()},
            lambda: {"type": "CharDelimiterSplit", "delimiter": r.choice([" ", "e"])},
            lambda: {"type": "FixedLength", "length": r.choice([1, 3, 8])},
        ])()

    def sequence(self, member, draw, most):
        parts = [draw() for _ in range(self.r.choice(list(range(1, most + 1))))]
        if self.chance(0.2):
            return None
        return parts[0] if len(parts) == 1 and self.flag() else {"type": "Sequence", member: parts}

    def post_processor(self):
        r = self.r
        cls, sep = ["<s>", 0], ["</s>", 1]
        trim = dict(trim_offsets=self.chance(0.7), add_prefix_space=self.flag())
        piece = lambda name, kind: {"Sequence": {"id": name, "type_id": kind}}
        special = lambda name, kind: {"SpecialToken": {"id": name, "type_id": kind}}
        pair = [special("<s>", 0), piece("A", r.choice([0, 2])), special("</s>", 0), piece("B", 1), special("two", 1)]
        if self.chance(0.2):
            pair = [piece("B", 3), special("<s>", 0), piece("A", 1)]
        template = {"type": "TemplateProcessing", "single": [special("<s>", 0), piece("A", 0), special("two", r.choice([0, 1]))],
                    "pair": pair, "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]},
                                                     "</s>": {"id": "</s>", "ids": [1], "tokens": ["</s>"]},
                                                     "two": {"id": "two", "ids": [1, 0], "tokens": ["</s>", "<s>"]}}}
        around = r.choice([{"type": "BertProcessing", "sep": sep, "cls": cls}, template, template,
                           {"type": "RobertaProcessing", "sep": sep, "cls": cls, **trim}])
        byte_level = {"type": "ByteLevel", "use_regex": True, **trim}
        return r.choice([None, around, around, byte_level, {"type": "Sequence", "processors": [byte_level, around]},
                         {"type": "Sequence", "processors": [around]}])

    def added_tokens(self):
        r = self.r
        out = []
        for content in r.sample(["<mask>", "foo", "Foo", "the", " the", "\u00e9", "\u00c9t\u00e9", "[X]", "\u4e2d", "<s>", "new token", "e"], r.randrange(5)):
            out.append(parity.added(content, single_word=self.chance(0.3), lstrip=self.chance(0.3), rstrip=self.chance(0.3),
                                    normalized=self.flag(), special=self.flag()))
        return out

    def decoder(self):
        r = self.r
        parts = [
            lambda: {"type": "WordPiece", "prefix": "##", "cleanup": self.flag()},
            lambda: {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
            self.metaspace, lambda: {"type": "ByteFallback"}, lambda: {"type": "Fuse"},
            lambda: {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
            lambda: {"type": "Replace", "pattern": {"Regex": "e+|\\s{2,}"}, "content": r.choice(["", "E"])},
            lambda: {"type": "Strip", "content": " ", "start": r.randrange(3), "stop": 0},
            lambda: {"type": "BPEDecoder", "suffix": "</w>"},
            lambda: {"type": "CTC", "pad_token": "<s>", "word_delimiter_token": "|", "cleanup": self.flag()},
        ]
        chosen = [r.choice(parts)() for _ in range(r.randrange(1, 4))]
        return r.choice([None, chosen[0], {"type": "Sequence", "decoders": chosen}])

    def model(self, texts):
        """A trained model's JSON, with its settings drawn anew."""
        r = self.r
        kind = r.choice(["bytes", "bpe", "bpe", "unigram", "unigram", "word_level", "word_piece"])
        special = ["<s>", "</s>", "<unk>"]
        size = r.choice([60, 300, 600])
        quiet = dict(show_progress=False, special_tokens=special)
        if kind == "bytes":
            trained = Tokenizer(models.BPE())
            trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=self.flag())
            trainer = trainers.BpeTrainer(vocab_size=size + 300, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), **quiet)
        elif kind == "bpe":
            settings = dict(continuing_subword_prefix=r.choice([None, None, "##", ""]), end_of_word_suffix=r.choice([None, None, "</w>", ""]))
            settings = {k: v for k, v in settings.items() if v is not None}
            trained = Tokenizer(models.BPE(unk_token="<unk>", **settings))
            whole = [None, pre_tokenizers.Metaspace(split=False)]  # merges cross blanks
            trained.pre_tokenizer = r.choice([pre_tokenizers.Whitespace(), pre_tokenizers.Metaspace(), *whole])
            fallback = [f"<0x{b:02X}>" for b in range(r.choice([256, 256, 0x90]))] if self.flag() else []
            trainer = trainers.BpeTrainer(vocab_size=size + len(fallback), limit_alphabet=r.choice([30, 1000]), show_progress=False,
                                          special_tokens=special + fallback, **settings)
        elif kind == "unigram":
            trained = Tokenizer(models.Unigram())
            trained.pre_tokenizer = pre_tokenizers.Metaspace()
            fallback = [f"<0x{b:02X}>" for b in range(256)] if self.flag() else []
            size = len(set("".join(texts))) + r.choice([10, 200])  # it must hold every character
            trainer = trainers.UnigramTrainer(vocab_size=size + len(fallback), unk_token="<unk>", show_progress=False,
                                              special_tokens=special + fallback)
        elif kind == "word_level":
            trained = Tokenizer(models.WordLevel(unk_token="<unk>"))
            trained.pre_tokenizer = pre_tokenizers.Whitespace()
            trainer = trainers.WordLevelTrainer(vocab_size=size, **quiet)
        else:
            trained = Tokenizer(models.WordPiece(unk_token="<unk>"))
            trained.pre_tokenizer = pre_tokenizers.Whitespace()
            trainer = trainers.WordPieceTrainer(vocab_size=size, **quiet)
        trained.train_from_iterator(texts, trainer)
        model = json.loads(trained.to_str())["model"]
        return kind, self.settings(kind, model)

    def settings(self, kind, model):
        r = self.r
        if kind == "bpe":
            model.update(fuse_unk=self.flag(), ignore_merges=self.chance(0.3), unk_token=r.choice(["<unk>", "<unk>", None]))
            # Bytes of an affix count as bytes of the word: the reference's offsets then lie beyond it.
            model["byte_fallback"] = self.flag() and not model["continuing_subword_prefix"] and not model["end_of_word_suffix"]
            if self.chance(0.3) and not model["continuing_subword_prefix"]:
                families.all_splits(model)
            if self.chance(0.15):  # ranks below those of merges that make the parts
                r.shuffle(model["merges"])
            if self.chance(0.3) and not any(" " in part for merge in model["merges"] for part in merge):
                model["merges"] = [" ".join(merge) for merge in model["merges"]]
        if kind == "bytes":
            model.update(ignore_merges=self.chance(0.3))
        if kind == "unigram":
            model["byte_fallback"] = self.flag()
            if self.chance(0.2):  # ties
                model["vocab"] = [[token, float(round(score))] for token, score in model["vocab"]]
        if kind == "word_piece":
            model["max_input_chars_per_word"] = r.choice([5, 100])
        return model

    def tokenizer(self, texts):
        kind, model = self.model(texts)
        pre = self.sequence("pretokenizers", self.pre_tokenizer, 3)
        if kind == "bytes" and self.chance(0.7):
            pre = self.r.choice([self.byte_level(), {"type": "Sequence", "pretokenizers": [self.pre_tokenizer(), self.byte_level()]}])
        return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": self.added_tokens(),
                "normalizer": self.sequence("normalizers", self.normalizer, 3), "pre_tokenizer": pre,
                "post_processor": self.post_processor(), "decoder": self.decoder(), "model": model}


def load(spec):
    try:
        return Tokenizer.from_str(json.dumps(spec))
    except BaseException:  # also what stops the library
        return None


def reference_answer(reference, texts):
    """None where the reference stops or refuses."""
    try:
        encoding = reference.encode(*texts)
        expected = parity.expected_encoding(encoding, texts)
        expected["text"] = [-1 if s is None else s for s in encoding.sequence_ids]
        expected["overflow"] = encoding.overflowing
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return None
    for name, skip in (("decoded", True), ("decoded_all", False)):
        try:
            expected[name] = reference.decode(encoding.ids, skip_special_tokens=skip)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
    return expected


def differences(expected, found, texts):
    if "error" in found:
        return [("error", "none", found["error"])]
    out = []
    for field, value in expected.items():
        if field == "overflow":
            ours = found.get("overflow", [])
            if len(ours) != len(value):
                out.append(("windows", len(value), len(ours)))
            for theirs, window in zip(value, ours):
                # Windows of the reference may have lost which text their tokens are of.
                sequence = [None if s < 0 else s for s in window["text"]]
                wanted = parity.expected_encoding(theirs, texts, sequence) if len(theirs.ids) == len(sequence) else {"ids": theirs.ids}
                wanted.pop("type_ids", None)  # of windows the reference leaves them as they were before the template
                out += [(f"window's {f}", a, b) for f, a, b in differences(wanted, window, texts)]
        elif found[field] != value:
            out.append((field, value, found[field]))
    return out


class Session:
    def __init__(self, program, seed):
        self.random = random.Random(seed)
        self.draw, self.hostile = Draw(self.random), parity.Hostile(seed)
        self.program = Program(program)
        self.counts = dict.fromkeys(["tokenizers", "refused", "texts", "differences", "passed over"], 0)
        self.lines = families.sentences()

    def round(self):
        r = self.random
        texts = [self.hostile.text() for _ in range(25)] + r.sample(self.lines, 25) + [r.choice([" ", "\n", "a", "\u3000"]) * 200]
        spec = self.draw.tokenizer(r.sample(texts, 5) + r.sample(self.lines, 30))
        reference = load(spec)
        answer, = self.program.ask((TOKENIZER, json.dumps(spec).encode()))
        if reference is None:
            return
        if "error" in answer:
            refusal = answer["error"]
            if ".Regex:" in refusal or ".pattern:" in refusal or "leaves something of" in refusal:
                self.counts["refused"] += 1
            else:
                self.report(spec, "", [("file", "accepted", refusal)])
            return
        self.counts["tokenizers"] += 1
        self.compare(spec, reference, texts)

    def compare(self, spec, reference, texts):
        r = self.random
        cut = (0, 0, 0, 0)
        if r.random() < 0.4:
            cut = (r.randrange(8, 20), r.choice([0, 0, 1, 2]), r.randrange(2), r.randrange(4))
            names = (["longest_first", "only_first", "only_second"][cut[1]], ["right", "left"][cut[2]])
            reference.enable_truncation(cut[0], stride=cut[3], strategy=names[0], direction=names[1])
        inputs = [(t,) for t in texts] + [tuple(r.sample(texts, 2)) for _ in range(12)]
        records = [(TRUNCATION, struct.pack("<4I", *cut))]
        for one in inputs:
            raw = [t.encode() for t in one]
            records += [(parity.PAIR, raw[0]), (0, raw[1])] if len(raw) > 1 else [(0, raw[0])]
        for one, found in zip(inputs, self.program.ask(*records)[1:]):
            expected = reference_answer(reference, one)
            if expected is None or "regular expression of the tokenizer takes more" in found.get("error", ""):
                self.counts["passed over"] += 1
                continue
            self.counts["texts"] += 1
            if different := differences(expected, found, one):
                self.report(spec | {"truncation": cut}, one, different)

    def report(self, spec, texts, different):
        self.counts["differences"] += 1
        if self.counts["differences"] > 5:
            return
        shown = dict(spec, model={k: v if k not in ("vocab", "merges") else "..." for k, v in spec["model"].items()})
        shown = re.sub('"precompiled_charsmap": "[^"]*"', '"precompiled_charsmap": "..."', json.dumps(shown))
        print(f"DIFFERENT {[ascii(t) for t in texts]}\n  {ascii(shown)[:1800]}")
        for field, expected, found in different:
            print(f"  {field}\n    expected {ascii(expected)[:900]}\n    found    {ascii(found)[:900]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True, help="the built tokenize_lines")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    arguments = parser.parse_args()
    if tokenizers.__version__ != parity.REFERENCE:
        sys.exit(f"differential.py: needs tokenizers {parity.REFERENCE}, found {tokenizers.__version__}")
    print(f"seed {arguments.seed}", flush=True)
    sys.stderr = sys.stdout
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # the reference tells at length what stopped it
    session, end = Session(arguments.program, arguments.seed), time.monotonic() + arguments.seconds
    while time.monotonic() < end:
        session.round()
    print(", ".join(f"{n} {what}" for what, n in session.counts.items()))
    sys.exit(1 if session.counts["differences"] else 0)


if __name__ == "__main__":
    main()
