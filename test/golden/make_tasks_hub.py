"""Makes the folders of test/golden/tasks whose heads transformers lacks, or spells otherwise than the published files do.
Run by tools/goldens.

  gte-new, jina-bert-v2     hub code: their heads are those of reference_rotary.py, behind its encoders
  nomic-bert-published      the published configuration and head: no biases, SiLU, a vocabulary that is rounded up
  deberta-v2-published      lm_predictions.*, which transformers computes where config.legacy is off

Files in each folder are those of make_tasks.py.
"""
import json
import types
import warnings

import torch
import transformers

import family_folder
import make_tasks
import reference_rotary
from family_folder import HERE, VOCABULARY, begin, save_tensors, save_tokenizer, tokenizer_of
from make_families_rotary import (BOOK, NOMIC, gte_shapes, jina_shapes, matrix, nomic_shapes, precise, random_tensors,
                                  run_reference, vectors)
from make_tasks import LABELS, SIZES, TEXTS, write_logits, write_tokenizer_config
from make_tiny import fits_16_bits, write_json

KIND = "word_piece"


class Model:
    """What write_logits() calls: logits(rows of the encoder) behind an encoder of reference_rotary.py."""

    def __init__(self, encode, logits):
        self.encode, self.logits = encode, logits

    def double(self):
        return self

    def eval(self):
        return self

    def __call__(self, input_ids, attention_mask, token_type_ids):
        x = run_reference(self.encode)(input_ids[0].tolist(), token_type_ids[0].tolist())
        return types.SimpleNamespace(logits=self.logits(x)[None])


def balance(tensors, encode):
    """As make_tasks.balance(): no label wins everywhere."""
    ids = [i for text in TEXTS for i in tokenizer_of(KIND).encode(text).ids][:72]
    tensors["classifier.weight"] *= 2
    logits = reference_rotary.token_logits(precise(tensors), run_reference(encode)(ids, [0] * len(ids)))
    tensors["classifier.bias"] = fits_16_bits(tensors["classifier.bias"] - logits.mean(dim=0).float())


def make_hub(name, config, prefix, encoder_shapes, encoder, head_shapes, masked, seed):
    """`encoder_shapes`, and `pooler.dense` among them, get `prefix`; masked(tensors, rows) gives the logits of the
    vocabulary."""
    hidden = config.get("hidden_size") or config["n_embd"]
    encoder_shapes |= matrix("pooler.dense", hidden, hidden)
    inside = random_tensors(encoder_shapes, seed)
    outside = random_tensors(matrix("classifier", len(LABELS), hidden) | head_shapes, seed + 1)
    encode = encoder(precise(inside), config)
    balance(outside, encode)
    all_tensors = precise(inside | outside)
    folder = begin(name)
    write_json(folder / "config.json", config | {
        "id2label": dict(enumerate(LABELS)), "label2id": {label: i for i, label in enumerate(LABELS)}})
    save_tensors(folder, {prefix + key: tensor for key, tensor in inside.items()} | outside)
    save_tokenizer(folder, KIND)
    write_tokenizer_config(folder, KIND)
    heads = (reference_rotary.sequence_logits, reference_rotary.token_logits, masked)
    write_logits(folder, [Model(encode, lambda x, head=head: head(all_tensors, x)) for head in heads], KIND, True)


def make_gte():
    config = SIZES | BOOK | {
        "architectures": ["NewForSequenceClassification", "NewForTokenClassification", "NewForMaskedLM"],
        "layer_norm_type": "layer_norm", "logn_attention_clip1": False, "logn_attention_scale": False,
        "model_type": "new", "pack_qkv": True, "position_embedding_type": "rope",
        "rope_scaling": {"factor": 8.0, "type": "ntk"}, "rope_theta": 20000, "torch_dtype": "float16",
        "transformers_version": "4.39.1", "type_vocab_size": 2, "unpad_inputs": False,
        "use_memory_efficient_attention": False}
    hidden = config["hidden_size"]
    masked = lambda tensors, x: reference_rotary.masked_logits(
        tensors, x, "lm_head.dense", "lm_head.norm", "lm_head.decoder.bias", torch.nn.functional.gelu, 1e-12)
    make_hub("gte-new", config, "new.", gte_shapes(config), reference_rotary.gte_new,
             matrix("lm_head.dense", hidden, hidden) | vectors("lm_head.norm", hidden) |
             {"lm_head.decoder.bias": (VOCABULARY,)}, masked, 131)


def make_jina():
    config = SIZES | BOOK | {
        "architectures": ["JinaBertForSequenceClassification", "JinaBertForTokenClassification", "JinaBertForMaskedLM"],
        "attn_implementation": None, "emb_pooler": "mean", "feed_forward_type": "geglu", "model_max_length": 80,
        "model_type": "bert", "position_embedding_type": "alibi", "torch_dtype": "float16",
        "transformers_version": "4.26.0", "type_vocab_size": 2, "use_cache": True}
    hidden = config["hidden_size"]
    transform = "cls.predictions.transform."
    masked = lambda tensors, x: reference_rotary.masked_logits(
        tensors, x, transform + "dense", transform + "LayerNorm", "cls.predictions.bias", torch.nn.functional.gelu, 1e-12)
    make_hub("jina-bert-v2", config, "bert.", jina_shapes(config), reference_rotary.jina_bert,
             matrix(transform + "dense", hidden, hidden) | vectors(transform + "LayerNorm", hidden) |
             {"cls.predictions.bias": (VOCABULARY,)}, masked, 141)


def make_nomic():
    config = NOMIC | {
        "architectures": ["NomicBertForSequenceClassification", "NomicBertForTokenClassification",
                          "NomicBertForPreTraining"],
        "n_embd": 40, "n_head": 5, "n_inner": 70, "n_positions": 80}
    transform = "cls.predictions.transform."
    masked = lambda tensors, x: reference_rotary.masked_logits(
        tensors, x, transform + "dense", transform + "layer_norm", None, torch.nn.functional.silu, 1e-12)
    make_hub("nomic-bert-published", config, "bert.", nomic_shapes(config), reference_rotary.nomic_bert,
             matrix(transform + "dense", 40, 40, bias=False) | vectors(transform + "layer_norm", 40), masked, 151)


def make_deberta():
    make_tasks.make_family("deberta-v2-published", "DebertaV2", KIND, 161, relative_attention=True,
                           pos_att_type=["c2p", "p2c"], norm_rel_ebd="layer_norm", share_att_key=True,
                           position_biased_input=False, position_buckets=16, legacy=False)
    folder = family_folder.FOLDER / "deberta-v2-published"
    config = json.loads((folder / "config.json").read_text())
    del config["legacy"]  # published before there was such a key
    write_json(folder / "config.json", config)


def main():
    torch.set_num_threads(1)
    transformers.utils.logging.set_verbosity_error()
    warnings.filterwarnings("ignore")
    family_folder.FOLDER = HERE / "tasks"
    for part in (make_gte, make_jina, make_nomic, make_deberta):
        part()


if __name__ == "__main__":
    main()
