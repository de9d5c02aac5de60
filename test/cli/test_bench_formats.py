#!/usr/bin/env python3
"""nybble bench formats: what it compares and prints. How fast a format is, no test asks."""
import json

from nybble_program import TINY, ProgramTest, main, run

FIELDS = ["weights", "isa", "threads", "sequences", "tokens", "ms_best", "ms_median", "gmac_s", "peak_share", "linear_bytes",
          "load_s", "cosine_mean", "cosine_standard_error", "cosine_hundredth", "cosine_worst"]
INTEGERS = ["int8", "int7", "int6", "int5", "int4"]


class BenchFormats(ProgramTest):
    def rows(self, *arguments):
        output = self.succeed("bench", "formats", "--rounds", "2", "--json", *arguments)
        return [json.loads(line) for line in output.splitlines()]

    def test_every_format_is_a_line_and_is_compared_with_f32_which_is_the_first(self):
        rows = self.rows("--model", TINY, "--texts-file", TINY / "golden/texts.txt")
        self.assertEqual([row["weights"] for row in rows], ["f32", *INTEGERS])
        for row in rows:
            self.assertEqual(list(row), FIELDS)
            self.assertEqual((row["tokens"], row["sequences"]), (rows[0]["tokens"], rows[0]["sequences"]))
            self.assertGreater(row["ms_best"], 0)
            self.assertLessEqual(row["cosine_worst"], row["cosine_hundredth"])
            self.assertLessEqual(row["cosine_hundredth"], 1.0000001)
            self.assertGreater(row["cosine_worst"], 0.8)
            self.assertGreaterEqual(row["cosine_mean"], row["cosine_worst"])
        self.assertEqual((rows[0]["cosine_mean"], rows[0]["cosine_standard_error"]), (1, 0))
        means = [row["cosine_mean"] for row in rows]
        self.assertEqual(means, sorted(means, reverse=True))
        self.assertLess(means[-1], means[0])
        self.assertLess(rows[-1]["linear_bytes"], rows[1]["linear_bytes"])

    def test_some_formats_on_some_instruction_set(self):
        rows = self.rows("--weights", "int4,int6", "--lengths", "3,5", "--threads", "2", "--isa", "scalar")
        self.assertEqual([row["weights"] for row in rows], ["f32", "int4", "int6"])
        self.assertEqual({(row["tokens"], row["sequences"], row["threads"], row["isa"]) for row in rows}, {(8, 2, 2, "scalar")})

    def test_the_table_has_a_line_a_format(self):
        text = self.succeed("bench", "formats", "--rounds", "1", "--weights", "int8", "--lengths", "4").decode()
        self.assertRegex(text, r"(?m)^f32 .* 1\.00000 ± 0\.00000, 1\.0000, 1\.0000$")
        self.assertRegex(text, r"(?m)^int8 .* 0\.9\d+ ± 0\.00000, ")
        self.assertIn("1 sequence(s), 4 tokens, 1 rounds", text)

    def test_what_is_wrong_with_an_input_is_a_sentence(self):
        self.assert_sentence(run("bench", "formats", "--texts-file", "/no/such"), "/no/such")


main()
