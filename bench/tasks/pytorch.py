"""The tasks in PyTorch: a model with random weights, and what people run on it, in a process of its own.

  python pytorch.py make FOLDER TOKENIZER_FOLDER     FOLDER/rerank, FOLDER/classify, FOLDER/ner
  python pytorch.py serve TASK FOLDER BATCH

`serve` prints {"ready":true} and answers each line, an array of texts (of rerank the query first), as task_speed.cc does:
all of it on one thread in FP32, from texts to scores or entities. rerank is sentence-transformers' CrossEncoder, the others
are pipelines of transformers.
"""
import json
import os
import pathlib
import shutil
import sys
import time
import warnings

import torch
import transformers
from sentence_transformers import CrossEncoder

SHAPE = dict(hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536, vocab_size=30522)
LABELS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
TOKENIZER_FILES = ["tokenizer.json", "special_tokens_map.json", "vocab.txt"]
MAX_TOKENS = 256


def make(folder, tokenizer):
    heads = {"rerank": ("SequenceClassification", 1), "classify": ("SequenceClassification", 5), "ner": ("TokenClassification", 5)}
    for task, (head, labels) in heads.items():
        torch.manual_seed(1)
        # A wider spread than the 0.02 of a fresh model, under which attention is flat and GELU straight.
        config = transformers.BertConfig(**SHAPE, initializer_range=0.05, id2label=dict(enumerate(LABELS[:labels])))
        getattr(transformers, "BertFor" + head)(config).save_pretrained(folder / task)
        for file in TOKENIZER_FILES:
            shutil.copyfile(tokenizer / file, folder / task / file)
        config = json.loads((tokenizer / "tokenizer_config.json").read_text()) | {"model_max_length": MAX_TOKENS}
        (folder / task / "tokenizer_config.json").write_text(json.dumps(config))


def run_of(task, folder, batch):
    """run(texts), and what of its answer task_speed.cc gives, too."""
    if task == "rerank":
        encoder = CrossEncoder(folder, device="cpu")
        return (lambda texts: encoder.predict([(texts[0], text) for text in texts[1:]], batch_size=batch,
                                              show_progress_bar=False), lambda scores: scores.tolist())
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    name = {"classify": "text-classification", "ner": "token-classification"}[task]
    more = dict(aggregation_strategy="simple") if task == "ner" else dict(top_k=None, truncation=True)
    run = transformers.pipeline(name, model=folder, tokenizer=tokenizer, device="cpu", dtype=torch.float32)

    def of_labels(texts):
        scores = [{label["label"]: label["score"] for label in labels} for labels in texts]
        return [labels[name] for labels in scores for name in LABELS]
    return lambda texts: run(texts, batch_size=batch, **more), of_labels if task == "classify" else lambda texts: list(map(len, texts))


def serve(task, folder, batch):
    # Libraries print what they like; stdout is for answers alone.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    torch.set_num_threads(1)
    run, found = run_of(task, folder, batch)
    print(json.dumps({"ready": True}), file=answers)
    for line in sys.stdin:
        texts = json.loads(line)
        start = time.perf_counter()
        with torch.inference_mode():
            answer = run(texts)
        print(json.dumps({"ms": (time.perf_counter() - start) * 1e3, "found": found(answer)}), file=answers)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    if sys.argv[1] == "make":
        make(pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]))
    else:
        serve(sys.argv[2], sys.argv[3], int(sys.argv[4]))
