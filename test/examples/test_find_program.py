#!/usr/bin/env python3
"""Runs the example program on a tiny model with random weights: test_find_program.py PROGRAM."""
import subprocess
import sys
import unittest

CATALOGUE = [f"program{i}\t{what} {i}" for i in range(8) for what in ("draws pictures", "counts words", "sends mail to")]


def run(*arguments, catalogue=CATALOGUE):
    text = "".join(line + "\n" for line in catalogue)
    return subprocess.run([PROGRAM, *arguments], input=text, capture_output=True, text=True)


class FindProgram(unittest.TestCase):
    def test_answers_five_a_query_best_first_and_nothing_else_on_stdout(self):
        result = run("counts words", "sends mail")
        self.assertEqual(result.returncode, 0, result.stderr)
        answers = [line.split("\t") for line in result.stdout.splitlines()]
        self.assertEqual(len(answers), 10)
        for query in (answers[:5], answers[5:]):
            scores = [float(score) for score, _ in query]
            self.assertEqual(scores, sorted(scores, reverse=True))
        self.assertTrue({text for _, text in answers} <= {line.replace("\t", ": ") for line in CATALOGUE})

    def test_an_entry_is_nearest_to_itself(self):
        result = run("program3: counts words 3")
        self.assertEqual(result.stdout.splitlines()[0], "1.0000\tprogram3: counts words 3")

    def test_the_comparison_with_fp32_is_on_stderr(self):
        result = run("--sample", "10", "--", "counts words")
        self.assertIn("10 texts: cosine 0.9", result.stderr)
        self.assertEqual(result.stdout, run("counts words").stdout)

    def test_what_cannot_be_used_is_one_sentence(self):
        for arguments, catalogue, wanted in (((), CATALOGUE, "usage"), (("x",), [], "empty"),
                                             (("x",), ["a\tb", "no tab"], "line 2"),
                                             (("--sample", "ten", "x"), CATALOGUE, "'ten'")):
            result = run(*arguments, catalogue=catalogue)
            self.assertEqual(result.returncode, 2)
            self.assertEqual((result.stdout, result.stderr.count("\n")), ("", 1))
            self.assertIn(wanted, result.stderr)


PROGRAM = sys.argv.pop(1)
unittest.main()
