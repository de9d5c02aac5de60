"""Makes the folders of test/golden/tasks: tiny models with heads for tasks, and what transformers' pipelines and
sentence-transformers' CrossEncoder answer with them. Run by tools/goldens.

Each family's folder holds the heads for sequence classification, token classification and the masked language model
on one encoder, their logits in double precision, and for two families the answers of the pipelines.
"""
import json
import warnings

import numpy
import torch
import transformers
from safetensors.torch import load_file
from sentence_transformers import CrossEncoder
from transformers import PreTrainedTokenizerFast, pipeline

import family_folder
from family_folder import HERE, VOCABULARY, begin, randomize, save_tensors, save_tokenizer, tokenizer_of
from make_tiny import fits_16_bits, write_json

SIZES = dict(hidden_size=40, num_attention_heads=5, num_hidden_layers=2, intermediate_size=70,
             max_position_embeddings=80, vocab_size=VOCABULARY)
LABELS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
TYPED = ["Bert", "Electra", "Albert", "NomicBert"]
PAIRS = [("null device", "a data sink"), ("Who wrote the kernel?", "An implementor, in the dark of night.")]
TEXTS = [
    "The hackers of the MIT Artificial Intelligence Lab met Guy Steele in Palo Alto.",
    "Na\u00efve caf\u00e9s, re\u0301sume\u0301 and \u4e2d\u6587 \U0001f600 at Stanford-Berkeley (USENET).",
    "  leading blanks,\ttabs and   runs; semicolons... quotes \"inside\" ",
    "unbelievableness antidisestablishmentarianism kludgefully x86-64 0xDEADBEEF",
    "\u00bfQu\u00e9 tal? \u0417\u0434\u0440\u0430\u0432\u0441\u0442\u0432\u0443\u0439, \u043c\u0438\u0440! \ufb01ne \u00bd",
    "A.",
]
MASKED = ["The {} dumped core.", "A {} is a program that {} other programs.", "caf\u00e9 {}"]
STRATEGIES = ["none", "simple", "first", "average", "max"]


# ---- folders ----

def heads(prefix, config, seed):
    """One model a head, on the same encoder, and the tensors of all."""
    tensors, models = {}, []
    for i, head in enumerate(["SequenceClassification", "TokenClassification", "MaskedLM"]):
        model = randomize(getattr(transformers, f"{prefix}For{head}")(config), seed + i)
        with torch.no_grad():
            for name, tensor in model.state_dict().items():
                if name in tensors:
                    tensor.copy_(tensors[name])
        models.append(model)
        tied = model._tied_weights_keys if config.tie_word_embeddings and model._tied_weights_keys else {}
        tensors |= {name: tensor.clone() for name, tensor in model.state_dict().items()
                    if name not in tied and not (config.tie_word_embeddings and name.endswith("decoder.bias") and
                                                 name.replace("decoder.", "") in model.state_dict())}
    return models, tensors


def balance(models, tensors, kind):
    """Moves the classifier of tokens so that no label wins everywhere."""
    ids = torch.tensor([[i for text in TEXTS for i in tokenizer_of(kind).encode(text).ids][:72]])
    with torch.no_grad():
        tensors["classifier.weight"] *= 2
        models[1].classifier.weight.copy_(tensors["classifier.weight"])
        mean = models[1](input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0].mean(dim=0)
        tensors["classifier.bias"].copy_(fits_16_bits(tensors["classifier.bias"] - mean))
        for model in models[:2]:
            for name, tensor in model.state_dict().items():
                tensor.copy_(tensors[name])


def make_family(name, prefix, kind, seed, pipelines=False, **more):
    config = getattr(transformers, prefix + "Config")(
        **SIZES | more, id2label=dict(enumerate(LABELS)), label2id={label: i for i, label in enumerate(LABELS)},
        attn_implementation="eager")
    models, tensors = heads(prefix, config, seed)
    balance(models, tensors, kind)
    folder = begin(name)
    config.architectures = [type(model).__name__ for model in models]
    config.dtype = torch.float16
    config.save_pretrained(folder)
    save_tensors(folder, tensors)
    save_tokenizer(folder, kind)
    write_tokenizer_config(folder, kind)
    write_logits(folder, models, kind, prefix in TYPED)
    if pipelines:
        write_pipelines(folder, [type(model) for model in models], kind)


