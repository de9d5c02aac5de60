"""Encoders that transformers does not have, in double precision and in few lines: GTE-new (Zhang et al. 2024,
arXiv:2407.19669), Jina-BERT-v2 (Günther et al. 2023, arXiv:2310.19923) and NomicBERT with the options of its published
configuration (Nussbaum et al. 2024, arXiv:2402.01613). No official runner was at hand: these follow the papers and what
public implementations of the published folders do. make_families_rotary.py checks the parts that they share on NomicBERT's usual
form, against transformers.

Each takes the tensors as the published files name them and config.json as published, and gives run(ids, type_ids) ->
[tokens][hidden]. Rotary angles are computed in float32, as those implementations do. Heads give the logits of such rows.
"""
import math

import torch
from torch.nn import functional


def linear(tensors, name, x):
    return functional.linear(x, tensors[name + ".weight"], tensors.get(name + ".bias"))


def norm(tensors, name, x, epsilon):
    return functional.layer_norm(x, x.shape[-1:], tensors[name + ".weight"], tensors[name + ".bias"], epsilon)


def by_head(x, heads):
    return x.unflatten(-1, (heads, -1)).transpose(0, 1)


def attend(q, k, v, bias=0.0):
    """Heads first: [heads][tokens][head_dim] each; the result is [tokens][heads · head_dim]."""
    scores = q @ k.transpose(1, 2) / math.sqrt(q.shape[-1]) + bias
    return (scores.softmax(-1) @ v).transpose(0, 1).flatten(1)


def inverse_frequencies(dim, theta, ntk_factor=None):
    """RoFormer (arXiv:2104.09864, section 3.2.2); with a factor both the base and the frequencies are stretched."""
    base = theta * (ntk_factor or 1)
    frequencies = 1.0 / base ** (torch.arange(0, dim, 2, dtype=torch.float32) / dim)
    return frequencies / ntk_factor ** (2 / dim) if ntk_factor else frequencies


def rotate(x, frequencies, interleaved=False):
    """Turns the first values of each head of x [heads][tokens][head_dim] by position · frequency."""
    angles = torch.outer(torch.arange(x.shape[1], dtype=torch.float32), frequencies)
    cos, sin = angles.cos().double(), angles.sin().double()
    turned, rest = x[..., :2 * len(frequencies)], x[..., 2 * len(frequencies):]
    pairs = turned.unflatten(-1, (-1, 2)) if interleaved else turned.unflatten(-1, (2, -1)).transpose(-1, -2)
    a, b = pairs.unbind(-1)
    pairs = torch.stack((a * cos - b * sin, b * cos + a * sin), -1)
    turned = pairs if interleaved else pairs.transpose(-1, -2)
    return torch.cat((turned.flatten(-2), rest), -1)


def alibi_slopes(heads):
    """Press et al. 2022 (arXiv:2108.12409): a geometric series for a power of two heads; of other numbers, that of the
    next lower power, then every other one of twice that power."""
    power = 2 ** int(math.log2(heads))
    slopes = [2.0 ** (-8 * (i + 1) / power) for i in range(power)]
    return slopes + (alibi_slopes(2 * power)[::2][:heads - power] if power < heads else [])


def alibi(heads, length):
    """-slope · |i - j|: ALiBi to both sides."""
    position = torch.arange(length)
    distance = (position[:, None] - position[None, :]).abs()
    return -torch.tensor(alibi_slopes(heads))[:, None, None] * distance


def embed(tensors, prefix, ids, types):
    x = tensors[prefix + "word_embeddings.weight"][ids]
    table = tensors.get(prefix + "token_type_embeddings.weight")
    return x if table is None else x + table[types]


