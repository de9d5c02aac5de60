#!/usr/bin/env python3
"""What a model gives beside one pooled row, prompts, dimensions and long texts, on the command line."""
import json
import math
import shutil

from nybble_program import GOLDEN, MICRO, ProgramTest, environment, main, read_safetensors, run, write_safetensors

EMBED = GOLDEN / "embed"
TEXTS = (EMBED / "texts.txt").read_bytes()
COUNT = len(TEXTS.splitlines())
LONG = b"a null device takes whatever is written to it, and gives nothing to who reads " * 8


def read_rows(path):
    data = path.read_bytes()
    header = data[10:10 + int.from_bytes(data[8:10], "little")].decode()
    columns = int(header.split("'shape': (")[1].split(")")[0].split(",")[1])
    import array
    floats = array.array("f", data[10 + len(header):])
    return [list(floats[i:i + columns]) for i in range(0, len(floats), columns)]


class Embedding(ProgramTest):
    def lines(self, folder, *options, texts=TEXTS, code=0):
        result = run("embed", "--weights", "f32", "--model", EMBED / folder, *options, stdin=texts)
        self.assertEqual(result.returncode, code, result.stderr)
        return [json.loads(line) for line in result.stdout.splitlines()]

    def rows(self, folder, *options, **more):
        return [line["embedding"] for line in self.lines(folder, *options, **more)]

    def assert_close(self, found, expected):
        self.assertEqual(len(found), len(expected))
        for a, b in zip(found, expected, strict=True):
            self.assertLess(max(abs(x - y) for x, y in zip(a, b, strict=True)), 2e-5)

    def test_rows_are_the_reference_s_with_the_default_prompt_and_by_name(self):
        for folder, options, golden in (
                ("two-dense", [], "embeddings"), ("mean-cls-max-before-6", [], "embeddings"),
                ("prompt-left-out", [], "query"), ("prompt-left-out", ["--prompt-name", "document"], "document"),
                ("prompt-left-out", ["--prompt", "text: "], "document"),
                ("matryoshka", ["--dimensions", "7"], "dimensions-7")):
            with self.subTest(folder=folder, options=options):
                self.assert_close(self.rows(folder, *options), read_rows(EMBED / folder / "golden" / f"{golden}.npy"))

    def test_several_poolings_stand_side_by_side(self):
        both = self.rows("last", "--pooling", "cls,last")
        self.assertEqual([row[40:] for row in both], self.rows("last"))
        self.assertEqual([row[:40] for row in both], self.rows("last", "--pooling", "cls"))

    def test_sparse_rows_are_tokens_and_weights(self):
        vocabulary = json.loads((MICRO / "tokenizer.json").read_text())["model"]["vocab"]
        golden = read_rows(EMBED / "splade/golden/embeddings.npy")
        for line, row in zip(self.lines("splade"), golden, strict=True):
            self.assertEqual(sorted(line), ["index", "tokens", "weights"])
            found = [0.0] * len(row)
            for token, weight in zip(line["tokens"], line["weights"], strict=True):
                self.assertGreater(weight, 0)
                found[vocabulary[token]] = weight
            self.assert_close([found], [row])

    def test_multi_vector_models_give_several_rows_a_text(self):
        for role in ("query", "document"):
            lines = self.lines("colbert", "--prompt-name", role)
            counts = json.loads((EMBED / f"colbert/golden/{role}_rows.json").read_text())
            self.assertEqual([len(line["embeddings"]) for line in lines], counts)
            self.assert_close([row for line in lines for row in line["embeddings"]],
                              read_rows(EMBED / f"colbert/golden/{role}.npy"))

    def test_rows_of_tokens_are_one_a_token(self):
        lines = self.lines("last", "--per-token")
        tokens = run("tokenize", "--max-tokens", "64", stdin=TEXTS).stdout.splitlines()
        for line, row, text in zip(lines, self.rows("last"), tokens, strict=True):
            self.assertEqual(len(line["embeddings"]), len(json.loads(text)["ids"]))
            self.assertEqual(line["embeddings"][-1], row)

    def test_formats_that_hold_one_row_a_text_are_refused_for_others(self):
        for folder, *options in (("splade",), ("colbert",), ("last", "--per-token")):
            result = run("embed", "--model", EMBED / folder, "--format", "f32", *options, stdin=TEXTS)
            self.assert_sentence(result, "--format", "jsonl", code=2)

    def test_similarity_is_the_cosine_the_dot_product_or_late_interaction(self):
        texts = ["hacker", "a null device", "(what) - is: this"]
        scores = lambda folder: [float(line.split("\t")[0]) for line in self.succeed(
            "similarity", "--weights", "f32", "--model", EMBED / folder, *texts).decode().splitlines()]
        data = "\n".join(texts).encode()
        dot = lambda x, y: sum(a * b for a, b in zip(x, y, strict=True))
        dense = self.rows("last", texts=data)
        sparse = [dict(zip(line["tokens"], line["weights"])) for line in self.lines("splade", texts=data)]
        query = self.lines("colbert", "--prompt-name", "query", texts=texts[0].encode())[0]["embeddings"]
        documents = [line["embeddings"] for line in self.lines("colbert", texts=data)][1:]
        for found, expected in (
                (scores("last"), [dot(dense[0], row) / math.sqrt(dot(dense[0], dense[0]) * dot(row, row))
                                  for row in dense[1:]]),
                (scores("splade"), [sum(weight * row.get(token, 0) for token, weight in sparse[0].items())
                                    for row in sparse[1:]]),
                (scores("colbert"), [sum(max(dot(q, d) for d in document) for q in query) for document in documents])):
            for a, b in zip(found, expected, strict=True):
                self.assertAlmostEqual(a, b, places=3)

    def test_info_shows_output_modules_and_prompts(self):
        for folder, *lines in (
                ("two-dense", "output +a row of 20 values a text", "pooling +mean",
                 "modules +Dense to 48, silu of tokens; Normalize of tokens; Dense to 64, gelu_erf; "
                 "Dense to 64, residual; LayerNorm; Dense to 20, sigmoid, residual", "normalize +yes"),
                ("all-poolings", r"pooling +cls \+ max \+ mean \+ mean-sqrt-len \+ weighted-mean \+ last",
                 "output +a row of 240 values a text", "normalize +no"),
                ("prompt-left-out", r'prompt +document: "text: "', r'prompt +query: "represent the question: " \(the default\)'),
                ("matryoshka", "output +a row of 16 values a text"),
                ("splade", "output +a sparse row a text: weights of the vocabulary's 307 tokens", "pooling +none"),
                ("colbert-stanford", "output +a row of 12 values for each token that is compared")):
            text = self.succeed("info", "--model", EMBED / folder).decode()
            for line in lines:
                self.assertRegex(text, rf"(?m)^{line}$")