def special_tokens(kind):
    bert = {"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "unk_token": "[UNK]", "mask_token": "[MASK]"}
    roberta = {"bos_token": "<s>", "cls_token": "<s>", "eos_token": "</s>", "sep_token": "</s>", "pad_token": "<pad>",
               "unk_token": "<unk>", "mask_token": "<mask>"}
    if kind == "albert":
        return bert | {"pad_token": "<pad>", "unk_token": "<unk>"}
    if kind == "mpnet":
        return roberta | {"unk_token": "[UNK]"}
    return bert if kind == "word_piece" else roberta


def write_tokenizer_config(folder, kind):
    write_json(folder / "tokenizer_config.json", special_tokens(kind) | {
        "model_input_names": input_names(kind), "model_max_length": 76, "tokenizer_class": "PreTrainedTokenizerFast"})


def input_names(kind):
    return ["input_ids", "token_type_ids", "attention_mask"] if kind in ("word_piece", "albert") else [
        "input_ids", "attention_mask"]


# ---- logits ----

def lines(path, rows):
    path.write_text("".join(json.dumps(row, separators=(",", ":"), default=float) + "\n" for row in rows))


def write_logits(folder, models, kind, types):
    """texts.jsonl; sequence.npy [texts and pairs][labels], token.npy [tokens of the texts, special ones too][labels],
    masked.npy [masks of the last text][vocabulary]: in double precision, rounded to float32."""
    tokenizer = tokenizer_of(kind)
    masked = MASKED[1].replace("{}", special_tokens(kind)["mask_token"])
    texts = [(text,) for text in TEXTS] + PAIRS + [(masked,)]
    golden = folder / "golden"
    golden.mkdir()
    lines(golden / "texts.jsonl", [dict(zip(("text", "text_pair"), text)) for text in texts])

    def logits(model, text):
        encoding = tokenizer.encode(*text)
        ids = torch.tensor([encoding.ids])
        more = {"token_type_ids": torch.tensor([encoding.type_ids])} if types else {}
        with torch.no_grad():
            return model(input_ids=ids, attention_mask=torch.ones_like(ids), **more).logits[0], ids[0]

    sequence, token, mask = [model.double().eval() for model in models]
    of_masks, ids = logits(mask, texts[-1])
    found = {"sequence": torch.stack([logits(sequence, text)[0] for text in texts]),
             "token": torch.cat([logits(token, text)[0] for text in texts if len(text) == 1]),
             "masked": of_masks[ids == tokenizer.token_to_id(special_tokens(kind)["mask_token"])]}
    for name, values in found.items():
        assert values.dtype == torch.float64 and torch.isfinite(values).all() and len(values) > 1
        numpy.save(golden / f"{name}.npy", values.to(torch.float32).numpy())


# ---- pipelines ----

def write_pipelines(folder, classes, kind):
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"),
                                        model_input_names=input_names(kind), **special_tokens(kind))
    model = lambda cls: cls.from_pretrained(folder, dtype=torch.float32).eval()
    golden = folder / "golden"

    classify = pipeline("text-classification", model=model(classes[0]), tokenizer=tokenizer, device="cpu")
    rows = []
    for function in ("softmax", "sigmoid", "none"):
        for text in TEXTS + [dict(text=a, text_pair=b) for a, b in PAIRS]:
            pair = text if isinstance(text, dict) else dict(text=text)
            rows.append(pair | {"function": function, "labels": classify(text, top_k=None, function_to_apply=function)})
    lines(golden / "classify.jsonl", rows)

    ner = pipeline("token-classification", model=model(classes[1]), tokenizer=tokenizer, device="cpu")
    rows = [{"text": text, "strategy": strategy, "ignore": ignore,
             "entities": ner(text, aggregation_strategy=strategy, ignore_labels=ignore)}
            for strategy in STRATEGIES for ignore in (["O"], []) for text in TEXTS]
    lines(golden / "ner.jsonl", rows)

    fill = pipeline("fill-mask", model=model(classes[2]), tokenizer=tokenizer, device="cpu")
    texts = [text.replace("{}", tokenizer.mask_token) for text in MASKED]
    answers = [fill(text, top_k=4) for text in texts]
    lines(golden / "fill_mask.jsonl", [
        {"text": text, "masks": answer if isinstance(answer[0], list) else [answer]} for text, answer in zip(texts, answers)])


