"""What is timed."""
import dataclasses

import inputs


@dataclasses.dataclass
class Case:
    name: str
    title: str
    ids: list  # sequences of ids; of texts as the engines read them
    texts: list = None
    pooling: str = "mean"

    @property
    def kind(self):
        return "texts" if self.texts else "ids"

    @property
    def tokens(self):
        return sum(map(len, self.ids))


NAMES = ("1x16", "1x128", "1x512", "8x128", "32x128", "ragged", "texts")


def make(name, pooling, tokenizer, options):
    case = _make(name, tokenizer, options)
    case.pooling = pooling
    if pooling != "mean":
        case.name, case.title = f"{name} {pooling}", f"{case.title}, {pooling.upper()} pooling"
    return case


def _make(name, tokenizer, options):
    if name == "texts":
        texts = inputs.spread(inputs.texts(), options.texts)
        tokenizer.enable_truncation(options.max_tokens)
        ids = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
        tokenizer.no_truncation()
        return Case(name, f"{len(texts)} texts in, embeddings out", ids, texts)
    source = inputs.IdSource(tokenizer)
    if name == "ragged":
        return Case(name, "64 sequences of 8 to 256 tokens", [source.sequence(n) for n in inputs.ragged_lengths()])
    count, length = map(int, name.split("x"))
    title = f"1 sequence of {length}" if count == 1 else f"{count} sequences of {length}"
    return Case(name, title, [source.sequence(length) for _ in range(count)])
