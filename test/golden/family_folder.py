"""What the makers of test/golden/families share: weights, tokenizers of each kind, folders and reference outputs.

  randomize(model, seed)                     weights that bend every function, of 16 bits
  tokenizer_of(kind)                         tokenizer.json as a family publishes it, made from the Jargon File's sample
  begin(name), save(folder, model, kind)     the folder
  write_golden(folder, run, kind, limit)     golden/: ids.jsonl, texts.txt, hidden.npy
"""
import base64
import collections
import functools
import json
import math
import pathlib
import random
import shutil
import sys

import numpy
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, processors

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tokenizer")]
import families
from make_tiny import choose_vocabulary, fits_16_bits, make_tokenizer, text_of_length, write_json
from charsmap import charsmap  # its folder is in the path since families was imported

FOLDER = HERE / "families"
VOCABULARY = 1003
LENGTHS_OF_IDS, LENGTHS_OF_TEXTS = [1, 2, 32], [31, 33, 300]
UNUSUAL_TEXTS = ["Na\u00efve caf\u00e9, 12,345 \u00bd \u2014 \ufb01ne!", "  two  blanks\tand \u4e2d\u6587 \U0001f600 "]


# ---- weights ----

def scale_of(name, tensor):
    if name.endswith("bias") or "norm" in name.lower():
        return 0.2
    if "_embeddings" in name or "tok_embeddings" in name or "attention_bias" in name:
        return 0.5
    return 1.5 / tensor.shape[-1] ** 0.5


def randomize(model, seed):
    """Weights large enough that attention is uneven and activations are bent, and no bias, gamma or beta is 0 or 1.
    Each fits F16 and BF16."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in sorted(model.state_dict().items()):
            if not tensor.is_floating_point():
                continue
            values = scale_of(name, tensor) * torch.randn(tensor.shape, generator=generator)
            if "norm" in name.lower() and name.endswith("weight"):
                values += 1
            tensor.copy_(fits_16_bits(values))
    return model.eval()


# ---- tokenizers ----

@functools.cache
def sample():
    return (HERE / "jargon/sample.txt").read_text(encoding="utf-8")


@functools.cache
def trained():
    return families.families([line for line in sample().split("\n") if line.strip()], VOCABULARY - 303)


def scored_pieces(count, special):
    """[piece, log of its share] of the pieces that save most tokens. Our own choice: a trained one differs from run to
    run."""
    words = ["\u2581" + word for word in sample().split()]
    saved, found = collections.Counter(), collections.Counter()
    for word in words:
        for start in range(len(word)):
            for stop in range(start + 1, min(start + 9, len(word)) + 1):
                found[word[start:stop]] += 1
                saved[word[start:stop]] += stop - start - 1
    characters = sorted(piece for piece in found if len(piece) == 1)
    best = [piece for piece in sorted(saved, key=lambda piece: (-saved[piece], piece)) if len(piece) > 1]
    pieces = characters + best[:count - len(special) - len(characters)]
    total = sum(found[piece] for piece in pieces)
    return [[name, 0.0] for name in special] + [[piece, round(math.log(found[piece] / total), 4)] for piece in pieces]


def small_charsmap():
    rules = {k: v for k, v in families.nfkc_rules(False).items() if all(ord(c) < 0x400 for c in k)}
    return base64.b64encode(charsmap(rules)).decode()


def with_own_pieces(spec, special):
    spec = json.loads(json.dumps(spec))
    old = [piece for piece, _ in spec["model"]["vocab"]]
    fallback = [piece for piece in old if piece.startswith("<0x") and piece.endswith(">")]
    spec["model"]["vocab"] = scored_pieces(VOCABULARY - 3, special + fallback)
    spec["model"]["unk_id"] = special.index("<unk>") if "<unk>" in special else special.index("[UNK]")
    for part in [spec["normalizer"], *spec["normalizer"].get("normalizers", [])]:
        if part["type"] == "Precompiled":
            part["precompiled_charsmap"] = small_charsmap()
    return spec


def renamed(spec, names):
    """The same tokenizer with its special tokens called otherwise, and the ids in the order of `names`."""
    text = json.dumps(spec)
    for old, new in names.items():
        text = text.replace(json.dumps(old), json.dumps(new))
    return json.loads(text)


def unigram(kind):
    return with_own_pieces(trained()[kind], ["<s>", "<pad>", "</s>", "<unk>", "<mask>"])


def albert():
    """ALBERT's ids: <pad> 0, <unk> 1, [CLS] 2, [SEP] 3, [MASK] 4."""
    special = ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"]
    spec = renamed(trained()["albert"], {"<s>": "[CLS]", "</s>": "[SEP]", "<mask>": "[MASK]"})
    spec = with_own_pieces(spec, special)
    for token in spec["added_tokens"]:
        token["id"] = special.index(token["content"])
    spec["added_tokens"].sort(key=lambda token: token["id"])
    for name, token in spec["post_processor"]["special_tokens"].items():
        token["ids"] = [special.index(name)]
    return spec


