"""Tokenizers like those that families of models publish, rebuilt from their documented parts and trained on texts at
hand; texts in ten scripts; rules of SentencePiece's normalizer.
"""
import base64
import functools
import json
import os
import sys
import unicodedata

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from tokenizers import AddedToken, Regex

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tokenizer", "unicode"))
from charsmap import charsmap

# The expressions that published files split with, and some of their parts.
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
CL100K = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
O200K = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
         r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
         r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
CLIP = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
EXPRESSIONS = [GPT2, CL100K, QWEN2, O200K, CLIP, " {2,}", r"\s+", r"\p{N}{1,3}", r"[\r\n]+", r"(?=[A-Z])", r"\b", "[ ]", r"\d(?=(\d{3})+\b)",
               r"(?<=\p{L})(?=\p{N})", r"[^\r\n\p{L}\p{N}\s]+|\s", "x*", "", r"(\w)\B", r"\w+|[^\w\s]+"]


def sentences():
    """A few lines in each of ten scripts and more, put together here from everyday words."""
    return _SENTENCES


_SENTENCES = [
    "The quick brown fox doesn't jump over 12,345 lazy dogs; it's their 2nd try!",
    "Log rotation: how do I rotate /var/log/syslog every 24h (without losing lines)?", "  two  leading blanks, tab\tand\r\nnewline ",
    "L'\u00e9t\u00e9 dernier, o\u00f9 \u00eates-vous all\u00e9s ? \u00c0 No\u00ebl \u2014 \u00ab d\u00e9j\u00e0 vu \u00bb \u2026", "Stra\u00dfe, \u00c4pfel und Fl\u00fcsse: 3,5 % mehr als gestern.",
    "\u00bfD\u00f3nde est\u00e1 el ni\u00f1o? \u00a1Ma\u00f1ana!", "Vi\u1ec7t Nam \u0111\u1ea5t n\u01b0\u1edbc ti\u1ebfng n\u00f3i", "\u0130stanbul'da \u0131\u015f\u0131k ve \u011f\u00fc\u015f",
    "\u0421\u044a\u0435\u0448\u044c \u0436\u0435 \u0435\u0449\u0451 \u044d\u0442\u0438\u0445 \u043c\u044f\u0433\u043a\u0438\u0445 \u0431\u0443\u043b\u043e\u043a, \u0434\u0430 \u0432\u044b\u043f\u0435\u0439 \u0447\u0430\u044e \u2116 5.", "\u0407\u0436\u0430\u043a \u0439\u0434\u0435 \u0434\u043e \u043b\u0456\u0441\u0443",
    "\u039f\u03b4\u03cc\u03c2 \u03bf\u03b4\u03c5\u03c3\u03c3\u03ad\u03b1\u03c2: \u03ba\u03b1\u03bb\u03b7\u03bc\u03ad\u03c1\u03b1 \u03ba\u03cc\u03c3\u03bc\u03b5!", "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd, \u05de\u05d4 \u05e9\u05dc\u05d5\u05de\u05da?", "\u05d1\u05bc\u05b0\u05e8\u05b5\u05d0\u05e9\u05b4\u05c1\u05d9\u05ea",
    "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645\u060c \u0643\u064a\u0641 \u062d\u0627\u0644\u0643\u061f \u0661\u0662\u0663", "\u0645\u064f\u062d\u064e\u0645\u0651\u064e\u062f \ufefb \ufdfa", "\u0628\u0647 \u0641\u0627\u0631\u0633\u06cc \u0645\u06cc\u200c\u0646\u0648\u06cc\u0633\u0645",
    "\u0928\u092e\u0938\u094d\u0924\u0947 \u0926\u0941\u0928\u093f\u092f\u093e, \u0906\u092a \u0915\u0948\u0938\u0947 \u0939\u0948\u0902? \u0967\u0968\u0969", "\u0915\u094d\u0937\u0947\u0924\u094d\u0930 \u0915\u093c \u0958", "\u09ac\u09be\u0982\u09b2\u09be \u09ad\u09be\u09b7\u09be",
    "\u0ba4\u0bae\u0bbf\u0bb4\u0bcd \u0ba8\u0bbe\u0b9f\u0bc1 \u0bb5\u0ba3\u0b95\u0bcd\u0b95\u0bae\u0bcd", "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35\u0e0a\u0e32\u0e27\u0e42\u0e25\u0e01 \u0e01\u0e33\u0e25\u0e31\u0e07 \u0e51\u0e52\u0e53", "\u4f60\u597d\uff0c\u4e16\u754c\uff01\u4eca\u5929\u5929\u6c14\u5f88\u597d\u3002",
    "\u6771\u4eac\u3067\u30b3\u30fc\u30d2\u30fc\u3092\u98f2\u307f\u307e\u3057\u305f\u3002\uff76\uff9e\uff77\uff9e \u30ac\u30ae", "\uc548\ub155\ud558\uc138\uc694 \uc138\uacc4! \u1112\u1161\u11ab\uae00", "\u10d2\u10d0\u10db\u10d0\u10e0\u10ef\u10dd\u10d1\u10d0 \u10db\u10e1\u10dd\u10e4\u10da\u10d8\u10dd",
    "\u0532\u0561\u0580\u0565\u0582 \u0561\u0577\u056d\u0561\u0580\u0570", "\u12a0\u121b\u122d\u129b \u1230\u120b\u121d\u1361", "\u1019\u103c\u1014\u103a\u1019\u102c\u1018\u102c\u101e\u102c", "\u1781\u17d2\u1789\u17bb\u17c6 \u1797\u17b6\u179f\u17b6\u1781\u17d2\u1798\u17c2\u179a",
    "\u2460\u2461 \u210c \ufb01ne \uff26\uff55\uff4c\uff4c \u00bd \u2126 \u212b \u1e9b\u0323 \u3392", "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea \u2764\ufe0f \u00a9\u0301 \U0001f44d\U0001f3fd", "\u200bzero\u00a0width\u2009blanks\u3000\u2028x\u2029",
    "def f(x):\n    return x ** 2  # squares\n\n\nprint(f(3))", "http://example.org/a?b=c&d=%20e#f", "I'LL 'S 'Ve we\u2019re 'reel DON'T k\u212a \u017fS '\u017f",
    "\U0001d400\U0001d4d0 \U00010400\U00010428 \u01c5 \u01c4", "a" * 130, "na\u00efve caf\u00e9 co\u00f6perate r\u00e9sum\u00e9 A\u030a e\u0301\u0323",
]