class LongTexts(ProgramTest):
    def row(self, *options, texts=LONG):
        result = run("embed", *options, stdin=texts)
        self.assertEqual(result.returncode, 0, result.stderr)
        return [json.loads(line)["embedding"] for line in result.stdout.splitlines()], result.stderr.decode()

    def test_a_long_text_is_cut_on_either_side_which_is_said_or_refused(self):
        right, said = self.row()
        self.assertIn("1 text", said)
        self.assertEqual(self.row("--truncate", "right")[0], right)
        left, said = self.row("--truncate", "left")
        self.assertNotEqual(left, right)
        self.assertIn("1 text", said)
        result = run("embed", "--truncate", "error", stdin=b"short\n" + LONG)
        message = result.stderr.decode()
        self.assertEqual(result.returncode, 1)
        self.assertRegex(message, r"\Anybble: standard input: line 2: expected at most 64 tokens, special ones "
                                  r"included, found \d+\n\Z")

    def test_classifiers_and_rerankers_cut_on_either_side_or_refuse(self):
        (self.folder / "texts.txt").write_bytes(b"short\n" + LONG + b"\n")
        for command, model in ((["classify"], "bert"), (["rerank", "a null device"], "rerank-bert")):
            arguments = [*command, "--weights", "f32", "--model", GOLDEN / "tasks" / model, "--max-tokens", "20",
                         self.folder / "texts.txt", "--format", "jsonl"]
            outputs = []
            for side in ("right", "left"):
                result = run(*arguments, "--truncate", side)
                self.assertEqual((result.returncode, result.stderr), (0, b"nybble: 1 text cut to 20 tokens\n"))
                outputs.append(result.stdout)
            self.assertNotEqual(*outputs)
            self.assertEqual(outputs[0], run(*arguments).stdout)
            result = run(*arguments, "--truncate", "error")
            self.assertEqual((result.returncode, result.stdout), (1, b""))
            self.assertEqual(result.stderr.decode(), f"nybble: {self.folder}/texts.txt: line 2: expected at most 20 "
                                                     "tokens, found more\n")

    def test_windows_read_all_of_a_text(self):
        rows, said = self.row("--chunk", "20", "--overlap", "4")
        self.assertEqual(said, "")
        self.assertAlmostEqual(math.hypot(*rows[0]), 1, places=5)
        changed, _ = self.row("--chunk", "20", "--overlap", "4", texts=LONG.strip() + b" but this")
        self.assertNotEqual(changed, rows)
        self.assertEqual(self.row("--truncate", "right", texts=LONG.strip() + b" but this")[0], self.row()[0])

    def test_windows_that_cannot_be_are_a_sentence(self):
        for options, *parts in ((["--chunk", "65"], "chunk", "64", "65"), (["--chunk", "2"], "chunk", "2 special"),
                                (["--chunk", "10", "--overlap", "8"], "chunk", "8 that windows share"),
                                (["--chunk", "9", "--prompt", "a null device and more"], "chunk", "of the prompt")):
            with self.subTest(options):
                self.assert_sentence(run("embed", *options, stdin=b"text"), *parts, code=1)


