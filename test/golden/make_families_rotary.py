"""Makes the folders of test/golden/families for ModernBERT, NomicBERT, GTE-new and Jina-BERT-v2: random weights, a
tokenizer, and what transformers (or, of the families that it does not have, reference_rotary.py) computes with them in
double precision. Run by tools/goldens.

A folder named after the family is as its models are published, one with "-5" as transformers 5 writes it.
"""
import json
import pathlib
import tempfile

import torch
from safetensors.torch import load_file
from transformers import (ModernBertConfig, ModernBertForMaskedLM, ModernBertModel, NomicBertConfig, NomicBertModel,
                          PreTrainedConfig)

import reference_rotary
from family_folder import VOCABULARY, begin, in_double, randomize, save, save_tensors, save_tokenizer, write_golden
from make_tiny import fits_16_bits, write_json

LIMIT = 320
SIZES = dict(hidden_size=96, num_attention_heads=3, num_hidden_layers=2, intermediate_size=72, vocab_size=VOCABULARY,
             max_position_embeddings=LIMIT)
SMALL = SIZES | dict(hidden_size=48, intermediate_size=40)
MODERN_TOKENS = dict(bos_token_id=2, cls_token_id=2, eos_token_id=3, pad_token_id=0, sep_token_id=3)
BOOK = dict(attention_probs_dropout_prob=0.0, hidden_act="gelu", hidden_dropout_prob=0.1, initializer_range=0.02,
            layer_norm_eps=1e-12, pad_token_id=0)


# ---- weights ----

def random_tensors(shapes, seed):
    """As randomize() makes them, for tensors that are in no module. A vector named .weight is that of a norm."""
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, shape in sorted(shapes.items()):
        noise = torch.randn(shape, generator=generator)
        if len(shape) == 1:
            values = 0.2 * noise + (1 if name.endswith(".weight") else 0)
        else:
            values = noise * (0.5 if "_embeddings" in name else 1.5 / shape[-1] ** 0.5)
        tensors[name] = fits_16_bits(values)
    return tensors


def vectors(name, n):
    return {name + ".weight": (n,), name + ".bias": (n,)}


def matrix(name, n, k, bias=True):
    return {name + ".weight": (n, k)} | ({name + ".bias": (n,)} if bias else {})


def embeddings(config):
    hidden, types = config["hidden_size"], config["type_vocab_size"]
    shapes = {"embeddings.word_embeddings.weight": (config["vocab_size"], hidden)}
    return shapes | ({"embeddings.token_type_embeddings.weight": (types, hidden)} if types else {})


def gte_shapes(config):
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    shapes = embeddings(config) | vectors("embeddings.LayerNorm", hidden)
    for i in range(config["num_hidden_layers"]):
        name = f"encoder.layer.{i}."
        projections = {"qkv_proj": 3 * hidden} if config["pack_qkv"] else {f"{part}_proj": hidden for part in "qkv"}
        for projection, n in (projections | {"o_proj": hidden}).items():
            shapes |= matrix(f"{name}attention.{projection}", n, hidden)
        shapes |= matrix(name + "mlp.up_gate_proj", 2 * inner, hidden, bias=False)
        shapes |= matrix(name + "mlp.down_proj", hidden, inner)
        shapes |= vectors(name + "attn_ln", hidden) | vectors(name + "mlp_ln", hidden)
    return shapes


def jina_shapes(config):
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    shapes = embeddings(config) | vectors("embeddings.LayerNorm", hidden)
    shapes |= matrix("pooler.dense", hidden, hidden)
    for i in range(config["num_hidden_layers"]):
        name = f"encoder.layer.{i}."
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            shapes |= matrix(f"{name}attention.{part}", hidden, hidden)
        shapes |= matrix(name + "mlp.gated_layers", 2 * inner, hidden, bias=False)
        shapes |= matrix(name + "mlp.wo", hidden, inner)
        shapes |= vectors(name + "attention.output.LayerNorm", hidden) | vectors(name + "mlp.layernorm", hidden)
    return shapes


def nomic_shapes(config):
    """As the published code has them: the vocabulary and the gated layer's width are rounded up."""
    up = lambda value, unit: (value + unit - 1) // unit * unit
    hidden, inner = config["n_embd"], up(config["n_inner"], 256)
    shapes = embeddings({"hidden_size": hidden, "type_vocab_size": config["type_vocab_size"],
                         "vocab_size": up(config["vocab_size"], config["pad_vocab_size_multiple"])})
    shapes |= vectors("emb_ln", hidden)
    for i in range(config["n_layer"]):
        name = f"encoder.layers.{i}."
        shapes |= matrix(name + "attn.Wqkv", 3 * hidden, hidden, config["qkv_proj_bias"])
        shapes |= matrix(name + "attn.out_proj", hidden, hidden, config["qkv_proj_bias"])
        for part in ("fc11", "fc12"):
            shapes |= matrix(f"{name}mlp.{part}", inner, hidden, config["mlp_fc1_bias"])
        shapes |= matrix(name + "mlp.fc2", hidden, inner, config["mlp_fc2_bias"])
        shapes |= vectors(name + "norm1", hidden) | vectors(name + "norm2", hidden)
    return shapes


