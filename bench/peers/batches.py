"""From sequences of ids to rectangular batches and back: what every engine but CTranslate2 and Nybble needs."""
import numpy


def padded(sequences):
    """int64 [batch, longest] ids, filled up with 0, and the mask of what is no filling."""
    longest = max(map(len, sequences))
    ids, mask = numpy.zeros((2, len(sequences), longest), dtype=numpy.int64)
    for i, sequence in enumerate(sequences):
        ids[i, :len(sequence)] = sequence
        mask[i, :len(sequence)] = 1
    return ids, mask


def sorted_batches(sequences, size):
    """Lists of indices: the longest sequences first, so that those of a batch are nearly as long as each other."""
    order = sorted(range(len(sequences)), key=lambda i: -len(sequences[i]))
    return [order[i:i + size] for i in range(0, len(order), size)]


def pooled(hidden, mask, pooling):
    """Rows of length 1 from [batch, tokens, hidden]."""
    if pooling == "cls":
        rows = hidden[:, 0]
    else:
        rows = numpy.einsum("bth,bt->bh", hidden, mask.astype(numpy.float32)) / mask.sum(axis=1, keepdims=True)
    return rows / numpy.linalg.norm(rows, axis=1, keepdims=True)
