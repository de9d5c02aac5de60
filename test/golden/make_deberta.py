"""Makes the folders of test/golden/families for DeBERTa-v2 and -v3: random weights, a Unigram tokenizer, and what
transformers computes with them in double precision. Run by tools/goldens.

  deberta-v3          a published checkpoint of v3 with its head: few log buckets, so that distances share them
  deberta-v3-5        as transformers 5 saves the encoder: more buckets than distances
  deberta-v2          v2-xlarge's parts: a convolution beside the first layer, buckets for some of the distances
  deberta-v2-own-keys no shared projections, no buckets, no norm of the table, positions, types, small embeddings, conv
  deberta-v2-c2p, deberta-v2-p2c   one of the two terms, with and without shared projections
  deberta-v2-content  neither: relative_attention is false
"""
import torch
import transformers

from family_folder import VOCABULARY, begin, fits_16_bits, in_double, randomize, save, write_golden

FULL = dict(hidden_size=96, num_attention_heads=3, num_hidden_layers=2, intermediate_size=160,
            max_position_embeddings=320, vocab_size=VOCABULARY)
SMALL = FULL | dict(hidden_size=40, num_attention_heads=5, intermediate_size=70, max_position_embeddings=48)
PUBLISHED = dict(attention_probs_dropout_prob=0.1, hidden_act="gelu", hidden_dropout_prob=0.1, initializer_range=0.02,
                 layer_norm_eps=1e-7, model_type="deberta-v2")
V3 = dict(relative_attention=True, position_buckets=8, norm_rel_ebd="layer_norm", share_att_key=True,
          pos_att_type="p2c|c2p", max_relative_positions=-1, position_biased_input=False, type_vocab_size=0,
          layer_norm_eps=1e-7)


def make(name, sizes, seed, published=False, dtype=torch.float16, **golden):
    config = transformers.DebertaV2Config(**sizes)
    model = (transformers.DebertaV2ForMaskedLM if published else transformers.DebertaV2Model)(config)
    randomize(model, seed)
    encoder = model.deberta if published else model
    if encoder.encoder.conv is not None:
        weight = encoder.encoder.conv.conv.weight  # randomize() takes its last extent for the depth
        with torch.no_grad():
            weight.copy_(fits_16_bits(weight / encoder.config.hidden_size ** 0.5))
    folder = begin(name)
    save(folder, model, "deberta-v3", PUBLISHED | sizes if published else None, dtype)
    write_golden(folder, in_double(encoder, "types" in golden), "deberta-v3", sizes["max_position_embeddings"], **golden)


def main():
    torch.set_num_threads(1)
    make("deberta-v3", FULL | V3 | {"intermediate_size": 100}, 61, published=True)
    make("deberta-v3-5", FULL | V3 | {"hidden_size": 48, "intermediate_size": 90, "num_hidden_layers": 3,
                                      "position_buckets": 640, "max_relative_positions": 700}, 62, dtype=torch.bfloat16)
    make("deberta-v2", FULL | V3 | {"hidden_size": 60, "position_buckets": 64, "conv_kernel_size": 3, "conv_act": "gelu",
                                    "attention_head_size": 20}, 63, published=True)
    make("deberta-v2-own-keys", FULL | V3 | {"hidden_size": 48,
        "share_att_key": False, "position_buckets": -1, "max_relative_positions": 50, "norm_rel_ebd": "none",
        "pos_att_type": ["c2p", "p2c"], "position_biased_input": True, "type_vocab_size": 2, "embedding_size": 32,
        "conv_kernel_size": 5, "conv_act": "tanh"}, 64, types=True)
    small = SMALL | V3 | {"num_hidden_layers": 3}
    make("deberta-v2-c2p", small | {"pos_att_type": "c2p", "share_att_key": False}, 65)
    make("deberta-v2-p2c", small | {"pos_att_type": ["p2c"], "position_buckets": 7}, 66, published=True)
    make("deberta-v2-content", small | {"relative_attention": False, "type_vocab_size": 3}, 67, types=True)


if __name__ == "__main__":
    main()