# ---- folders ----

def run_reference(run):
    return lambda ids, types: run(torch.tensor(ids), torch.tensor(types))


def precise(tensors):
    return {name: tensor.double() for name, tensor in tensors.items()}


def write_folder(name, config, tensors, run, prefix="", more=None, kind="word_piece"):
    """`more`: tensors of a head, which the encoder does not read and which have no prefix."""
    folder = begin(name)
    write_json(folder / "config.json", config)
    save_tensors(folder, {prefix + key: tensor for key, tensor in tensors.items()} | (more or {}))
    save_tokenizer(folder, kind)
    write_golden(folder, run_reference(run), kind, LIMIT, types=config["type_vocab_size"] > 1)


def written_by_transformers(published, model_type):
    """The config.json that transformers 5 writes for code from the hub: its keys come through PreTrainedConfig."""
    class HubConfig(PreTrainedConfig):
        def __init__(self, rope_theta=10000.0, rope_scaling=None, **keys):
            super().__init__(**keys)
            if "rope_theta" in published:
                self.rope_theta, self.rope_scaling = rope_theta, rope_scaling
    HubConfig.model_type = model_type
    with tempfile.TemporaryDirectory() as place:
        write_json(pathlib.Path(place) / "config.json", published)
        HubConfig.from_pretrained(place).save_pretrained(place)
        return json.loads((pathlib.Path(place) / "config.json").read_text())


# ---- families ----

def make_modernbert():
    published = SIZES | MODERN_TOKENS | {
        "architectures": ["ModernBertForMaskedLM"], "attention_bias": False, "attention_dropout": 0.0,
        "classifier_activation": "gelu", "classifier_bias": False, "classifier_dropout": 0.0,
        "classifier_pooling": "mean", "decoder_bias": True, "deterministic_flash_attn": False,
        "embedding_dropout": 0.0, "global_attn_every_n_layers": 3, "global_rope_theta": 160000.0,
        "gradient_checkpointing": False, "hidden_activation": "gelu", "initializer_cutoff_factor": 2.0,
        "initializer_range": 0.02, "layer_norm_eps": 1e-05, "local_attention": 128, "local_rope_theta": 10000.0,
        "mlp_bias": False, "mlp_dropout": 0.0, "model_type": "modernbert", "norm_bias": False, "norm_eps": 1e-05,
        "position_embedding_type": "absolute", "tie_word_embeddings": True, "torch_dtype": "float16",
        "transformers_version": "4.47.0.dev0"}
    model = randomize(ModernBertForMaskedLM(ModernBertConfig(**published, attn_implementation="sdpa")), 61)
    assert model.config.layer_types == ["full_attention", "sliding_attention"]
    folder = begin("modernbert")
    save(folder, model, "modernbert", published)
    write_golden(folder, in_double(model.model, False), "modernbert", LIMIT)

    config = ModernBertConfig(
        **SMALL | MODERN_TOKENS | {"num_hidden_layers": 4}, attn_implementation="sdpa", local_attention=9,
        layer_types=["sliding_attention", "full_attention", "sliding_attention", "full_attention"],
        attention_bias=True, mlp_bias=True, norm_bias=True, hidden_activation="gelu_pytorch_tanh",
        rope_parameters={"full_attention": {"rope_type": "linear", "rope_theta": 80000.0, "factor": 3.0},
                         "sliding_attention": {"rope_type": "default", "rope_theta": 5000.0}})
    model = randomize(ModernBertModel(config), 62)
    folder = begin("modernbert-5")
    save(folder, model, "word_piece")
    write_golden(folder, in_double(model, False), "word_piece", LIMIT)


NOMIC = {
    "activation_function": "swiglu", "architectures": ["NomicBertModel"], "attn_pdrop": 0.0, "auto_map": {
        "AutoConfig": "nomic-ai/nomic-bert-2048--configuration_hf_nomic_bert.NomicBertConfig",
        "AutoModel": "nomic-ai/nomic-bert-2048--modeling_hf_nomic_bert.NomicBertModel"},
    "bos_token_id": None, "causal": False, "dense_seq_output": True, "embd_pdrop": 0.0, "eos_token_id": None,
    "fused_bias_fc": True, "fused_dropout_add_ln": True, "initializer_range": 0.02, "layer_norm_epsilon": 1e-12,
    "max_trained_positions": 2048, "mlp_fc1_bias": False, "mlp_fc2_bias": False, "model_type": "nomic_bert",
    "n_embd": 48, "n_head": 3, "n_inner": 250, "n_layer": 2, "n_positions": LIMIT, "pad_vocab_size_multiple": 64,
    "parallel_block": False, "parallel_block_tied_norm": False, "prenorm": False, "qkv_proj_bias": False,
    "reorder_and_upcast_attn": False, "resid_pdrop": 0.0, "rotary_emb_base": 1000, "rotary_emb_fraction": 1.0,
    "rotary_emb_interleaved": False, "rotary_emb_scale_base": None, "rotary_scaling_factor": None,
    "scale_attn_by_inverse_layer_idx": False, "scale_attn_weights": True, "torch_dtype": "float32",
    "transformers_version": "4.34.0", "type_vocab_size": 2, "use_cache": True, "use_flash_attn": True,
    "use_rms_norm": False, "use_xentropy": True, "vocab_size": VOCABULARY}


