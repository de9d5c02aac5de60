#!/usr/bin/env python3
"""The rows of `nybble tokenize`, and the tokens and sizes that other commands show."""
import json
import re

from nybble_program import MICRO, TINY, ProgramTest, environment, main, run


class Tokenize(ProgramTest):
    def rows(self, data, *options):
        return [json.loads(line) for line in self.succeed("tokenize", *options, stdin=data).splitlines()]

    def test_a_row_has_the_four_fields_of_one_length_in_order(self):
        for line in self.succeed("tokenize", stdin=(MICRO / "golden/texts.txt").read_bytes()).splitlines():
            self.assertRegex(line.decode(),
                             r'\A\{"ids":\[[\d,]+\],"tokens":\[.*\],"offsets":\[[\[\]\d,]+\],"special":\[[01,]+\]\}\Z')
            row = json.loads(line)
            self.assertEqual(list(row), ["ids", "tokens", "offsets", "special"])
            self.assertEqual(len({len(values) for values in row.values()}), 1)

    def test_ids_are_those_of_the_golden_files_and_tokens_are_their_names(self):
        for model in (MICRO, TINY):
            vocabulary = json.loads((model / "tokenizer.json").read_text())["model"]["vocab"]
            names = {i: token for token, i in vocabulary.items()}
            golden = [json.loads(line)["ids"] for line in (model / "golden/ids.jsonl").read_text().splitlines()]
            rows = self.rows((model / "golden/texts.txt").read_bytes(), "--model", model)
            self.assertEqual([row["ids"] for row in rows], golden[:len(rows)])
            for row in rows:
                self.assertEqual(row["tokens"], [names[i] for i in row["ids"]])

    def test_offsets_are_bytes_of_the_text_and_special_marks_what_stands_for_none_of_it(self):
        text = "\u00c9t\u00e9  na\u00efve!"
        row, = self.rows(text.encode() + b"\n")
        self.assertEqual([row["special"][0], row["special"][-1], sum(row["special"])], [1, 1, 2])
        self.assertEqual([row["offsets"][0], row["offsets"][-1]], [[0, 0], [0, 0]])
        pieces = [text.encode()[start:stop].decode() for start, stop in row["offsets"][1:-1]]
        self.assertEqual("".join(pieces), text.replace(" ", ""))

    def test_a_text_is_never_padded_and_cut_only_when_told(self):
        long = b"many words in a row " * 100
        lengths = [len(row["ids"]) for row in self.rows(b"x\n" + long + b"\n")]
        self.assertEqual(lengths[0], 3)
        self.assertGreater(lengths[1], 400)  # far beyond the positions of the model
        whole, = self.rows(long)
        result = run("tokenize", "--max-tokens", "9", stdin=b"x\n" + long + b"\n" + long + b"\n")
        self.assertEqual((result.returncode, result.stderr), (0, b"nybble: 2 texts cut to 9 tokens\n"))
        short, *cut = map(json.loads, result.stdout.splitlines())
        self.assertEqual(short["tokens"], ["[CLS]", "x", "[SEP]"])
        for row in cut:
            self.assertEqual(row["ids"], whole["ids"][:8] + whole["ids"][-1:])
            self.assertEqual(row["offsets"], whole["offsets"][:8] + [[0, 0]])

    def test_a_text_of_exactly_max_tokens_is_not_cut(self):
        row, = self.rows(b"words to count")
        self.assertEqual(self.rows(b"words to count", "--max-tokens", str(len(row["ids"]))), [row])

    def test_ids_are_decoded_to_the_text_and_special_tokens_are_left_out_unless_asked_for(self):
        texts = "hello world\nWords, and more!\n\n"
        rows = self.succeed("tokenize", stdin=texts.encode())
        decoded = [json.loads(line) for line in self.succeed("tokenize", "--decode", stdin=rows).splitlines()]
        self.assertEqual([list(row) for row in decoded], [["text"]] * 3)
        ids = json.loads(rows.splitlines()[0])["ids"]
        bare, = self.succeed("tokenize", "--decode", stdin=json.dumps(ids).encode()).splitlines()
        self.assertEqual(json.loads(bare), decoded[0])
        self.assertEqual(decoded[2], {"text": ""})
        special = json.loads(self.succeed("tokenize", "--decode", "--special", stdin=json.dumps(ids).encode()))
        self.assertEqual(special["text"], f"[CLS] {decoded[0]['text']} [SEP]")

    def test_a_line_that_has_no_ids_is_named(self):
        for line, found in ((b"x", "no JSON"), (b'{"id":1}', "object"), (b"[1,1.5]", "the id 1.5"), (b"[99999999999]", "the id 99999999999"),
                            (b"[18446744073709551615]", "the id 18446744073709551615")):
            result = run("tokenize", "--decode", stdin=b"[1]\n" + line + b"\n")
            self.assertEqual(result.returncode, 1)
            self.assertRegex(result.stderr.decode(), f"line 2: expected a JSON array of ids .* found {found}\\.\n")

    def test_the_weights_are_not_needed(self):
        model = self.copy_model()
        (model / "model.safetensors").unlink()
        self.assertEqual(self.rows(b"words\n", "--model", model), self.rows(b"words\n"))


