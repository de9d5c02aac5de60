#!/usr/bin/env python3
"""The smallest example: test_embed_texts.py PROGRAM MODEL."""
import subprocess
import sys


def run(*arguments):
    return subprocess.run(arguments, capture_output=True, text=True)


def main(program, model):
    good = run(program, model, "the cabal", "the cabal", "most of its lifetime")
    assert good.returncode == 0, good.stderr
    assert good.stderr == "", good.stderr
    scores, texts = zip(*(line.split("\t") for line in good.stdout.splitlines()))
    assert texts == ("the cabal", "the cabal", "most of its lifetime"), texts
    assert scores[:2] == ("1.0000", "1.0000"), scores
    assert -1 < float(scores[2]) < 1, scores

    missing = run(program, "/nonexistent/model", "a")
    assert missing.returncode == 1 and missing.stdout == "", missing
    assert missing.stderr.startswith("embed_texts: ") and missing.stderr.count("\n") == 1, missing.stderr
    assert "/nonexistent/model" in missing.stderr, missing.stderr
    assert run(program).returncode == 2


if __name__ == "__main__":
    main(*sys.argv[1:])
