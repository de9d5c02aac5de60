"""Makes test/golden/jargon: texts from the checked-in sample of the Jargon File, their ids, and the embeddings that
sentence-transformers gives them in FP32 on PyTorch. Run by tools/goldens.

  python make_jargon.py              texts.txt, ids.jsonl, embeddings.npy, long.txt and long.npy from sample.txt
  python make_jargon.py --sample     sample.txt from the Jargon File ($NYBBLE_JARGON, a jargon.dict.dz)
"""
import argparse
import gzip
import json
import os
import pathlib
import re

HERE = pathlib.Path(__file__).parent / "jargon"
LIMIT = 256  # tokens that the default model reads
LONG_LIMIT = 512  # tokens that it has positions for

# Token counts, [CLS] and [SEP] included, that stand on either side of a block, a panel or the limit.
EXACT_LENGTHS = [*range(3, 20), *range(30, 36), 47, 48, 49, *range(62, 68), 80, 95, 96, 97, 112, *range(126, 132), 144,
                 159, 160, 161, 176, 191, 192, 193, 208, 224, 240, *range(252, 260), 300]
LONG_LENGTHS = [400, 512, 513, 800, 1500, 2500]
NATURAL_TEXTS = 130
# Of the texts in long.txt: 256 to 512 tokens, among them multiples of 16 and their neighbours.
LONG_TEXTS = [256, 257, 263, 271, 272, 285, 300, 319, 320, 321, 333, 347, 360, 375, 384, 385, 400, 416, 431, 447, 448, 463,
              480, 495, 511, 512]

# Texts that an encyclopaedia of hackers does not hold. No line holds "\n" or ends with "\r".
UNUSUAL = [
    "",
    " ",
    "a",
    "?",
    "the the the the the the the the",
    "!!!???...---***",
    "Grüße aus Köln: naïve cafés, façades, señores, Ærøskøbing, Łódź",
    "ΕΛΛΗΝΙΚΑ και ελληνικά, ΣΊΣΥΦΟΣ",
    "Съешь же ещё этих мягких французских булок",
    "漢字かな交じり文 と カタカナ",
    "한국어 문장 하나",
    "नमस्ते दुनिया",
    "مرحبا بالعالم، שלום עולם",
    "cafe\u0301 A\u030angstro\u0308m nai\u0308ve",
    "\ufb01nd the o\ufb03ce, 5\u2075, \u2163, \u00bd, \u2122, \uff26\uff35\uff2c\uff2c width",
    "family \U0001f468\u200d\U0001f469\u200d\U0001f467 and flag \U0001f1e9\U0001f1ea \U0001f44d\U0001f3fd",
    "zero\u200bwidth soft\u00adhyphen no\u00a0break \ufeffmark",
    "lines\u2028and\u0085other\x0bbreaks\x0cthat end no line",
    "tab\tand\rcarriage return inside",
    "control\x01\x02\x1b[31m characters\x7f and \ufffd",
    "[CLS] special [SEP] tokens [MASK] in [PAD] text [UNK]",
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
    "x" * 99,
    "x" * 101,
    "https://www.example.org/a/b?c=d&e=%20f#g user@example.org +49-30-901820",
    "int main(void) { for (;;) { printf(\"%d\\n\", i++); } return 0; }",
    "3.14159 2,718,281 1e-12 0xDEADBEEF -0 NaN",
]


def entries(text):
    """(headword, definition) of each entry: a headword starts in column 0, its definition is indented."""
    found, head, body = [], None, []
    for line in text.split("\n"):
        if line and not line[0].isspace():
            if head and body:
                found.append((head, body))
            head, body = line, []
        elif head is not None:
            body.append(line)
    return found + ([(head, body)] if head and body else [])


def write_sample():
    """Every ninth entry, verbatim; before the first stands the notice."""
    text = gzip.open(os.environ["NYBBLE_JARGON"], "rt", encoding="utf-8").read()
    chosen = entries(text[text.index("\n(TM)\n"):])[::9]
    lines = [line for head, body in chosen for line in [head, *body]]
    (HERE / "sample.txt").write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


