#!/usr/bin/env python3
"""Makes goldens/: a small tokenizer.json and what tokenizers 0.22.2 makes of texts, for tests without Python.

    python3 -m venv v && v/bin/pip install tokenizers==0.22.2 && v/bin/python test/tokenizer/make_goldens.py

The English texts are paragraphs of the Jargon File (public domain; Debian's dict-jargon). A line of texts.jsonl is
{"settings", "text", ["second"], ["max_tokens"], "ids", "type_ids", "offsets" (bytes), "word_ids", "special"};
`settings` names a file tokenizer-SETTINGS.json. Those of families.py are trained here, on its sentences; their lines
have "decoded", too, and "left" and "stride" where they are cut by those.
"""
import collections
import json
import os
import re
import sys

import tokenizers
from tokenizers import Tokenizer

import families
import parity

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "goldens")
SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def vocabulary(paragraphs):
    words = collections.Counter(re.findall("[a-z]+", " ".join(paragraphs).lower()))
    tokens = list(SPECIALS)
    characters = [chr(c) for c in range(0x21, 0x7F) if not chr(c).isupper()]
    characters += [chr(c) for c in list(range(0x3B1, 0x3CA)) + [0x131, 0x307, 0x302E, 0x302F, 0x1112, 0x1161, 0x11AB, 0x4E2D, 0x6587]]
    for c in characters:
        tokens += [c, "##" + c]
    tokens += [w for w, n in words.most_common(400) if len(w) > 1]
    ends = collections.Counter(w[-n:] for w in words for n in (2, 3) if len(w) > n)
    tokens += ["##" + e for e, n in ends.most_common(150)]
    return {t: i for i, t in enumerate(dict.fromkeys(tokens))}


def settings(vocab):
    template = lambda *pieces: [{"Sequence": {"id": p[1:], "type_id": t}} if p[0] == "$" else
                                {"SpecialToken": {"id": p, "type_id": t}} for p, t in pieces]
    special = {t: {"id": t, "ids": [vocab[t]], "tokens": [t]} for t in ("[CLS]", "[SEP]")}
    bert = dict(type="BertNormalizer", clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=True)
    base = {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [parity.added(t, special=True) | {"id": vocab[t]} for t in SPECIALS],
        "normalizer": bert, "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "TemplateProcessing", "special_tokens": special,
                           "single": template(("[CLS]", 0), ("$A", 0), ("[SEP]", 0)),
                           "pair": template(("[CLS]", 0), ("$A", 0), ("[SEP]", 0), ("$B", 1), ("[SEP]", 1))},
        "decoder": None,
        "model": dict(type="WordPiece", unk_token="[UNK]", continuing_subword_prefix="##", max_input_chars_per_word=100,
                      vocab=vocab),
    }
    more = [parity.added("[MASK]", special=True, lstrip=True), parity.added("foo", normalized=True, single_word=True)]
    yield "default", base
    yield "marks", base | {"normalizer": bert | {"strip_accents": True, "lowercase": False}, "post_processor": {
        "type": "BertProcessing", "sep": ["[SEP]", vocab["[SEP]"]], "cls": ["[CLS]", vocab["[CLS]"]]}}
    yield "added", base | {"added_tokens": base["added_tokens"] + more, "normalizer": bert | {"strip_accents": False}}


def golden(tokenizer, name, texts, max_tokens):
    tokenizer.no_truncation()
    if max_tokens:
        tokenizer.enable_truncation(max_tokens)
    line = {"settings": name, "text": texts[0]}
    line |= {"second": texts[1]} if len(texts) > 1 else {}
    line |= {"max_tokens": max_tokens} if max_tokens else {}
    expected = parity.expected_encoding(tokenizer.encode(*texts), texts)
    del expected["tokens"]
    return json.dumps(line | expected, separators=(",", ":"))


def family_golden(tokenizer, name, texts, cut=None):
    tokenizer.no_truncation()
    line = {"settings": name, "text": texts[0]}
    line |= {"second": texts[1]} if len(texts) > 1 else {}
    if cut:
        max_tokens, left, stride = cut
        tokenizer.enable_truncation(max_tokens, stride=stride, direction="left" if left else "right")
        line |= {"max_tokens": max_tokens, "left": left, "stride": stride}
    encoding = tokenizer.encode(*texts)
    expected = parity.expected_encoding(encoding, texts) | {"decoded": tokenizer.decode(encoding.ids)}
    del expected["tokens"]
    return json.dumps(line | expected, separators=(",", ":"))


def family_lines(hostile):
    sentences = families.sentences()
    for number, (name, spec) in enumerate(families.families(sentences, 300, rules=1).items()):
        text = json.dumps(spec, ensure_ascii=True, separators=(",", ":"))
        with open(os.path.join(FOLDER, f"tokenizer-{name}.json"), "w", encoding="ascii") as out:
            out.write(text + "\n")
        tokenizer = Tokenizer.from_str(text)
        for t in sentences[number % 3::3] + hostile[number::30]:
            yield family_golden(tokenizer, name, [t])
        yield family_golden(tokenizer, name, [sentences[0], "a <mask> b"])
        yield family_golden(tokenizer, name, [sentences[0]], (9, False, 2))
        yield family_golden(tokenizer, name, [sentences[1]], (9, True, 0))


def main():
    if tokenizers.__version__ != parity.REFERENCE:
        sys.exit(f"make_goldens.py: needs tokenizers {parity.REFERENCE}, found {tokenizers.__version__}")
    paragraphs = [p for p in parity.jargon_file()[-1].split("\n\n") if 40 < len(p) < 400][::37][:40]
    hostile = parity.Hostile(parity.SEED).texts(400)[::4]
    vocab = vocabulary(paragraphs)
    os.makedirs(FOLDER, exist_ok=True)
    lines = []
    for name, spec in settings(vocab):
        text = json.dumps(spec, ensure_ascii=True, separators=(",", ":"))
        with open(os.path.join(FOLDER, f"tokenizer-{name}.json"), "w", encoding="ascii") as out:
            out.write(text + "\n")
        tokenizer = Tokenizer.from_str(text)
        lines += [golden(tokenizer, name, [t], 0) for t in (paragraphs if name == "default" else paragraphs[:3])]
        lines += [golden(tokenizer, name, [t], 0) for t in hostile]
        lines += [golden(tokenizer, name, [t], 9) for t in hostile[:10]]
        lines += [golden(tokenizer, name, list(p), n) for n in (0, 8) for p in zip(hostile[:8], hostile[8:])]
    lines += family_lines(hostile)
    with open(os.path.join(FOLDER, "texts.jsonl"), "w", encoding="ascii") as out:
        out.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
