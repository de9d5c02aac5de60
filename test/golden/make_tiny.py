"""Makes the tiny BERT folders of test/golden: random weights, a vocabulary made from the sample of the Jargon File,
and what PyTorch computes with them in double precision. Run by tools/goldens.

  tiny-bert           as sentence-transformers saved before version 6, F32, with hidden states for every token
  micro-bert          as sentence-transformers 6 saves it, CLS pooling
  micro-bert-prefixed a pre-training checkpoint of old: `bert.` before each name, gamma and beta, heads, pooler,
                      position_ids; no modules.json. The encoder's weights are those of micro-bert
  micro-bert-f16, -bf16   the weights of micro-bert in 16 bits: the same numbers, since every weight fits both types
"""
import collections
import json
import pathlib
import shutil

import numpy
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer import modules
from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import WordPiece
from transformers import BertConfig, BertForPreTraining, BertModel, BertTokenizerFast

HERE = pathlib.Path(__file__).parent
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LENGTHS = [2, 3, 15, 16, 17, 31, 32, 33, 64, 65, 127, 300]
TINY = dict(hidden_size=96, num_attention_heads=3, num_hidden_layers=2, intermediate_size=200,
            max_position_embeddings=320, vocab_size=1003)
MICRO = dict(hidden_size=40, num_attention_heads=5, num_hidden_layers=1, intermediate_size=70,
             max_position_embeddings=64, vocab_size=307)


# ---- vocabulary and weights ----

def choose_vocabulary(words, size):
    """The special tokens, single characters, and the pieces that save most tokens on these words. Our own choice,
    because a trained vocabulary differs from run to run."""
    characters = collections.Counter("".join(words))
    alphabet = sorted(character for character, _ in sorted(characters.items(), key=lambda x: (-x[1], x[0]))[:70])
    saved = collections.Counter()
    for word in words:
        for start in range(len(word)):
            for stop in range(start + 2, min(start + 10, len(word)) + 1):
                saved[("##" if start else "") + word[start:stop]] += stop - start - 1
    vocabulary = SPECIAL + alphabet + ["##" + character for character in alphabet]
    best = sorted(saved, key=lambda piece: (-saved[piece], piece))
    return vocabulary + best[:size - len(vocabulary)]


