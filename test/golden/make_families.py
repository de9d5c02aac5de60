"""Makes the folders of test/golden/families for the families with absolute positions: random weights, a tokenizer of
the family's kind, and what transformers computes with them in double precision. Run by tools/goldens.

Each family has a folder as its models are published (a checkpoint of the masked language model, `roberta.` and the like
before each name, an old config.json) and one as transformers 5 saves the bare encoder.
"""
import torch
import transformers

from family_folder import VOCABULARY, begin, in_double, randomize, save, write_golden

FULL = dict(hidden_size=96, num_attention_heads=3, num_hidden_layers=2, intermediate_size=160,
            max_position_embeddings=320, vocab_size=VOCABULARY)
SMALL = FULL | dict(hidden_size=40, num_attention_heads=5, intermediate_size=70, max_position_embeddings=48)
MIDDLE = FULL | dict(hidden_size=72)
ROBERTA = dict(type_vocab_size=1, pad_token_id=1, bos_token_id=0, eos_token_id=2, layer_norm_eps=1e-5)
DISTILBERT = {"hidden_size": "dim", "num_attention_heads": "n_heads", "num_hidden_layers": "n_layers",
              "intermediate_size": "hidden_dim"}


def more_positions(sizes):
    """RoBERTa's positions begin behind the padding token's."""
    return sizes | {"max_position_embeddings": sizes["max_position_embeddings"] + 2}


def make(name, prefix, sizes, kind, seed, published=None, dtype=torch.float16, **golden):
    """`prefix` names the classes of transformers; `published` is what the published config.json holds beside `sizes`,
    None where the folder is to be as transformers 5 saves it."""
    config = getattr(transformers, prefix + "Config")(**sizes, attn_implementation="eager")
    head = "ForPreTraining" if prefix == "Electra" else "ForMaskedLM"
    model = getattr(transformers, prefix + ("Model" if published is None else head))(config)
    randomize(model, seed)
    folder = begin(name)
    save(folder, model, kind, published and {"architectures": [prefix + head]} | sizes | published, dtype)
    encoder = model if published is None else getattr(model, model.base_model_prefix)
    limit = sizes["max_position_embeddings"] - (2 if golden.get("pad") == 1 else 0)
    write_golden(folder, in_double(encoder, golden.get("types", False)), kind, limit, **golden)


def make_roberta():
    old = {"attention_probs_dropout_prob": 0.1, "hidden_act": "gelu", "hidden_dropout_prob": 0.1,
           "initializer_range": 0.02}
    full, small = more_positions(FULL) | ROBERTA, more_positions(SMALL) | ROBERTA
    make("roberta", "Roberta", full, "roberta", 11, {**old, "model_type": "roberta"}, pad=1)
    make("roberta-5", "Roberta", small, "roberta", 12, pad=1)
    make("xlm-roberta", "XLMRoberta", small, "xlm-roberta", 13,
         {**old, "model_type": "xlm-roberta", "output_past": True, "position_embedding_type": "absolute"}, pad=1)
    make("xlm-roberta-5", "XLMRoberta", more_positions(FULL) | ROBERTA | {"hidden_size": 48, "intermediate_size": 90},
         "xlm-roberta", 14, pad=1, dtype=torch.bfloat16)
    make("camembert", "Camembert", small, "camembert", 15, {**old, "model_type": "camembert"}, pad=1)
    make("camembert-5", "Camembert", small, "camembert", 16, pad=1)


def make_distilbert():
    names = lambda sizes: {DISTILBERT.get(key, key): value for key, value in sizes.items()}
    make("distilbert", "DistilBert", names(MIDDLE), "word_piece", 21, {
        "activation": "gelu", "attention_dropout": 0.1, "dropout": 0.1, "initializer_range": 0.02,
        "model_type": "distilbert", "pad_token_id": 0, "qa_dropout": 0.1, "seq_classif_dropout": 0.2,
        "sinusoidal_pos_embds": False, "tie_weights_": True})
    make("distilbert-5", "DistilBert", names(SMALL) | {"activation": "relu"}, "word_piece", 22)


def make_electra():
    old = {"attention_probs_dropout_prob": 0.1, "hidden_act": "gelu", "hidden_dropout_prob": 0.1,
           "initializer_range": 0.02, "layer_norm_eps": 1e-12, "model_type": "electra", "type_vocab_size": 2}
    make("electra", "Electra", FULL | {"embedding_size": 32}, "word_piece", 31, old, types=True)
    make("electra-5", "Electra", SMALL | {"embedding_size": 40}, "word_piece", 32, types=True)


def make_mpnet():
    make("mpnet", "MPNet", more_positions(MIDDLE) | {"layer_norm_eps": 1e-5}, "mpnet", 41, {
        "attention_probs_dropout_prob": 0.1, "bos_token_id": 0, "eos_token_id": 2, "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1, "initializer_range": 0.02, "model_type": "mpnet", "pad_token_id": 1,
        "relative_attention_num_buckets": 32}, pad=1)
    make("mpnet-5", "MPNet", more_positions(SMALL), "mpnet", 42, pad=1)


def make_albert():
    old = {"attention_probs_dropout_prob": 0, "bos_token_id": 2, "classifier_dropout_prob": 0.1, "down_scale_factor": 1,
           "eos_token_id": 3, "gap_size": 0, "hidden_act": "gelu_new", "hidden_dropout_prob": 0, "inner_group_num": 1,
           "initializer_range": 0.02, "layer_norm_eps": 1e-12, "model_type": "albert", "net_structure_type": 0,
           "num_hidden_groups": 1, "num_memory_blocks": 0, "pad_token_id": 0, "type_vocab_size": 2}
    make("albert", "Albert", FULL | {"embedding_size": 32, "num_hidden_layers": 4}, "albert", 51, old, types=True)
    make("albert-5", "Albert", SMALL | {"embedding_size": 24, "num_hidden_layers": 4, "num_hidden_groups": 2,
                                        "inner_group_num": 2}, "albert", 52, types=True)


def main():
    torch.set_num_threads(1)
    transformers.utils.logging.disable_progress_bar()
    for part in (make_roberta, make_distilbert, make_electra, make_mpnet, make_albert):
        part()


if __name__ == "__main__":
    main()
