"""A model of a family's full size with random weights: its folder, and PyTorch on it in a process of its own.

  python full_size.py make FAMILY FOLDER
  python full_size.py serve FAMILY FOLDER THREADS

`serve` prints {"ready":true} and answers each line {"ids":[[…],…],"repeats":3}, sequences of one length, with
{"ms":[…]}: the passes of all of them, in FP32.
"""
import json
import os
import pathlib
import shutil
import sys
import time

import torch
import transformers

HERE = pathlib.Path(__file__).parent
GOLDEN = HERE.parents[1] / "test/golden"
sys.path.append(str(GOLDEN))
import make_families_rotary
import reference_rotary
from family_folder import save_tensors
from shapes import BY_NAME

SHAPES = {"gte-new": make_families_rotary.gte_shapes, "jina-bert": make_families_rotary.jina_shapes}
REFERENCES = {"gte-new": reference_rotary.gte_new, "jina-bert": reference_rotary.jina_bert}


def make(family, folder):
    """Its weights in F16, and a tokenizer only so that the folder is whole: what is timed are ids."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(1)
    if family.model:
        # A wider spread than the 0.02 of a fresh model, under which attention is flat and GELU straight.
        config = getattr(transformers, family.model + "Config")(**family.config, initializer_range=0.05)
        getattr(transformers, family.model + "Model")(config).half().save_pretrained(folder)
    else:
        save_tensors(folder, make_families_rotary.random_tensors(SHAPES[family.name](family.config), 1))
        (folder / "config.json").write_text(json.dumps(family.config))
    shutil.copyfile(GOLDEN / "tiny-bert/tokenizer.json", folder / "tokenizer.json")


def load(family, folder):
    """run(ids), ids [sequences][tokens]."""
    if family.model:
        model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
        return lambda ids: model(input_ids=ids)
    from safetensors.torch import load_file
    torch.Tensor.double = torch.Tensor.float  # the reference turns its angles into doubles
    tensors = {name: tensor.float() for name, tensor in load_file(folder / "model.safetensors").items()}
    run = REFERENCES[family.name](tensors, family.config)
    return lambda ids: [run(sequence, torch.zeros_like(sequence)) for sequence in ids]


def timed(run, ids):
    start = time.perf_counter()
    run(ids)
    return (time.perf_counter() - start) * 1e3


def serve(family, folder, threads):
    # Libraries print what they like; stdout is for answers alone.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    torch.set_num_threads(threads)
    with torch.inference_mode():
        run = load(family, folder)
        print(json.dumps({"ready": True}), file=answers)
        for line in sys.stdin:
            request = json.loads(line)
            ids = torch.tensor(request["ids"])
            print(json.dumps({"ms": [timed(run, ids) for _ in range(request["repeats"])]}), file=answers)


if __name__ == "__main__":
    verb, name, folder, *rest = sys.argv[1:]
    if verb == "make":
        make(BY_NAME[name], pathlib.Path(folder))
    else:
        serve(BY_NAME[name], pathlib.Path(folder), int(rest[0]))