class Similarity(ProgramTest):
    def scores(self, *texts):
        lines = self.succeed("similarity", *texts).decode().split("\n")
        self.assertEqual(lines.pop(), "")
        return [tuple(line.split("\t")) for line in lines]

    def test_a_line_for_each_text_but_the_first_in_their_order(self):
        texts = ["one text", "another", "one text", "a third", ""]
        scores = self.scores(*texts)
        self.assertEqual([text for _, text in scores], texts[1:])
        self.assertEqual(scores[1][0], "1.0000")
        for score, _ in scores:
            self.assertRegex(score, r"\A-?[01]\.\d{4}\Z")
        self.assertEqual(self.scores("one text", "another"), scores[:1])

    def test_texts_may_look_like_lists_names_of_commands_or_after_two_dashes_options(self):
        texts = ["[a,b]", "[]", "{}", "[CLS]", "%%", "a,b", "info", "embed", "-", "[[x]", "a=b", "/opt"]
        self.assertEqual([text for _, text in self.scores("first", *texts)], texts)
        self.assertEqual([text for _, text in self.scores("--", "--first", "--help", "-x", "--")],
                         ["--help", "-x", "--"])
        self.assertEqual(self.scores("[a,b]", "[a,b]"), [("1.0000", "[a,b]")])

    def test_a_model_in_a_folder_with_brackets_is_found(self):
        model = self.copy_model(name="[a,b]")
        self.assertEqual(self.succeed("similarity", "--model", "[a,b]", "x", "y", cwd=self.folder),
                         self.succeed("similarity", "x", "y"))
        self.assertEqual(self.succeed("tokenize", "--model", "[a,b]", stdin=b"x", cwd=model.parent),
                         self.succeed("tokenize", stdin=b"x"))


class Explain(ProgramTest):
    PASSES = ["prune_unread_rows", "merge_qkv", "fuse_bias", "fuse_activation", "fuse_residual_layernorm", "assign_formats",
              "integer_attention", "fuse_norm_quantization", "fuse_linear_quantization", "copy_outputs",
              "remove_dead_nodes"]
    IDLE = ["copy_outputs"]  # of this model

    def test_info_shows_what_a_model_is(self):
        for model, parts in ((MICRO, ["bert", "layers +1, hidden 40, heads 5, intermediate 70, activation gelu",
                                      "WordPiece, 307 tokens", "64 tokens", "positions +64", "pooling +cls",
                                      "normalize +yes", "formats +f32, int8, int7, int6, int5, int4\n", r"bits +exact \(numerics \d\)"]),
                             (TINY, ["layers +2, hidden 96, heads 3", "WordPiece, 1003 tokens", "pooling +mean"])):
            text = self.succeed("info", "--model", model).decode()
            for part in [re.escape(str(model)), *parts]:
                self.assertRegex(text, part)
        self.assertRegex(self.succeed("info", "--threads", "3").decode(), r"threads +3\n")
        self.assertRegex(self.succeed("info", "--weights", "f32").decode(), r"bits +machine-dependent")

    def test_the_plan_has_a_line_a_step_with_shapes_and_the_kernel_by_name(self):
        text = self.succeed("explain", "--isa", "scalar").decode()
        # Under its cls pool q apart from k and v; output; two of the FFN.
        self.assertEqual(text.count("gemm_u8s8_scalar"), 5)
        mean = self.succeed("explain", "--isa", "scalar", "--pooling", "mean").decode()
        self.assertEqual(mean.count("gemm_u8s8_scalar"), 4)  # q, k, v as one
        self.assertIn("f32[tokens,40]", text)
        self.assertIn("numerics", text)
        plain = self.succeed("explain", "--weights", "f32").decode()
        self.assertNotIn("u8s8", plain)
        self.assertRegex(plain, "(?i)onednn|dnnl")

    def test_the_graph_after_each_pass_is_shown_and_the_last_is_the_graph(self):
        graph = self.succeed("explain", "--graph")
        dumps = [self.succeed("explain", "--dump-after", name) for name in self.PASSES]
        self.assertEqual(dumps[-1], graph)
        self.assertEqual(len(set(dumps[:-1])), len(dumps) - 1 - len(self.IDLE))
        self.assertNotIn(b"gemm_u8s8", graph)

    def test_a_pass_that_is_left_out_changes_the_plan_but_the_one_that_is_needed_is_named(self):
        whole = self.succeed("explain")
        others = [name for name in self.PASSES if name != "assign_formats"]
        for disabled in [[name] for name in others] + [others, ["merge_qkv", "fuse_bias"]]:
            options = [word for name in disabled for word in ("--disable-pass", name)]
            with self.subTest(disabled):
                plan = self.succeed("explain", *options)
                if disabled != ["remove_dead_nodes"] and disabled[0] not in self.IDLE:  # others may leave no dead ones
                    self.assertNotEqual(plan, whole)
        self.assert_sentence(run("explain", "--disable-pass", "assign_formats"), "assign_formats", code=1)


main()
