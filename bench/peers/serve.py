"""One engine in a process of its own, which stays warm.

  python serve.py ENGINE FILES THREADS MAX_TOKENS

When ready it prints {"ready":true,"note":…}. Then each line of stdin is a request, answered with a line:

  {"ids":[[…],…], "batch":8, "repeats":3, "pooling":"mean", "store":"rows.npy"}   times the passes over ready, length-sorted batches
  {"texts":["…",…], "batch":8, "repeats":3, "pooling":"cls", "store":null}        times all from texts to normalized embeddings
  answer: {"ms":[…],"tokens":…}, or {"error":"…"}

Padding, pooling and copies to NumPy are outside of the timed part for ids; with texts everything is inside.
"""
import json
import os
import pathlib
import sys
import time

import numpy

import batches
import engines
import inputs


class Runner:
    def __init__(self, engine, tokenizer):
        self.engine, self.tokenizer = engine, tokenizer

    def run_ids(self, sequences, batch, pooling):
        """(milliseconds of the passes, a function that gives the rows)"""
        order = batches.sorted_batches(sequences, batch)
        rectangles = [batches.padded([sequences[i] for i in part]) for part in order]
        prepared = [self.engine.prepare(*rectangle) for rectangle in rectangles]
        start = time.perf_counter()
        results = [self.engine.forward(one) for one in prepared]
        return (time.perf_counter() - start) * 1e3, lambda: self.rows(results, rectangles, order, pooling)

    def rows(self, results, rectangles, order, pooling):
        parts = [batches.pooled(self.engine.to_numpy(hidden), mask, pooling)
                 for hidden, (_, mask) in zip(results, rectangles)]
        rows = numpy.empty((sum(map(len, order)), parts[0].shape[1]), dtype=numpy.float32)
        for part, indices in zip(parts, order):
            rows[indices] = part
        return rows

    def embed_texts(self, texts, batch, pooling):
        if hasattr(self.engine, "encode"):
            return self.engine.encode(texts, batch, pooling)
        sequences = [encoding.ids for encoding in self.tokenizer.encode_batch(texts)]
        order = batches.sorted_batches(sequences, batch)
        parts = []
        for part in order:
            ids, mask = batches.padded([sequences[i] for i in part])
            hidden = self.engine.to_numpy(self.engine.forward(self.engine.prepare(ids, mask)))
            parts.append(batches.pooled(hidden, mask, pooling))
        rows = numpy.empty((len(texts), parts[0].shape[1]), dtype=numpy.float32)
        for part, indices in zip(parts, order):
            rows[indices] = part
        return rows

    def run_texts(self, texts, batch, pooling):
        start = time.perf_counter()
        rows = self.embed_texts(texts, batch, pooling)
        return (time.perf_counter() - start) * 1e3, lambda: rows

    def answer(self, request):
        run, what = (self.run_texts, "texts") if "texts" in request else (self.run_ids, "ids")
        milliseconds, rows = [], None
        for _ in range(request["repeats"]):
            spent, rows = run(request[what], request["batch"], request["pooling"])
            milliseconds.append(spent)
        if request.get("store"):
            numpy.save(request["store"], rows())
        return {"ms": milliseconds}


def load_runner(arguments):
    name, files, threads, max_tokens = arguments
    files = pathlib.Path(files)
    tokenizer = inputs.load_tokenizer(files / "hf")
    tokenizer.enable_truncation(int(max_tokens))
    return Runner(engines.load(name, files, int(threads)), tokenizer)


def main():
    # Libraries print what they like; stdout is for answers alone.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    try:
        runner = load_runner(sys.argv[1:])
    except Exception as error:
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}), file=answers)
        raise
    print(json.dumps({"ready": True, "note": runner.engine.note}), file=answers)
    for line in sys.stdin:
        try:
            print(json.dumps(runner.answer(json.loads(line))), file=answers)
        except Exception as error:
            print(json.dumps({"error": f"{type(error).__name__}: {error}"}), file=answers)


if __name__ == "__main__":
    main()
