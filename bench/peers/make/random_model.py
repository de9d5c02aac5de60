"""Makes a BERT encoder of a given shape with random weights, as a Hugging Face folder.

  python random_model.py SHAPE FOLDER TOKENIZER_FOLDER

Speed depends on shapes alone; what these models answer means nothing, so only their distance to FP32 is compared.
"""
import json
import pathlib
import shutil
import sys

SHAPES = {  # hidden, heads, layers, intermediate
    "bge-small": (384, 12, 12, 1536),
    "bert-base": (768, 12, 12, 3072),
    "bert-large": (1024, 16, 24, 4096),
}
MODULES = [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
           {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
           {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}]


def make_encoder(shape):
    import torch
    from transformers import BertConfig, BertModel
    hidden, heads, layers, intermediate = SHAPES[shape]
    torch.manual_seed(1)
    # A wider spread than the 0.02 of a fresh BERT, under which attention is flat and GELU straight. CTranslate2's converter
    # wants to read the kind of positions.
    config = BertConfig(hidden_size=hidden, num_attention_heads=heads, num_hidden_layers=layers,
                        intermediate_size=intermediate, initializer_range=0.05, position_embedding_type="absolute")
    return BertModel(config, add_pooling_layer=False)


def write_sentence_transformers_files(folder, hidden):
    pooling = {"word_embedding_dimension": hidden, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}
    (folder / "1_Pooling").mkdir(exist_ok=True)
    (folder / "2_Normalize").mkdir(exist_ok=True)
    (folder / "1_Pooling/config.json").write_text(json.dumps(pooling))
    (folder / "modules.json").write_text(json.dumps(MODULES))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 256, "do_lower_case": False}))


def main():
    shape, folder, tokenizer = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    make_encoder(shape).save_pretrained(folder)
    write_sentence_transformers_files(folder, SHAPES[shape][0])
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json"):
        shutil.copyfile(tokenizer / name, folder / name)


if __name__ == "__main__":
    main()
