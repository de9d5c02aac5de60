#!/usr/bin/env python3
"""The rows of `nybble embed`: formats, lengths, batches, and the same bits however they are computed."""
import ast
import json
import math
import re
import struct

from nybble_program import GOLDEN, MICRO, MICRO_HIDDEN, MICRO_POSITIONS, TINY, ProgramTest, environment, main, run, \
    runnable_sets

TEXTS = (MICRO / "golden/texts.txt").read_bytes() + b"\nshort\n" + b"a much longer text " * 40 + b"\n"
COUNT = TEXTS.count(b"\n")


def as_floats(data):
    return struct.unpack(f"<{len(data) // 4}f", data)


def read_npy(data):
    """(columns, bytes of the rows) of an array as NumPy writes it."""
    assert data[:8] == b"\x93NUMPY\x01\x00", data[:8]
    size = int.from_bytes(data[8:10], "little")
    header = data[10:10 + size]
    assert (10 + size) % 64 == 0 and header.endswith(b"\n") and b"\n" not in header[:-1]
    value = ast.literal_eval(header.decode("ascii"))
    assert set(value) == {"descr", "fortran_order", "shape"}
    assert value["descr"] == "<f4" and value["fortran_order"] is False
    return value["shape"], data[10 + size:]


def significant_digits(number):
    return len(re.sub(r"e.*|[-.]", "", number).strip("0")) or 1