def gte_new(tensors, config):
    heads, epsilon, scaling = config["num_attention_heads"], config["layer_norm_eps"], config["rope_scaling"]
    frequencies = inverse_frequencies(config["hidden_size"] // heads, config["rope_theta"],
                                      scaling and scaling["factor"])

    def layer(name, x):
        if config["pack_qkv"]:
            q, k, v = linear(tensors, name + "attention.qkv_proj", x).chunk(3, -1)
        else:
            q, k, v = (linear(tensors, f"{name}attention.{part}_proj", x) for part in "qkv")
        q, k, v = (by_head(part, heads) for part in (q, k, v))
        mixed = attend(rotate(q, frequencies), rotate(k, frequencies), v)
        x = norm(tensors, name + "attn_ln", x + linear(tensors, name + "attention.o_proj", mixed), epsilon)
        up, gate = linear(tensors, name + "mlp.up_gate_proj", x).chunk(2, -1)
        return norm(tensors, name + "mlp_ln", x + linear(tensors, name + "mlp.down_proj", functional.gelu(gate) * up),
                    epsilon)

    def run(ids, types):
        x = norm(tensors, "embeddings.LayerNorm", embed(tensors, "embeddings.", ids, types), epsilon)
        for i in range(config["num_hidden_layers"]):
            x = layer(f"encoder.layer.{i}.", x)
        return x
    return run


def jina_bert(tensors, config):
    heads, epsilon = config["num_attention_heads"], config["layer_norm_eps"]

    def layer(name, x):
        q, k, v = (by_head(linear(tensors, f"{name}attention.self.{part}", x), heads)
                   for part in ("query", "key", "value"))
        mixed = linear(tensors, name + "attention.output.dense", attend(q, k, v, alibi(heads, len(x))))
        x = norm(tensors, name + "attention.output.LayerNorm", x + mixed, epsilon)
        gate, up = linear(tensors, name + "mlp.gated_layers", x).chunk(2, -1)
        return norm(tensors, name + "mlp.layernorm", x + linear(tensors, name + "mlp.wo", functional.gelu(gate) * up),
                    epsilon)

    def run(ids, types):
        x = norm(tensors, "embeddings.LayerNorm", embed(tensors, "embeddings.", ids, types), epsilon)
        for i in range(config["num_hidden_layers"]):
            x = layer(f"encoder.layer.{i}.", x)
        return x
    return run


def nomic_bert(tensors, config):
    heads, epsilon = config["n_head"], config["layer_norm_epsilon"]
    activation = {"swiglu": functional.silu, "geglu": functional.gelu}[config["activation_function"]]
    dim = int(config["n_embd"] // heads * config["rotary_emb_fraction"])
    stretch, trained = config["rotary_scaling_factor"], config["max_trained_positions"]

    def turn(x):
        theta = config["rotary_emb_base"]
        if stretch and x.shape[1] > trained:  # by the length at hand ("dynamic" scaling)
            theta *= (stretch * x.shape[1] / trained - (stretch - 1)) ** (dim / (dim - 2))
        return rotate(x, inverse_frequencies(dim, theta), config["rotary_emb_interleaved"])

    def layer(name, x):
        q, k, v = (by_head(part, heads) for part in linear(tensors, name + "attn.Wqkv", x).chunk(3, -1))
        mixed = linear(tensors, name + "attn.out_proj", attend(turn(q), turn(k), v))
        x = norm(tensors, name + "norm1", x + mixed, epsilon)
        inner = linear(tensors, name + "mlp.fc11", x) * activation(linear(tensors, name + "mlp.fc12", x))
        return norm(tensors, name + "norm2", x + linear(tensors, name + "mlp.fc2", inner), epsilon)

    def run(ids, types):
        x = norm(tensors, "emb_ln", embed(tensors, "embeddings.", ids, types), epsilon)
        for i in range(config["n_layer"]):
            x = layer(f"encoder.layers.{i}.", x)
        return x
    return run


# ---- heads ----

def sequence_logits(tensors, x):
    """BERT's pooler (Devlin et al. 2018) on the first row, and the classifier."""
    return linear(tensors, "classifier", linear(tensors, "pooler.dense", x[:1]).tanh())[0]


def token_logits(tensors, x):
    return linear(tensors, "classifier", x)


def masked_logits(tensors, x, dense, layer_norm, bias, activation, epsilon):
    """A dense layer, an activation, a LayerNorm, and the word table as decoder; `bias` may be None."""
    x = norm(tensors, layer_norm, activation(linear(tensors, dense, x)), epsilon)
    return functional.linear(x, tensors["embeddings.word_embeddings.weight"], tensors[bias] if bias else None)
