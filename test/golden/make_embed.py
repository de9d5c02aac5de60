"""Makes test/golden/embed: folders as sentence-transformers saves them, one for each way from tokens to embeddings, and
what that library answers in double precision. The encoder of all is micro-bert's (make_tiny.py), to whose files theirs
are links. Run by tools/goldens after make_tiny.py.

A folder before version 6 is one of version 6 with its JSON rewritten; every answer is that of the folder as it was
loaded back."""
import json
import pathlib
import shutil
import warnings

import numpy
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import MultiVectorEncoder, SentenceTransformer, SparseEncoder
from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask
from sentence_transformers.sentence_transformer import modules
from sentence_transformers.sparse_encoder.modules import SpladePooling
from transformers import BertConfig, BertForMaskedLM, BertTokenizerFast

from make_tiny import HERE, MICRO, fits_16_bits, randomize, write_json

warnings.simplefilter("ignore")
FOLDER = HERE / "embed"
BASE = HERE / "micro-bert"
HIDDEN, LIMIT = MICRO["hidden_size"], MICRO["max_position_embeddings"]
PROMPTS = {"query": "represent the question: ", "document": "text: "}
EAGER = {"attn_implementation": "eager", "dtype": "float32"}


def make_texts():
    """Of 2 to 64 tokens, two that are longer, and unusual ones."""
    words = (HERE / "jargon/sample.txt").read_text(encoding="utf-8").split()[900:]
    texts = ["", "hacker", "a null device, or a data sink?", "Ünïcode ½ 漢字 \U0001f600 ok", "(what) - is: this; \"thing\"!"]
    for count in (4, 9, 14, 25, 60, 110):
        texts.append(" ".join(words[:count]))
        words = words[count:]
    return texts


# ---- modules ----

def transformer(**options):
    return modules.Transformer(str(BASE), model_kwargs=EAGER, **options)