def nfkc_rules(full):
    """What SentencePiece's rules are like: NFKC of single characters and of letters with a mark, blanks, dropped controls."""
    rules = {}
    for c in range(0x21, 0x2FA20 if full else 0x3000):
        s = chr(c)
        if 0xD800 <= c <= 0xDFFF or 0xAC00 <= c < 0xD7A4:
            continue
        composed = unicodedata.normalize("NFKC", s)
        if composed != s and "\0" not in composed:
            rules[s] = composed
        decomposed = unicodedata.normalize("NFD", s)
        if decomposed != s and unicodedata.normalize("NFC", s) == s:
            rules[decomposed] = s
    blank = "\t\n\r\x0c\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\u200b\u200e\u200f\ufeff\u2581"
    rules.update({c: " " for c in blank})
    rules.update({chr(c): "" for c in [*range(1, 9), 0xB, *range(0xE, 0x20), 0x7F, 0x8F, 0x9F]})
    return rules


@functools.cache
def precompiled(kind):
    """0: as SentencePiece's; 1: small ones that hurt; 2: those with case folding."""
    rules = nfkc_rules(False)
    if kind == 1:
        rules = {"a": "bcd", "e": "", "\u00e9": "e\u0301", "e\u0301": "\u00e9", "\r": " ", "\r\n": "\n", "th": "\u00fe", "\u0301": "", " ": "\u2581",
                 "\u4e2d": "zhong", "\u200d": "", "\u00a9": "(c)", "\U0001f468": "man", "\u0915": "ka", "\u1112\u1161": "\ud558"}
    if kind == 2:
        rules = {k: v.lower() for k, v in rules.items()} | {chr(c): chr(c + 32) for c in range(0x41, 0x5B)}
    return {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(charsmap(rules)).decode()}


# ---- tokenizers as families publish them ----

def _trained(model, trainer, pre_tokenizer, texts):
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.train_from_iterator(texts, trainer)
    return json.loads(tokenizer.to_str())


def _json(part):
    """The JSON of a part that the library made."""
    return json.loads(part.__getstate__())


