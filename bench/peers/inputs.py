"""What every engine is given: token ids of exact lengths, and texts, from the checked-in sample of the Jargon File."""
import pathlib
import re

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
SAMPLE = REPOSITORY / "test/golden/jargon/sample.txt"
RAGGED_LENGTHS = pathlib.Path(__file__).with_name("ragged-lengths.txt")


def ragged_lengths():
    """64 lengths of 8 to 256 tokens, median 40, 2,702 in all."""
    return [int(word) for word in RAGGED_LENGTHS.read_text().split()]


def texts():
    """The sample's paragraphs, each on one line, in the order of the book."""
    found = (" ".join(part.split()) for part in re.split(r"\n\s*\n", SAMPLE.read_text(encoding="utf-8")))
    return [line for line in found if len(line) > 20]


def spread(items, count):
    """`count` of the items, evenly spread; all of them, again and again, where there are fewer."""
    if count >= len(items):
        return [items[i % len(items)] for i in range(count)]
    return [items[i * len(items) // count] for i in range(count)]


def load_tokenizer(folder):
    """The tokenizer of a model folder, which neither cuts nor pads."""
    from tokenizers import Tokenizer
    tokenizer = Tokenizer.from_file(str(pathlib.Path(folder) / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


class IdSource:
    """Sequences of exact lengths, each a stretch of the sample between the model's first and last special token."""

    def __init__(self, tokenizer):
        ids = tokenizer.encode(" ".join(texts())).ids
        self.first, self.last, self.stretch, self.at = ids[0], ids[-1], ids[1:-1], 0

    def sequence(self, length):
        inner = length - 2
        if self.at + inner > len(self.stretch):
            self.at = 0
        part = self.stretch[self.at:self.at + inner]
        self.at += inner
        return [self.first, *part, self.last]