def check_reference(model, run):
    """That reference_rotary.py's NomicBERT is that of transformers, whose rounding of angles is the only float32."""
    ids, types = torch.arange(5, 305), torch.arange(300) % 2
    with torch.no_grad():
        theirs = model(input_ids=ids[None], token_type_ids=types[None]).last_hidden_state[0]
        difference = (theirs - run(ids, types)).abs().max().item()
    assert difference < 1e-9, difference


def make_nomic():
    tensors = random_tensors(nomic_shapes(NOMIC), 71)
    run = reference_rotary.nomic_bert(precise(tensors), NOMIC)
    write_folder("nomic-bert", NOMIC, tensors, run)
    options = NOMIC | {"activation_function": "geglu", "mlp_fc1_bias": True, "mlp_fc2_bias": True,
                       "qkv_proj_bias": True, "rotary_emb_fraction": 0.5, "rotary_emb_interleaved": True,
                       "type_vocab_size": 0, "n_layer": 3, "rotary_scaling_factor": 2, "max_trained_positions": 32}
    tensors = random_tensors(nomic_shapes(options), 72)
    write_folder("nomic-bert-options", options, tensors, reference_rotary.nomic_bert(precise(tensors), options),
                 prefix="bert.")

    model = randomize(NomicBertModel(NomicBertConfig(**SIZES, attn_implementation="sdpa")), 73)
    folder = begin("nomic-bert-5")
    save(folder, model, "word_piece")
    renamed = {"n_head": "num_attention_heads", "n_layer": "num_hidden_layers", "n_embd": "hidden_size"}
    hub = NOMIC | {ours: SIZES[theirs] for ours, theirs in renamed.items()}
    run = in_double(model, True)
    check_reference(model, reference_rotary.nomic_bert(precise(load_file(folder / "model.safetensors")), hub))
    write_golden(folder, run, "word_piece", LIMIT, types=True)


def make_gte():
    code = "Alibaba-NLP/new-impl--"
    published = SIZES | BOOK | {
        "architectures": ["NewModel"],
        "auto_map": {"AutoConfig": code + "configuration.NewConfig", "AutoModel": code + "modeling.NewModel"},
        "layer_norm_type": "layer_norm", "logn_attention_clip1": False, "logn_attention_scale": False,
        "model_type": "new", "pack_qkv": True, "position_embedding_type": "rope",
        "rope_scaling": {"factor": 2.0, "type": "ntk"}, "rope_theta": 500000, "torch_dtype": "float32",
        "transformers_version": "4.39.1", "type_vocab_size": 0, "unpad_inputs": False,
        "use_memory_efficient_attention": False}
    tensors = random_tensors(gte_shapes(published), 81)
    write_folder("gte-new", published, tensors, reference_rotary.gte_new(precise(tensors), published))

    small = published | SMALL | {
        "architectures": ["NewForTokenClassification"], "pack_qkv": False, "num_hidden_layers": 3,
        "rope_scaling": {"factor": 8.0, "type": "ntk"}, "rope_theta": 20000, "type_vocab_size": 2}
    tensors = random_tensors(gte_shapes(small), 82)
    head = random_tensors(matrix("classifier", 2, small["hidden_size"]), 83)
    write_folder("gte-new-5", written_by_transformers(small, "new"), tensors,
                 reference_rotary.gte_new(precise(tensors), small), prefix="new.", more=head, kind="xlm-roberta")


def make_jina():
    code = "jinaai/jina-bert-implementation--"
    published = SIZES | BOOK | {
        "architectures": ["JinaBertModel"], "attn_implementation": None,
        "auto_map": {"AutoConfig": code + "configuration_bert.JinaBertConfig",
                     "AutoModel": code + "modeling_bert.JinaBertModel"},
        "classifier_dropout": None, "emb_pooler": "mean", "feed_forward_type": "geglu",
        "gradient_checkpointing": False, "model_max_length": LIMIT, "model_type": "bert",
        "position_embedding_type": "alibi", "torch_dtype": "float16", "transformers_version": "4.26.0",
        "type_vocab_size": 2, "use_cache": True}
    tensors = random_tensors(jina_shapes(published), 91)
    write_folder("jina-bert-v2", published, tensors, reference_rotary.jina_bert(precise(tensors), published))

    small = published | SMALL | {"num_attention_heads": 4, "architectures": ["JinaBertForMaskedLM"]}
    tensors = random_tensors(jina_shapes(small), 92)
    head = random_tensors(matrix("cls.predictions.transform.dense", small["hidden_size"], small["hidden_size"]), 93)
    write_folder("jina-bert-v2-5", written_by_transformers(small, "bert"), tensors,
                 reference_rotary.jina_bert(precise(tensors), small), prefix="bert.", more=head)


def main():
    torch.set_num_threads(1)
    for part in (make_modernbert, make_nomic, make_gte, make_jina):
        part()


if __name__ == "__main__":
    main()
