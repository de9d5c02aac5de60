#!/usr/bin/env python3
"""nybble bench model: what it runs and prints. How fast it is, no test asks."""
import json
import subprocess

from nybble_program import MICRO, MICRO_POSITIONS, ProgramTest, main, run, start

FIELDS = ["tokens", "ms_best", "ms_median", "gmac_s", "peak_share"]
SEQUENCES = [json.loads(line)["ids"] for line in open(MICRO / "golden/ids.jsonl")]


def as_lines(sequences):
    return "".join(json.dumps(ids) + "\n" for ids in sequences)


class BenchModel(ProgramTest):
    def timing(self, *arguments, **more):
        output = self.succeed("bench", "model", "--rounds", "2", "--json", *arguments, **more)
        self.assertEqual(output.count(b"\n"), 1)
        return self.check_timing(json.loads(output))

    def check_timing(self, timing):
        self.assertEqual(list(timing), FIELDS)
        self.assertGreater(timing["ms_best"], 0)
        self.assertGreaterEqual(timing["ms_median"], timing["ms_best"])
        self.assertGreaterEqual(timing["gmac_s"], 0)
        return timing

    def test_one_call_computes_the_tokens_of_all_lengths(self):
        self.assertEqual(self.timing("--lengths", "3,1,64")["tokens"], 68)
        (self.folder / "lengths").write_text("3, 1\n\n64 2\n")
        self.assertEqual(self.timing("--lengths-file", self.folder / "lengths")["tokens"], 70)
        self.assertEqual(self.timing("--lengths-file", "-", stdin=b"5")["tokens"], 5)

    def test_lengths_are_kept_whatever_the_model_cuts_texts_to(self):
        self.assertEqual(self.timing("--max-tokens", "8", "--lengths", f"{MICRO_POSITIONS},9")["tokens"], MICRO_POSITIONS + 9)

    def test_texts_are_embedded_as_nybble_embed_embeds_them(self):
        (self.folder / "texts").write_text("some words\n\nand more words\n" * 30)
        for threads in (1, 3):
            self.timing("--threads", threads, "--texts-file", self.folder / "texts", "-o", self.folder / "rows.f32")
            self.succeed("embed", "-o", self.folder / "same.f32", self.folder / "texts")
            self.assertEqual((self.folder / "rows.f32").read_bytes(), (self.folder / "same.f32").read_bytes())

    def test_ids_are_encoded_as_they_are_and_stored_in_order(self):
        (self.folder / "ids").write_text(as_lines(SEQUENCES))
        output = self.folder / "rows.f32"
        for weights in ("f32", "int8"):
            timing = self.timing("--weights", weights, "--ids-file", self.folder / "ids", "-o", output)
            self.assertEqual(timing["tokens"], sum(map(len, SEQUENCES)))
        alone = b""
        for ids in SEQUENCES:
            (self.folder / "ids").write_text(as_lines([ids]))
            self.timing("--ids-file", self.folder / "ids", "-o", self.folder / "row.f32")
            alone += (self.folder / "row.f32").read_bytes()
        self.assertEqual(output.read_bytes(), alone)

    def test_the_table_has_the_same_tokens(self):
        self.assertIn(b"2 sequence(s), 21 tokens\n", self.succeed("bench", "model", "--lengths", "16,5", "--rounds", "1"))

    def test_each_line_of_stdin_is_answered_before_the_next_is_read(self):
        process = start("bench", "model", "--serve-stdin", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for line, tokens in (("5", 5), ("5, 6 7", 18), (json.dumps(SEQUENCES[:2]), len(SEQUENCES[0] + SEQUENCES[1])),
                             ('["", "a b"]', None), ("64", 64)):
            process.stdin.write(line.encode() + b"\n")
            process.stdin.flush()
            timing = self.check_timing(json.loads(process.stdout.readline()))
            if tokens is not None:
                self.assertEqual(timing["tokens"], tokens)
        self.assertEqual(process.communicate(), (b"", None))
        self.assertEqual(process.returncode, 0)

    def test_a_line_that_cannot_be_run_is_answered_with_its_fault(self):
        faults = (("", "at least one"), ("0", "'0'"), ("5;6", "'5;6'"), ("[5]", "array of ids"), ("[[]]", "array of ids"),
                  ("[[1.5]]", "1.5"), ("[[1", "JSON"), ('["a", [5]]', "both"), ('[[5], "a"]', "both"), ("[]", "at least one"),
                  (str(MICRO_POSITIONS + 1), str(MICRO_POSITIONS)), ("[[-1]]", "-1"), ("[[4294967301]]", "32 bits"))
        lines = "".join(f"{line}\n" for line, _ in faults) + "7\n"
        *answers, last = self.succeed("bench", "model", "--serve-stdin", stdin=lines.encode()).splitlines()
        self.assertEqual(len(answers), len(faults))
        for answer, (line, part) in zip(answers, faults):
            self.assertIn(part, json.loads(answer)["error"], line)
        self.assertEqual(json.loads(last)["tokens"], 7)

    def test_what_is_wrong_is_said_in_a_sentence(self):
        (self.folder / "ids").write_text("[5]\n[5,]\n")
        (self.folder / "empty").write_text("\n")
        for arguments, *parts in ((["--ids-file", self.folder / "ids"], "line 2", "JSON array"),
                                  (["--lengths-file", self.folder / "empty"], "empty", "at least one"),
                                  (["--lengths-file", self.folder / "none"], "none", "No such file")):
            self.assert_sentence(run("bench", "model", *arguments), *parts, code=1)
        for arguments, *parts in (([], "--lengths", "--serve-stdin"), (["--lengths", "5", "--serve-stdin"], "--lengths"),
                                  (["--serve-stdin", "--rounds", "5"], "--rounds", "--serve-stdin"),
                                  (["--serve-stdin", "-o", "rows.npy"], "--output", "--serve-stdin"),
                                  (["--lengths", "5", "--rounds", "0"], "--rounds"), (["--lengths", "5,x"], "--lengths", "'x'")):
            self.assert_sentence(run("bench", "model", *arguments), *parts, code=2)


if __name__ == "__main__":
    main()