def _bytes(texts, size, special):
    trainer = trainers.BpeTrainer(vocab_size=size, show_progress=False, special_tokens=special,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    return _trained(models.BPE(), trainer, pre_tokenizers.ByteLevel(add_prefix_space=False), texts)


def _unigram(texts, size, special, unknown="<unk>", fallback=False):
    special = special + ([f"<0x{b:02X}>" for b in range(256)] if fallback else [])
    size = max(size, len(set("".join(texts))) + len(special) + 50)
    trainer = trainers.UnigramTrainer(vocab_size=size, unk_token=unknown, show_progress=False, special_tokens=special)
    out = _trained(models.Unigram(), trainer, pre_tokenizers.Metaspace(), texts)
    out["model"]["byte_fallback"] = fallback
    return out


def _word_piece(texts, size):
    trainer = trainers.WordPieceTrainer(vocab_size=size, show_progress=False,
                                        special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    return _trained(models.WordPiece(unk_token="[UNK]"), trainer, pre_tokenizers.BertPreTokenizer(), texts)


def _token_id(spec, token):
    vocab = spec["model"]["vocab"]
    return vocab[token] if isinstance(vocab, dict) else [t for t, _ in vocab].index(token)


def _added(spec, **flags):
    """All special tokens as the trainer left them; a mask that swallows blanks where `flags` say so."""
    for token in spec["added_tokens"]:
        if token["content"] in ("<mask>", "[MASK]"):
            token.update(flags)
    return spec["added_tokens"]


def _template(spec, single, pair):
    names = dict.fromkeys(n for n in (single + " " + pair).replace(":1", "").split() if n[0] != "$")
    return _json(processors.TemplateProcessing(single=single, pair=pair, special_tokens=[(n, _token_id(spec, n)) for n in names]))


def all_splits(model):
    """Lists for each token that a merge makes every pair of tokens that spell it, in the order of the vocabulary: the
    merges of files that were converted from SentencePiece."""
    vocab, made = model["vocab"], {left + right for left, right in model["merges"]}
    model["merges"] = [[token[:i], token[i:]] for token in sorted(made, key=vocab.get) for i in range(1, len(token))
                       if token[:i] in vocab and token[i:] in vocab]


def families(texts, size, rules=0):
    """{name: tokenizer.json as a dict}, each trained on `texts` to about `size` tokens."""
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    out = {}

    def finish(name, spec, **parts):
        spec = json.loads(json.dumps(spec))
        for member in ("normalizer", "pre_tokenizer", "post_processor", "decoder"):
            part = parts.get(member)
            spec[member] = part if part is None or isinstance(part, dict) else _json(part)
        out[name] = spec

    byte_bpe = _bytes(texts, size + 300, special)
    cls, sep = ("<s>", _token_id(byte_bpe, "<s>")), ("</s>", _token_id(byte_bpe, "</s>"))
    byte_bpe["added_tokens"] = _added(byte_bpe, lstrip=True)
    finish("roberta", byte_bpe, pre_tokenizer=pre_tokenizers.ByteLevel(add_prefix_space=False), decoder=decoders.ByteLevel(),
           post_processor=processors.RobertaProcessing(sep, cls, trim_offsets=True, add_prefix_space=False))
    finish("modernbert", byte_bpe, normalizer=normalizers.NFC(), pre_tokenizer=pre_tokenizers.ByteLevel(add_prefix_space=False),
           post_processor=_template(byte_bpe, "<s> $A </s>", "<s> $A </s> $B:1 </s>:1"), decoder=decoders.ByteLevel())
    finish("qwen", byte_bpe, normalizer=normalizers.NFC(), decoder=decoders.ByteLevel(),
           pre_tokenizer=pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(QWEN2), "isolated"),
                                                  pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]),
           post_processor=processors.ByteLevel(trim_offsets=False))
    finish("llama3", {**byte_bpe, "model": {**byte_bpe["model"], "ignore_merges": True}}, decoder=decoders.ByteLevel(),
           pre_tokenizer=pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(CL100K), "isolated"),
                                                  pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]),
           post_processor=processors.Sequence([processors.ByteLevel(trim_offsets=True),
                                               processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[cls])]))

    uni = _unigram(texts, size, special)
    uni["added_tokens"] = _added(uni, lstrip=True)
    around = _template(uni, "<s> $A </s>", "<s> $A </s> </s> $B </s>")
    finish("xlm-roberta", uni, normalizer=precompiled(rules), post_processor=around, decoder=decoders.Metaspace(),
           pre_tokenizer=pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]))
    finish("camembert", uni, post_processor=around, decoder=decoders.Metaspace(), pre_tokenizer=pre_tokenizers.Metaspace(),
           normalizer={"type": "Sequence", "normalizers": [precompiled(rules), _json(normalizers.Replace(Regex(" {2,}"), " "))]})
    finish("albert", uni, post_processor=_template(uni, "<s> $A </s>", "<s> $A </s> $B:1 </s>:1"), decoder=decoders.Metaspace(),
           pre_tokenizer=pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]),
           normalizer={"type": "Sequence", "normalizers": [
               _json(normalizers.Replace("``", '"')), _json(normalizers.Replace("''", '"')), _json(normalizers.NFKD()),
               _json(normalizers.StripAccents()), _json(normalizers.Lowercase()), precompiled(rules)]})
    fallback = _unigram(texts, size, special, fallback=True)
    finish("deberta-v3", fallback, post_processor=_template(fallback, "<s> $A </s>", "<s> $A </s> $B:1 </s>:1"), decoder=decoders.Metaspace(),
           pre_tokenizer=pre_tokenizers.Sequence([pre_tokenizers.Punctuation("isolated"), pre_tokenizers.Metaspace()]),
           normalizer={"type": "Sequence", "normalizers": [_json(normalizers.Strip()), precompiled(rules),
                                                           _json(normalizers.Replace(Regex(" {2,}"), " "))]})
    finish("t5", uni, post_processor=_template(uni, "$A </s>", "$A </s> $B </s>"), decoder=decoders.Metaspace(),
           pre_tokenizer=pre_tokenizers.Metaspace(prepend_scheme="first"), normalizer=precompiled(rules))

    pieces = _word_piece(texts, size)
    bert = normalizers.BertNormalizer()
    finish("distilbert", pieces, normalizer=bert, pre_tokenizer=pre_tokenizers.BertPreTokenizer(), decoder=decoders.WordPiece(),
           post_processor=_template(pieces, "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1"))
    mpnet = json.loads(json.dumps(pieces).replace("[CLS]", "<s>").replace("[SEP]", "</s>").replace("[MASK]", "<mask>"))
    mpnet["added_tokens"] = _added(mpnet, lstrip=True)
    finish("mpnet", mpnet, normalizer=bert, pre_tokenizer=pre_tokenizers.BertPreTokenizer(), decoder=decoders.WordPiece(),
           post_processor=processors.RobertaProcessing(("</s>", _token_id(mpnet, "</s>")), ("<s>", _token_id(mpnet, "<s>")), add_prefix_space=False))

    fallbacks = [f"<0x{b:02X}>" for b in range(256)]
    plain = _trained(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True),
                     trainers.BpeTrainer(vocab_size=size + 256, show_progress=False, limit_alphabet=200, special_tokens=special + fallbacks),
                     pre_tokenizers.Metaspace(), texts)
    finish("llama", plain, normalizer=normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")]),
           post_processor=_template(plain, "<s> $A", "<s> $A <s> $B"),
           decoder=decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]))
    mistral = json.loads(json.dumps(plain))
    for blanks in (2, 3, 4):
        mistral["model"]["vocab"]["\u2581" * blanks] = len(mistral["model"]["vocab"])
        mistral["model"]["merges"].append(["\u2581", "\u2581" * (blanks - 1)])
    all_splits(mistral["model"])
    finish("mistral", mistral, pre_tokenizer=pre_tokenizers.Metaspace(prepend_scheme="first", split=False),
           post_processor=_template(plain, "<s> $A", "<s> $A <s> $B"), decoder=decoders.Metaspace(prepend_scheme="first", split=False))
    # Merges that cross blanks; no family publishes any, but who trains without a pre-tokenizer gets them.
    phrases = _trained(models.BPE(unk_token="<unk>", byte_fallback=True),
                       trainers.BpeTrainer(vocab_size=size + 256, show_progress=False, limit_alphabet=200, special_tokens=special + fallbacks),
                       pre_tokenizers.Metaspace(prepend_scheme="never", split=False), texts)
    finish("phrases", phrases, normalizer=normalizers.Replace(" ", "\u2581"), decoder=decoders.Metaspace(prepend_scheme="never", split=False))
    suffix = _trained(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"),
                      trainers.BpeTrainer(vocab_size=size, show_progress=False, end_of_word_suffix="</w>", special_tokens=special),
                      pre_tokenizers.Whitespace(), texts)
    finish("clip", suffix, decoder=decoders.BPEDecoder(), post_processor=_template(suffix, "<s> $A </s>", "<s> $A </s> $B </s>"),
           normalizer=normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]),
           pre_tokenizer=pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(CLIP), "removed", invert=True), pre_tokenizers.BertPreTokenizer()]))
    words = _trained(models.WordLevel(unk_token="<unk>"), trainers.WordLevelTrainer(vocab_size=size, show_progress=False, special_tokens=special),
                     pre_tokenizers.Whitespace(), texts)
    finish("word-level", words, pre_tokenizer=pre_tokenizers.Whitespace(), normalizer=normalizers.Sequence([normalizers.NFKC(), normalizers.Nmt()]))
    scripts = json.loads(json.dumps(uni))
    finish("scripts", scripts, normalizer=normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC()]), decoder=decoders.Metaspace(),
           pre_tokenizer=pre_tokenizers.Sequence([pre_tokenizers.Metaspace(), pre_tokenizers.UnicodeScripts(), pre_tokenizers.Digits(individual_digits=True)]))
    return out