def mpnet():
    """WordPiece with RoBERTa's special tokens: <s> 0, <pad> 1, </s> 2."""
    special = ["<s>", "<pad>", "</s>", "[UNK]", "<mask>"]
    base = make_tokenizer(VOCABULARY)
    spec = json.loads(base.to_str())
    pieces = sorted(spec["model"]["vocab"], key=spec["model"]["vocab"].get)[5:]
    spec["model"]["vocab"] = {piece: i for i, piece in enumerate(special + pieces)}
    for i, token in enumerate(spec["added_tokens"]):
        token.update(id=i, content=special[i], lstrip=special[i] == "<mask>")
    processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=False)
    spec["post_processor"] = json.loads(processor.__getstate__())
    return spec


@functools.cache
def tokenizer_of(kind):
    """"word_piece" (BERT's), "mpnet", "albert", or a family of test/tokenizer/families.py."""
    if kind == "word_piece":
        return make_tokenizer(VOCABULARY)
    if kind == "mpnet":
        spec = mpnet()
    elif kind == "albert":
        spec = albert()
    else:
        spec = trained()[kind]
        if spec["model"]["type"] == "Unigram":
            spec = unigram(kind)
    assert len(spec["model"]["vocab"]) <= VOCABULARY
    return Tokenizer.from_str(json.dumps(spec))


# ---- folders ----

def begin(name):
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def save_tensors(folder, tensors, dtype=torch.float16):
    tensors = {name: tensor.detach().to(dtype if tensor.is_floating_point() else tensor.dtype).contiguous().clone()
               for name, tensor in tensors.items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def save(folder, model, kind, config=None, dtype=torch.float16):
    """As transformers saves it, in 16 bits; with `config` in place of the config.json that transformers writes."""
    model.save_pretrained(folder)
    save_tensors(folder, load_file(folder / "model.safetensors"), dtype)
    (folder / "generation_config.json").unlink(missing_ok=True)
    if config is None:
        config = json.loads((folder / "config.json").read_text()) | {"dtype": str(dtype).removeprefix("torch.")}
    write_json(folder / "config.json", config)
    save_tokenizer(folder, kind)


def save_tokenizer(folder, kind):
    spec = json.loads(tokenizer_of(kind).to_str())
    (folder / "tokenizer.json").write_text(json.dumps(spec, separators=(",", ":"), ensure_ascii=True) + "\n")


# ---- what the model answers ----

def rows_of(kind, limit, types, pad=None):
    """Texts, and rows of ids: those of the texts, then ids that no text has: one token, two, 32 at random. With `types`
    the last one has token type 1 in its second half; with `pad`, a padding token in its middle."""
    tokenizer, words, texts = tokenizer_of(kind), sample().split()[500:], list(UNUSUAL_TEXTS)
    for length in (length for length in LENGTHS_OF_TEXTS if length <= limit):
        texts.append(text_of_length(tokenizer, words, length))
        words = words[len(texts[-1].split()):]
    encodings = [tokenizer.encode(text) for text in texts]
    rows = [{"ids": encoding.ids, "type_ids": encoding.type_ids} for encoding in encodings]
    choose = random.Random(len(kind))
    for length in LENGTHS_OF_IDS:
        rows.append({"ids": [choose.randrange(5, VOCABULARY) for _ in range(length)], "type_ids": [0] * length})
    if types:
        rows[-1]["type_ids"] = [0] * 16 + [1] * 16
    if pad is not None:
        rows[-1]["ids"][7] = rows[-1]["ids"][20] = pad
    return texts, rows


def write_golden(folder, run, kind, limit, types=False, pad=None):
    """texts.txt (the first lines of ids.jsonl), ids.jsonl, and hidden.npy: the rows of every token of every sequence,
    end to end, that run(ids, type_ids) -> float64 [tokens][hidden] gives, rounded to float32."""
    texts, rows = rows_of(kind, limit, types, pad)
    golden = folder / "golden"
    golden.mkdir()
    (golden / "texts.txt").write_bytes("".join(text + "\n" for text in texts).encode())
    (golden / "ids.jsonl").write_text("".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows))
    with torch.no_grad():
        hidden = torch.cat([run(row["ids"], row["type_ids"]) for row in rows])
    assert hidden.dtype == torch.float64 and torch.isfinite(hidden).all()
    numpy.save(golden / "hidden.npy", hidden.to(torch.float32).numpy())


def in_double(model, types):
    """What write_golden() calls: an encoder of transformers in double precision, every token attended to."""
    model = model.double().eval()

    def run(ids, type_ids):
        more = {"token_type_ids": torch.tensor([type_ids])} if types else {}
        ids = torch.tensor([ids])
        return model(input_ids=ids, attention_mask=torch.ones_like(ids), **more).last_hidden_state[0]
    return run