# ---- cross-encoders ----

DOCUMENTS = ["An implementor wrote it.", "dumped core", "", "The MIT AI Lab, in 1969.", "Unix was written by two hackers.",
             "dumped core"]


def make_cross_encoder(name, prefix, kind, seed, activation, **more):
    """As CrossEncoder saves it today."""
    config = getattr(transformers, prefix + "Config")(**SIZES | more, num_labels=1)
    model = randomize(getattr(transformers, prefix + "ForSequenceClassification")(config), seed)
    plain = begin("plain-for-saving")
    model.save_pretrained(plain)
    save_tokenizer(plain, kind)
    write_tokenizer_config(plain, kind)
    folder = begin(name)
    encoder = CrossEncoder(str(plain), device="cpu", activation_fn=activation, model_kwargs={"dtype": torch.float32})
    encoder.save_pretrained(str(folder))
    (folder / "README.md").unlink()
    (folder / "tokenizer.json").unlink()
    save_tokenizer(folder, kind)
    save_tensors(folder, load_file(folder / "model.safetensors"))
    for file in sorted(plain.iterdir(), reverse=True):
        file.unlink()
    plain.rmdir()
    (folder / "golden").mkdir()
    query = "Who wrote the kernel?"
    write_json(folder / "golden/rank.json", {"query": query, "documents": DOCUMENTS,
                                             "ranks": encoder.rank(query, DOCUMENTS, batch_size=1)})


def main():
    torch.set_num_threads(1)
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    warnings.filterwarnings("ignore")
    family_folder.FOLDER = HERE / "tasks"
    roberta = dict(type_vocab_size=1, pad_token_id=1, bos_token_id=0, eos_token_id=2, layer_norm_eps=1e-5)
    positions = dict(max_position_embeddings=82)
    distilbert = dict(dim=40, n_heads=5, n_layers=2, hidden_dim=70)
    make_family("bert", "Bert", "word_piece", 1, pipelines=True)
    make_family("roberta", "Roberta", "roberta", 11, pipelines=True, **roberta, **positions)
    make_family("xlm-roberta", "XLMRoberta", "xlm-roberta", 21, **roberta, **positions)
    make_family("camembert", "Camembert", "camembert", 171, **roberta, **positions)
    make_family("distilbert", "DistilBert", "word_piece", 31, **distilbert, tie_word_embeddings=False)
    make_family("electra", "Electra", "word_piece", 41, embedding_size=24)
    make_family("albert", "Albert", "albert", 51, embedding_size=24)
    make_family("mpnet", "MPNet", "mpnet", 61, **positions)
    make_family("deberta-v2", "DebertaV2", "word_piece", 71, relative_attention=True, pos_att_type=["c2p", "p2c"],
                norm_rel_ebd="layer_norm", share_att_key=True, position_biased_input=False, position_buckets=16)
    make_family("modernbert", "ModernBert", "word_piece", 81, pad_token_id=0, global_attn_every_n_layers=2,
                local_attention=16)
    make_family("modernbert-mean", "ModernBert", "word_piece", 91, pad_token_id=0, global_attn_every_n_layers=2,
                local_attention=16, classifier_pooling="mean", classifier_bias=True, norm_bias=True,
                classifier_activation="silu")
    make_family("nomic-bert", "NomicBert", "word_piece", 101)
    make_cross_encoder("rerank-bert", "Bert", "word_piece", 111, torch.nn.Identity())
    make_cross_encoder("rerank-xlm-roberta", "XLMRoberta", "xlm-roberta", 121, None, **roberta, **positions)


if __name__ == "__main__":
    main()