def noise(seed, *shape, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    return fits_16_bits(scale * torch.randn(shape, generator=generator))


def dense(seed, inputs, outputs, activation=None, bias=True, **options):
    module = modules.Dense(inputs, outputs, bias=bias, activation_function=activation, **options)
    for index, (name, parameter) in enumerate(sorted(module.named_parameters())):
        values = noise(seed + index, *parameter.shape, scale=0.2 if name.endswith("bias") else 1.5 / inputs ** 0.5)
        parameter.data.copy_(values)
    return module


def layer_norm(seed, width):
    module = modules.LayerNorm(width)
    module.norm.weight.data.copy_(1 + noise(seed, width, scale=0.125))
    module.norm.bias.data.copy_(noise(seed + 1, width, scale=0.2))
    return module


def pooling(mode="mean", width=HIDDEN, **options):
    return modules.Pooling(width, pooling_mode=mode, **options)


ALL_MODES = ["cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]
FLAGS = {"cls": "cls_token", "max": "max_tokens", "mean": "mean_tokens", "mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
         "weightedmean": "weightedmean_tokens", "lasttoken": "lasttoken"}


# ---- folders ----

def save(name, model):
    folder = FOLDER / name
    model.save(str(folder), create_model_card=False) if hasattr(model, "save") else model.save_pretrained(str(folder))
    for file in ("README.md", ".gitattributes"):
        (folder / file).unlink(missing_ok=True)
    return folder


def link_what_is_the_same(folder, base=BASE):
    """The encoder's files are those of `base`."""
    for name in ("model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        file = folder / name
        if name == "model.safetensors":
            ours, theirs = load_file(file), load_file(base / name)
            assert ours.keys() == theirs.keys() and all(torch.equal(ours[key], theirs[key]) for key in ours)
        file.unlink()
        file.symlink_to(pathlib.Path("../..", base.relative_to(HERE), name))


def change_json(file, change):
    write_json(file, change(json.loads(file.read_text())))


def before_6(folder):
    """Names and keys as version 3 to 5 of the library wrote them."""
    def old_module(entry):
        return {**entry, "type": "sentence_transformers.models." + entry["type"].rsplit(".", 1)[1]}

    def old_pooling(config):
        modes = config["pooling_mode"]
        modes = [modes] if isinstance(modes, str) else modes
        return {"word_embedding_dimension": config["embedding_dimension"],
                **{f"pooling_mode_{flag}": mode in modes for mode, flag in FLAGS.items()},
                "include_prompt": config["include_prompt"]}

    def old_dense(config):
        return {key: config[key] for key in ("in_features", "out_features", "bias", "activation_function")}

    change_json(folder / "modules.json", lambda entries: [old_module(entry) for entry in entries])
    for entry in json.loads((folder / "modules.json").read_text()):
        kind, config = entry["type"].rsplit(".", 1)[1], folder / entry["path"] / "config.json"
        if kind == "Pooling":
            change_json(config, old_pooling)
        elif kind == "Dense":
            change_json(config, old_dense)
        elif kind == "Normalize":
            config.unlink()
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": LIMIT, "do_lower_case": False})
    change_json(folder / "config_sentence_transformers.json",
                lambda config: {key: value for key, value in config.items() if key != "model_type"})


# ---- answers ----

def write_rows(folder, name, rows):
    (folder / "golden").mkdir(exist_ok=True)
    numpy.save(folder / "golden" / f"{name}.npy", rows.to(torch.float32).numpy())


def write_embeddings(folder, texts):
    """embeddings.npy: what encode() gives; NAME.npy: with that prompt; dimensions-7.npy: cut to 7. Rows that are cut are
    normalized after it, which encode() leaves to its caller."""
    model = SentenceTransformer(str(folder), device="cpu", model_kwargs=EAGER).double()
    is_cut = model.truncate_dim is not None
    encode = lambda **options: torch.stack([
        model.encode(text, convert_to_tensor=True, normalize_embeddings=is_cut, **options).double() for text in texts])
    write_rows(folder, "embeddings", encode())
    for name, prompt in model.prompts.items():
        if prompt:
            write_rows(folder, name, encode(prompt_name=name))
    if is_cut:
        write_rows(folder, "dimensions-7", encode(truncate_dim=7))


def write_dense_folders(texts):
    identity = torch.nn.Identity
    recipes = {
        "max-dense": [pooling("max"), dense(10, HIDDEN, 24, torch.nn.Tanh()), modules.Normalize()],
        "last": [pooling("lasttoken")],
        "prompt-left-out": [pooling("weightedmean", include_prompt=False), modules.Normalize()],
        "all-poolings": [pooling(ALL_MODES, include_prompt=False)],
        "mean-cls-max": [pooling(["mean", "cls", "max"]), dense(20, 3 * HIDDEN, 24, identity(), bias=False),
                         modules.Normalize()],
        "sqrt-len": [pooling("mean_sqrt_len_tokens"), modules.Normalize(), dense(30, HIDDEN, 33, torch.nn.ReLU())],
        "two-dense": [dense(40, HIDDEN, 48, torch.nn.SiLU(), module_input_name="token_embeddings"),
                      modules.Normalize(module_input_name="token_embeddings"), pooling("mean", 48),
                      dense(50, 48, 64, torch.nn.GELU()), modules.Dropout(),
                      dense(60, 64, 64, identity(), use_residual=True), layer_norm(70, 64),
                      dense(80, 64, 20, torch.nn.Sigmoid(), use_residual=True), modules.Normalize()],
        "matryoshka": [pooling("mean"), modules.Normalize()],
    }
    options = {
        "prompt-left-out": dict(prompts=PROMPTS, default_prompt_name="query"),
        "all-poolings": dict(prompts=PROMPTS),
        "matryoshka": dict(prompts=PROMPTS, truncate_dim=16),
    }
    for name, recipe in recipes.items():
        model = SentenceTransformer(modules=[transformer(), *recipe], device="cpu", **options.get(name, {}))
        folder = save(name, model)
        if name == "matryoshka":
            change_json(folder / "config_sentence_transformers.json", lambda config: {**config, "truncate_dim": 16})
        link_what_is_the_same(folder)
        write_embeddings(folder, texts)
    for name in ("max-dense", "all-poolings", "mean-cls-max"):
        folder = FOLDER / f"{name}-before-6"
        shutil.copytree(FOLDER / name, folder, symlinks=True, ignore=shutil.ignore_patterns("golden"))
        before_6(folder)
        write_embeddings(folder, texts)


# ---- SPLADE ----

def write_splade_folders(texts):
    plain = FOLDER / "plain-for-saving"
    masked = BertForMaskedLM(BertConfig(**MICRO)).eval()
    with torch.no_grad():
        randomize(masked, seed=6)
        masked.bert.load_state_dict({name: tensor for name, tensor in load_file(BASE / "model.safetensors").items()
                                     if not name.startswith("pooler.")}, strict=False)
        masked.cls.predictions.bias.sub_(8)  # so that most of the vocabulary has no weight
    masked.save_pretrained(plain)
    BertTokenizerFast.from_pretrained(BASE).save_pretrained(plain)
    for name, activation in {"splade": "relu", "splade-twice": "log1p_relu"}.items():
        encoder = modules.Transformer(str(plain), transformer_task="fill-mask", model_kwargs=EAGER)
        strategy = "max" if name == "splade" else "sum"
        model = SparseEncoder(modules=[encoder, SpladePooling(strategy, activation_function=activation)], device="cpu")
        folder = save(name, model)
        link_tokenizer(folder)
    link_to(FOLDER / "splade-twice", FOLDER / "splade", "model.safetensors")
    old = FOLDER / "splade-before-6"
    shutil.copytree(FOLDER / "splade", old, symlinks=True)
    link_to(old, FOLDER / "splade", "model.safetensors")
    write_json(old / "modules.json", [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.sparse_encoder.models.MLMTransformer"},
        {"idx": 1, "name": "1", "path": "1_SpladePooling",
         "type": "sentence_transformers.sparse_encoder.models.SpladePooling"}])
    write_json(old / "1_SpladePooling/config.json",
               {"pooling_strategy": "max", "activation_function": "relu", "word_embedding_dimension": None})
    write_json(old / "sentence_bert_config.json", {"max_seq_length": LIMIT, "do_lower_case": False})
    shutil.rmtree(plain)
    for name in ("splade", "splade-twice", "splade-before-6"):
        model = SparseEncoder(str(FOLDER / name), device="cpu", model_kwargs=EAGER).double()
        rows = [model.encode(text, convert_to_sparse_tensor=False).double() for text in texts]
        print(name, "active of", rows[0].numel(), [int((row > 0).sum()) for row in rows])
        write_rows(FOLDER / name, "embeddings", torch.stack(rows))


def link_to(folder, base, name):
    (folder / name).unlink()
    (folder / name).symlink_to(pathlib.Path("..", base.name, name))


def link_tokenizer(folder):
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
        (folder / name).symlink_to(pathlib.Path("../..", BASE.name, name))


# ---- ColBERT ----

def projection():
    return dense(90, HIDDEN, 12, torch.nn.Identity(), bias=False, module_input_name="token_embeddings")


def write_colbert_folders(texts):
    expansion = {"strategy": "fixed", "attend": False, "length": 24}
    words = [".", ",", ";", ":", "!", "?", "(", ")", "-", '"', "~~"]
    token_level = lambda: modules.Normalize(module_input_name="token_embeddings")
    model = MultiVectorEncoder(
        modules=[transformer(query_expansion=expansion, document_length=40), projection(),
                 MultiVectorMask(skiplist_words=words), token_level()],
        device="cpu", prompts={"query": "[Q] ", "document": "[D] "})
    link_what_is_the_same(save("colbert", model))

    model = MultiVectorEncoder(
        modules=[transformer(query_expansion={"strategy": "min", "attend": True, "length": 9}, query_length=30),
                 projection(), MultiVectorMask(skiplist_words=words, skiplist_tasks=["query", "document"]), token_level()],
        device="cpu")
    link_what_is_the_same(save("colbert-attends", model))
    write_pylate(FOLDER / "colbert-pylate")
    write_stanford(FOLDER / "colbert-stanford")
    for name in ("colbert", "colbert-attends", "colbert-pylate", "colbert-stanford"):
        write_multi_vectors(FOLDER / name, texts)


def write_pylate(folder):
    """As PyLate 1 saves it: Transformer and Dense, and all else in config_sentence_transformers.json."""
    shutil.copytree(FOLDER / "colbert", folder, symlinks=True)
    for part in ("2_MultiVectorMask", "3_Normalize"):
        shutil.rmtree(folder / part)
    write_json(folder / "modules.json", [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Dense", "type": "pylate.models.Dense.Dense"}])
    write_json(folder / "1_Dense/config.json", {
        "in_features": HIDDEN, "out_features": 12, "bias": False,
        "activation_function": "torch.nn.modules.linear.Identity"})
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": LIMIT - 1, "do_lower_case": False})
    write_json(folder / "config_sentence_transformers.json", {
        "__version__": {"sentence_transformers": "3.4.1", "transformers": "4.48.2", "pytorch": "2.5.1"},
        "prompts": {}, "default_prompt_name": None, "similarity_fn_name": "MaxSim",
        "query_prefix": "[unused0]", "document_prefix": "[unused1]", "query_length": 20, "document_length": 50,
        "attend_to_expansion_tokens": False, "model_type": "ColBERT",
        "skiplist_words": [".", ",", "!", "?", "(", ")"]})
    add_tokens(folder)


def write_stanford(folder):
    """As colbert-ir publishes it: no modules.json, `bert.` before the encoder's names, the projection beside them."""
    folder.mkdir()
    write_json(folder / "config.json", {**json.loads((BASE / "config.json").read_text()),
                                        "architectures": ["HF_ColBERT"]})
    weights = {f"bert.{name}": tensor for name, tensor in load_file(BASE / "model.safetensors").items()}
    weights["linear.weight"] = projection().linear.weight.data
    save_file({name: tensor.to(torch.float16) for name, tensor in weights.items()}, folder / "model.safetensors",
              metadata={"format": "pt"})
    shutil.copy(BASE / "tokenizer_config.json", folder)
    shutil.copy(BASE / "tokenizer.json", folder)
    write_json(folder / "artifact.metadata", {
        "query_maxlen": 16, "doc_maxlen": 30, "dim": 12, "attend_to_mask_tokens": False, "mask_punctuation": True,
        "query_token_id": "[unused0]", "doc_token_id": "[unused1]", "similarity": "cosine", "checkpoint": "x"})
    add_tokens(folder)


def add_tokens(folder):
    """[unused0] and [unused1], which BERT's vocabulary has and micro-bert's has not, in the place of its last two."""
    text = json.loads((folder / "tokenizer.json").read_text())
    vocabulary = {token: index for token, index in text["model"]["vocab"].items() if index < 305}
    text["model"]["vocab"] = {**vocabulary, "[unused0]": 305, "[unused1]": 306}
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer.json").write_text(json.dumps(text, ensure_ascii=False))


def write_multi_vectors(folder, texts):
    """query.npy and document.npy: the vectors of all texts end to end; *_rows.json: how many each has."""
    model = MultiVectorEncoder(str(folder), device="cpu", model_kwargs=EAGER).double()
    for role, encode in {"query": model.encode_query, "document": model.encode_document}.items():
        rows = [encode(text).double() for text in texts]
        write_rows(folder, role, torch.cat(rows))
        write_json(folder / "golden" / f"{role}_rows.json", [len(row) for row in rows])
        print(folder.name, role, [len(row) for row in rows])


def main():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    texts = make_texts()
    (FOLDER / "texts.txt").write_bytes("".join(text + "\n" for text in texts).encode())
    write_dense_folders(texts)
    write_splade_folders(texts)
    write_colbert_folders(texts)


if __name__ == "__main__":
    main()