def make_tokenizer(size):
    tokenizer = Tokenizer(WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    sample = tokenizer.normalizer.normalize_str((HERE / "jargon/sample.txt").read_text(encoding="utf-8"))
    words = [word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(sample)]
    vocabulary = {token: i for i, token in enumerate(choose_vocabulary(words, size))}
    assert len(vocabulary) == size
    tokenizer.model = WordPiece(vocabulary, unk_token="[UNK]")
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


def fits_16_bits(values):
    """Rounds to what F16 and BF16 both hold."""
    rounded = values.to(torch.bfloat16).to(torch.float16).to(torch.float32)
    assert torch.equal(rounded.to(torch.bfloat16).float(), rounded)
    return rounded


def randomize(model, seed):
    """Weights large enough that attention is uneven and GELU bent, and no bias, gamma or beta is 0 or 1."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in sorted(model.state_dict().items()):
        if not tensor.is_floating_point():
            continue
        noise = torch.randn(tensor.shape, generator=generator)
        if "LayerNorm" in name:
            values = 0.2 * noise + (1 if name.endswith("weight") else 0)
        elif name.endswith("bias"):
            values = 0.2 * noise
        elif "embeddings" in name:
            values = 0.5 * noise
        else:
            values = 1.5 * noise / tensor.shape[-1] ** 0.5
        tensor.copy_(fits_16_bits(values))


def make_model(sizes, seed):
    model = BertModel(BertConfig(**sizes, attn_implementation="eager")).eval()
    with torch.no_grad():
        randomize(model, seed)
    return model


# ---- folders ----

def empty_folder(name):
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def write_json(path, value):
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def save_model(folder, model, tokenizer, max_length):
    model.save_pretrained(folder)
    BertTokenizerFast(tokenizer_object=tokenizer, do_lower_case=True, model_max_length=max_length).save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))


def add_modules_before_6(folder, hidden, max_length):
    kinds = ["Transformer", "Pooling", "Normalize"]
    write_json(folder / "modules.json", [
        {"idx": i, "name": str(i), "path": f"{i}_{kind}" if i else "", "type": f"sentence_transformers.models.{kind}"}
        for i, kind in enumerate(kinds)])
    modes = ["cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken"]
    write_json(folder / "1_Pooling/config.json", {
        "word_embedding_dimension": hidden, **{f"pooling_mode_{mode}": mode == "mean_tokens" for mode in modes},
        "include_prompt": True})
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": max_length, "do_lower_case": False})


def save_with_version_6(folder, model, tokenizer, max_length):
    plain = HERE / "plain-for-saving"
    save_model(plain, model, tokenizer, max_length)
    transformer = modules.Transformer(str(plain))
    pooling = modules.Pooling(transformer.get_embedding_dimension(), pooling_mode="cls")
    SentenceTransformer(modules=[transformer, pooling, modules.Normalize()], device="cpu").save(
        str(folder), create_model_card=False)
    shutil.rmtree(plain)


def save_prefixed(folder, encoder, tokenizer, sizes, max_length):
    model = BertForPreTraining(BertConfig(**sizes)).eval()
    with torch.no_grad():
        randomize(model, seed=5)
        model.bert.load_state_dict(encoder.state_dict())
    save_model(folder, model, tokenizer, max_length)
    file = folder / "model.safetensors"
    renamed = {name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): tensor
               for name, tensor in load_file(file).items()}
    renamed["bert.embeddings.position_ids"] = torch.arange(sizes["max_position_embeddings"]).unsqueeze(0)
    save_file(renamed, file, metadata={"format": "pt"})


def save_in_16_bits(folder, source, dtype):
    shutil.copytree(source, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("golden"))
    config = json.loads((folder / "config.json").read_text())
    write_json(folder / "config.json", {**config, "dtype": str(dtype).removeprefix("torch.")})
    file = folder / "model.safetensors"
    save_file({name: tensor.to(dtype) for name, tensor in load_file(file).items()}, file, metadata={"format": "pt"})


# ---- what the model answers ----

def text_of_length(tokenizer, words, length):
    for start in range(len(words)):
        for stop in range(start, start + length):
            count = len(tokenizer.encode(" ".join(words[start:stop])).ids)
            if count == length:
                return " ".join(words[start:stop])
            if count > length:
                break
    raise ValueError(f"no text of {length} tokens")


def make_inputs(tokenizer, limit):
    """Texts, one a line, and after them a pair and single tokens, which only ids can say."""
    sample = (HERE / "jargon/sample.txt").read_text(encoding="utf-8")
    words, texts = sample.split()[500:], []
    for length in (length for length in LENGTHS if length <= limit):
        texts.append(text_of_length(tokenizer, words, length))
        words = words[len(texts[-1].split()):]
    encodings = [tokenizer.encode(text) for text in texts] + [tokenizer.encode("null device", "a data sink")]
    rows = [{"ids": encoding.ids, "type_ids": encoding.type_ids} for encoding in encodings]
    rows += [{"ids": [token], "type_ids": [0]} for token in (2, 77)]
    return texts, rows


def write_golden(folder, model, tokenizer, limit):
    """inputs: texts.txt (the first lines of ids.jsonl), ids.jsonl; outputs: hidden.npy, every token of every sequence
    end to end; mean.npy and cls.npy, not normalized. Computed in double precision, rounded to float32."""
    texts, rows = make_inputs(tokenizer, limit)
    golden = folder / "golden"
    golden.mkdir()
    (golden / "texts.txt").write_bytes("".join(text + "\n" for text in texts).encode())
    (golden / "ids.jsonl").write_text("".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows))
    precise = make_copy_in_double(model)
    with torch.no_grad():
        hidden = [precise(input_ids=torch.tensor([row["ids"]]), token_type_ids=torch.tensor([row["type_ids"]]))
                  .last_hidden_state[0] for row in rows]
    save = lambda name, values: numpy.save(golden / name, values.to(torch.float32).numpy())
    save("hidden.npy", torch.cat(hidden))
    save("mean.npy", torch.stack([states.mean(dim=0) for states in hidden]))
    save("cls.npy", torch.stack([states[0] for states in hidden]))


def make_copy_in_double(model):
    precise = BertModel(model.config).double().eval()
    precise.load_state_dict(model.state_dict())
    return precise


def main():
    torch.set_num_threads(1)
    tokenizer = make_tokenizer(TINY["vocab_size"])
    model = make_model(TINY, seed=1)
    folder = empty_folder("tiny-bert")
    save_model(folder, model, tokenizer, TINY["max_position_embeddings"])
    add_modules_before_6(folder, TINY["hidden_size"], TINY["max_position_embeddings"])
    write_golden(folder, model, tokenizer, TINY["max_position_embeddings"])

    tokenizer = make_tokenizer(MICRO["vocab_size"])
    model = make_model(MICRO, seed=2)
    folder = empty_folder("micro-bert")
    save_with_version_6(folder, model, tokenizer, MICRO["max_position_embeddings"])
    write_golden(folder, model, tokenizer, MICRO["max_position_embeddings"])
    save_prefixed(empty_folder("micro-bert-prefixed"), model, tokenizer, MICRO, MICRO["max_position_embeddings"])
    for name, dtype in {"f16": torch.float16, "bf16": torch.bfloat16}.items():
        save_in_16_bits(empty_folder(f"micro-bert-{name}"), folder, dtype)


if __name__ == "__main__":
    main()