class Formats(ProgramTest):
    def rows(self, *options, **more):
        result = run("embed", "--format", "f32", *options, stdin=TEXTS, **more)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def embed(self, *options, **more):
        result = run("embed", *options, stdin=TEXTS, **more)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result

    def test_jsonl_is_an_object_a_line_with_the_shortest_numbers_that_round_trip(self):
        lines = self.embed().stdout.decode("ascii").split("\n")
        self.assertEqual((len(lines), lines.pop()), (COUNT + 1, ""))
        floats = as_floats(self.rows())
        for index, line in enumerate(lines):
            match = re.fullmatch(r'\{"index":(\d+),"embedding":\[([-+.e\d,]+)\]\}', line)
            self.assertEqual(int(match[1]), index)
            self.assertEqual(len(json.loads(line)["embedding"]), MICRO_HIDDEN)
            for number, value in zip(match[2].split(","), floats[index * MICRO_HIDDEN:], strict=False):
                self.assertEqual(struct.pack("<f", float(number)), struct.pack("<f", value))
                digits = significant_digits(number)
                if digits > 1:
                    shorter = float(f"{value:.{digits - 2}e}")
                    self.assertNotEqual(struct.pack("<f", shorter), struct.pack("<f", value), number)

    def test_the_rows_of_every_format_are_the_same(self):
        raw = self.rows()
        self.assertEqual(len(raw), COUNT * MICRO_HIDDEN * 4)
        for value, other in zip(as_floats(raw), (x for line in self.embed().stdout.splitlines()
                                                 for x in json.loads(line)["embedding"]), strict=True):
            self.assertEqual(struct.pack("<f", other), struct.pack("<f", value))
        file = self.folder / "rows.npy"
        self.embed("-o", file)
        self.assertEqual(read_npy(file.read_bytes()), ((COUNT, MICRO_HIDDEN), raw))

    def test_the_npy_header_is_the_one_that_numpy_writes(self):
        file = self.folder / "rows.npy"
        self.embed("-o", file)
        text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({COUNT}, {MICRO_HIDDEN}), }}"
        self.assertEqual(file.read_bytes()[:128], b"\x93NUMPY\x01\x00\x76\x00" + text.encode().ljust(117) + b"\n")

    def test_no_texts_are_no_rows(self):
        for name, expected in (("rows.jsonl", b""), ("rows.f32", b""), ("rows.npy", None)):
            self.assertEqual(self.succeed("embed", "-o", self.folder / name), b"")
            data = (self.folder / name).read_bytes()
            self.assertEqual(read_npy(data) if expected is None else data,
                             ((0, MICRO_HIDDEN), b"") if expected is None else expected)

    def test_the_suffix_says_the_format_unless_the_option_does(self):
        raw, lines = self.rows(), self.embed().stdout
        for name, options, expected in (("a.f32", [], raw), ("a.jsonl", [], lines), ("a.txt", [], lines),
                                        ("npy", [], lines), ("a.npy.gz", [], lines),
                                        ("a.npy", ["--format", "f32"], raw), ("a.f32", ["--format", "jsonl"], lines)):
            self.embed("-o", self.folder / name, *options)
            self.assertEqual((self.folder / name).read_bytes(), expected, (name, options))
        self.embed("-o", self.folder / "a.txt", "--format", "npy")
        self.assertEqual(read_npy((self.folder / "a.txt").read_bytes())[1], raw)

    def test_npy_to_a_pipe_is_a_usage_error_that_names_the_other_formats(self):
        self.assert_sentence(run("embed", "--format", "npy", stdin=TEXTS), "npy", "jsonl", "f32", code=2)
        self.assert_sentence(run("embed", "--format", "npy", "-o", "/dev/null", stdin=TEXTS), "jsonl", "f32", code=2)

    def test_npy_to_standard_output_needs_a_file_that_is_not_appended_to(self):
        file = self.folder / "rows"
        with open(file, "wb") as opened:
            self.assertEqual(run("embed", "--format", "npy", stdin=TEXTS, stdout=opened).returncode, 0)
        self.assertEqual(read_npy(file.read_bytes()), ((COUNT, MICRO_HIDDEN), self.rows()))
        before = file.read_bytes()
        with open(file, "ab") as opened:
            self.assert_sentence(run("embed", "--format", "npy", stdin=TEXTS, stdout=opened), "npy", "jsonl", "f32",
                                 code=2)
        self.assertEqual(file.read_bytes(), before)

    def test_npy_after_what_standard_output_holds_already(self):
        file = self.folder / "rows"
        with open(file, "wb", buffering=0) as opened:
            opened.write(b"before")
            self.assertEqual(run("embed", "--format", "npy", stdin=TEXTS, stdout=opened).returncode, 0)
        self.assertEqual(file.read_bytes()[:6], b"before")
        self.assertEqual(read_npy(file.read_bytes()[6:])[0], (COUNT, MICRO_HIDDEN))

    def test_normalized_rows_have_length_1_and_others_point_the_same_way(self):
        pick = lambda flat: [flat[i:i + MICRO_HIDDEN] for i in range(0, len(flat), MICRO_HIDDEN)]
        normal, plain = pick(as_floats(self.rows("--normalize"))), pick(as_floats(self.rows("--no-normalize")))
        for a, b in zip(normal, plain, strict=True):
            self.assertAlmostEqual(math.hypot(*a), 1, places=5)
            self.assertNotAlmostEqual(math.hypot(*b), 1, places=2)
            self.assertAlmostEqual(sum(x * y for x, y in zip(a, b, strict=True)) / math.hypot(*b), 1, places=5)

    def test_pooling_is_as_the_model_says_or_the_option(self):
        self.assertEqual(self.rows("--pooling", "cls"), self.rows())
        self.assertNotEqual(self.rows("--pooling", "mean"), self.rows())

    def test_rows_of_every_format_are_close_to_the_reference(self):
        texts = (MICRO / "golden/texts.txt").read_bytes()
        _, data = read_npy((MICRO / "golden/cls.npy").read_bytes())
        golden = as_floats(data)
        for weights, least in (("f32", 0.99999), ("int8", 0.99), ("int7", 0.99), ("int6", 0.98), ("int5", 0.95), ("int4", 0.9)):
            rows = as_floats(self.succeed("embed", "--weights", weights, "--format", "f32", stdin=texts))
            for i in range(0, len(rows), MICRO_HIDDEN):
                a, b = rows[i:i + MICRO_HIDDEN], golden[i:i + MICRO_HIDDEN]
                cosine = sum(x * y for x, y in zip(a, b, strict=True)) / math.hypot(*a) / math.hypot(*b)
                self.assertGreater(cosine, least, (weights, i // MICRO_HIDDEN))


class Bits(ProgramTest):
    def rows(self, *options, **more):
        result = run("embed", "--format", "f32", *options, stdin=TEXTS, **more)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def test_int8_rows_are_the_same_on_every_instruction_set_with_any_threads_and_batch(self):
        for model in (MICRO, TINY):
            expected = self.rows("--model", model)
            for isa in runnable_sets():
                for options in (["--threads", "1"], ["--threads", "2"], ["--batch-tokens", "1"],
                                ["--batch-tokens", "100", "--threads", "2"]):
                    self.assertEqual(self.rows("--model", model, "--isa", isa, *options), expected, (isa, options))

    def test_a_text_alone_has_the_bits_that_it_has_among_others(self):
        rows = self.rows()
        for index, line in enumerate(TEXTS.split(b"\n")[:-1]):
            alone = run("embed", "--format", "f32", stdin=line + b"\n")
            self.assertEqual(alone.stdout, rows[index * MICRO_HIDDEN * 4:(index + 1) * MICRO_HIDDEN * 4])

    def test_the_16_bit_folders_have_the_rows_of_the_32_bit_one(self):
        expected = self.rows()
        for name in ("micro-bert-f16", "micro-bert-bf16"):
            self.assertEqual(self.rows("--model", GOLDEN / name), expected)


class Lengths(ProgramTest):
    LONG = b"a text of many words " * 30

    def test_texts_are_cut_to_max_tokens_and_counted(self):
        result = run("embed", "--max-tokens", "10", stdin=b"short\n" + self.LONG + b"\n" + self.LONG + b"\n")
        self.assertEqual((result.returncode, result.stderr), (0, b"nybble: 2 texts cut to 10 tokens\n"))
        result = run("embed", stdin=self.LONG)
        self.assertEqual((result.returncode, result.stderr),
                         (0, f"nybble: 1 text cut to {MICRO_POSITIONS} tokens\n".encode()))
        result = run("similarity", "--max-tokens", "10", "short", self.LONG.decode())
        self.assertEqual((result.returncode, result.stderr), (0, b"nybble: 1 text cut to 10 tokens\n"))

    def test_a_cut_text_has_the_row_of_its_first_tokens(self):
        tokens = json.loads(self.succeed("tokenize", stdin=self.LONG))
        head = self.LONG[:tokens["offsets"][8][1]]
        cut = run("embed", "--max-tokens", "10", stdin=self.LONG)
        self.assertEqual(cut.stdout, self.succeed("embed", stdin=head))

    def test_more_tokens_than_positions_is_an_error(self):
        self.succeed("embed", "--max-tokens", MICRO_POSITIONS, stdin=b"x")
        self.assert_sentence(run("embed", "--max-tokens", MICRO_POSITIONS + 1, stdin=b"x"), str(MICRO_POSITIONS),
                             str(MICRO_POSITIONS + 1), "max_tokens")

    def test_fewer_tokens_than_the_special_ones_is_an_error(self):
        for command in ("embed", "tokenize"):
            self.assert_sentence(run(command, "--max-tokens", "1", stdin=b"x"), "1", "2", "special")
            self.assertEqual(run(command, "--max-tokens", "2", stdin=b"x").returncode, 0)

    def test_the_length_is_found_where_the_folder_says(self):
        model = self.copy_model()
        source = lambda: re.search(r"longest text +(.*)", self.succeed("info", "--model", model).decode())[1]
        self.assertIn("64 tokens", source())
        self.assertIn("tokenizer_config.json", source())
        config = json.loads((model / "tokenizer_config.json").read_text())
        (model / "tokenizer_config.json").write_text(json.dumps({**config, "model_max_length": 1e30}))
        self.assertIn("64 tokens", source())
        self.assertIn("positions", source())
        (model / "tokenizer_config.json").write_text(json.dumps({**config, "model_max_length": 20}))
        self.assertIn("20 tokens", source())
        (model / "sentence_bert_config.json").write_text('{"max_seq_length": 30}')
        self.assertIn("30 tokens", source())
        self.assertIn("sentence_bert_config.json", source())
        (model / "sentence_bert_config.json").write_text('{"max_seq_length": 65}')
        self.assert_sentence(run("info", "--model", model), "sentence_bert_config.json", "max_seq_length", "64", "65")

    def test_left_over_truncation_and_padding_are_shown_and_not_applied(self):
        model = self.copy_model()
        tokenizer = json.loads((model / "tokenizer.json").read_text())
        tokenizer["truncation"] = {"direction": "Right", "max_length": 7, "strategy": "LongestFirst", "stride": 0}
        tokenizer["padding"] = {"strategy": {"Fixed": 50}, "direction": "Right", "pad_to_multiple_of": None,
                                "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"}
        (model / "tokenizer.json").write_text(json.dumps(tokenizer))
        info = self.succeed("info", "--model", model).decode()
        self.assertRegex(info, r"truncation to 7\b.*padding to 50\b.*not applied")
        text = b"rather more than seven tokens here\n"
        for command in ("embed", "tokenize"):
            self.assertEqual(self.succeed(command, "--model", model, stdin=text), self.succeed(command, stdin=text))


main()