def paragraphs(sample):
    """The definitions' paragraphs, each on one line, led by its headword."""
    for head, body in entries(sample):
        for paragraph in re.split(r"\n\s*\n", "\n".join(body)):
            line = " ".join(paragraph.split())
            if len(line) > 40:
                yield f"{head}: {line}"


def cut_to(tokenizer, words, length):
    """The first words that make exactly `length` tokens; None where a word straddles it."""
    low, high = 0, len(words)
    while low < high:
        middle = (low + high) // 2
        if len(tokenizer.encode(" ".join(words[:middle])).ids) < length:
            low = middle + 1
        else:
            high = middle
    text = " ".join(words[:low])
    return text if len(tokenizer.encode(text).ids) == length else None


def exact_text(tokenizer, words, length, start):
    """A run of consecutive words of `length` tokens, from the first place after `start` where there is one."""
    while True:
        text = cut_to(tokenizer, words[start:start + length + 2], length)
        if text is not None:
            return text, start + len(text.split(" "))
        start += 1


def make_texts(tokenizer):
    sample = (HERE / "sample.txt").read_text(encoding="utf-8")
    natural = list(paragraphs(sample))
    step = len(natural) / NATURAL_TEXTS
    texts = [*UNUSUAL, *(natural[int(i * step)] for i in range(NATURAL_TEXTS))]
    words, start = " ".join(natural).split(), 0
    for length in EXACT_LENGTHS + LONG_LENGTHS:
        text, start = exact_text(tokenizer, words, length, start)
        texts.append(text)
    return texts


def make_long_texts(tokenizer):
    """Runs of words as they stand, from the middle of the sample on."""
    words = " ".join(paragraphs((HERE / "sample.txt").read_text(encoding="utf-8"))).split()
    texts, start = [], len(words) // 2
    for length in LONG_TEXTS:
        text, start = exact_text(tokenizer, words, length, start)
        texts.append(text)
    return texts


def write_ids(tokenizer, texts):
    with open(HERE / "ids.jsonl", "w", encoding="utf-8") as out:
        for text in texts:
            ids = tokenizer.encode(text).ids
            kept = ids if len(ids) <= LIMIT else ids[:LIMIT - 1] + ids[-1:]
            out.write(json.dumps({"ids": kept, "tokens_of_whole_text": len(ids)}, separators=(",", ":")) + "\n")


def write_embeddings(folder, texts, limit, name):
    """One text at a time and on one thread, so that neither padding nor a partition of sums is in the numbers."""
    import numpy
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(1)
    model = SentenceTransformer(folder, device="cpu", model_kwargs={"attn_implementation": "eager"})
    assert model.max_seq_length == LIMIT and model[0].auto_model.dtype == torch.float32
    model.max_seq_length = limit
    rows = model.encode(texts, batch_size=1, convert_to_numpy=True)
    assert rows.dtype == numpy.float32 and numpy.allclose((rows * rows).sum(axis=1), 1, atol=1e-5)
    numpy.save(HERE / name, rows)


def write_lines(texts, name):
    assert not any("\n" in text or text.endswith("\r") for text in texts)
    (HERE / name).write_bytes("".join(text + "\n" for text in texts).encode())


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--sample", action="store_true")
    if options.parse_args().sample:
        return write_sample()
    from tokenizers import Tokenizer

    folder = os.environ["NYBBLE_MODEL"]
    tokenizer = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    texts = make_texts(tokenizer)
    write_lines(texts, "texts.txt")
    write_ids(tokenizer, texts)
    write_embeddings(folder, texts, LIMIT, "embeddings.npy")
    long_texts = make_long_texts(tokenizer)
    write_lines(long_texts, "long.txt")
    write_embeddings(folder, long_texts, LONG_LIMIT, "long.npy")


if __name__ == "__main__":
    main()