class Damaged(ProgramTest):
    def copy(self, name):
        shutil.rmtree(self.folder / name, ignore_errors=True)
        shutil.copytree(EMBED / name, self.folder / name, ignore=shutil.ignore_patterns("golden"))
        return self.folder / name

    def assert_refused(self, model, *parts):
        self.assert_sentence(run("embed", "--model", model, stdin=b"text"), *parts, code=1)

    def change(self, name, file, **changes):
        model = self.copy(name)
        value = json.loads((model / file).read_text())
        (model / file).write_text(json.dumps({**value, **changes}))
        return model

    def test_a_module_without_its_weights_is_a_sentence(self):
        model = self.copy("max-dense")
        (model / "2_Dense/model.safetensors").rename(model / "2_Dense/pytorch_model.bin")
        self.assert_refused(model, str(model / "2_Dense"), "model.safetensors", "only pytorch_model.bin")
        (model / "2_Dense/pytorch_model.bin").unlink()
        self.assert_refused(model, str(model / "2_Dense"), "model.safetensors", "none")
        (model / "2_Dense/config.json").unlink()
        self.assert_refused(model, "2_Dense/config.json")

    def test_weights_of_another_shape_are_a_sentence_with_both(self):
        self.assert_refused(self.change("max-dense", "2_Dense/config.json", out_features=23), "2_Dense/linear.weight",
                            "[23, 40]", "[24, 40]")
        model = self.copy("max-dense")
        tensors = read_safetensors(model / "2_Dense/model.safetensors")
        del tensors["linear.bias"]
        write_safetensors(model / "2_Dense/model.safetensors", tensors)
        self.assert_refused(model, "2_Dense/linear.bias", "[24]")

    def test_configurations_that_are_odd_are_a_sentence_with_file_and_key(self):
        for name, file, key, value, *parts in (
                ("max-dense", "2_Dense/config.json", "activation_function", "torch.nn.modules.activation.Mish", "Tanh"),
                ("max-dense", "2_Dense/config.json", "module_input_name", "token_embeddings", "sentence_embedding"),
                ("matryoshka", "config_sentence_transformers.json", "truncate_dim", "16"),
                ("matryoshka", "config_sentence_transformers.json", "default_prompt_name", "passage", "passage"),
                ("matryoshka", "config_sentence_transformers.json", "model_type", "SparseEncoder", "SentenceTransformer"),
                ("splade", "1_SpladePooling/config.json", "pooling_strategy", "mean", "max", "sum"),
                ("splade", "sentence_bert_config.json", "transformer_task", "feature-extraction", "fill-mask"),
                ("colbert", "2_MultiVectorMask/config.json", "skiplist_words", 3, "array"),
                ("colbert", "sentence_bert_config.json", "query_expansion", {"strategy": "fixed"}, "length")):
            with self.subTest(name=name, key=key, value=value):
                part = "query_expansion" if key == "query_expansion" else key
                self.assert_refused(self.change(name, file, **{key: value}), file, part, *parts)

    def test_an_unknown_prompt_is_a_sentence_with_those_there_are(self):
        result = run("embed", "--model", EMBED / "matryoshka", "--prompt-name", "passage", stdin=b"text")
        self.assert_sentence(result, "document, query", "'passage'", code=1)
        self.assert_sentence(run("embed", "--prompt-name", "x", stdin=b"text", env=environment()), "prompt name", code=1)

    def test_a_query_expansion_without_its_token_is_a_sentence(self):
        model = self.change("colbert", "sentence_bert_config.json",
                            query_expansion={"strategy": "fixed", "length": 8, "token": "[FILL]"})
        self.assert_refused(model, "query expansion", "[FILL]")


main()
