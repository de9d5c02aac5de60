#!/usr/bin/env python3
"""nybble rerank, classify, ner and fill-mask: what they write, and what they refuse."""
import json

from nybble_program import GOLDEN, MICRO, ProgramTest, main, run, runnable_sets

BERT, ROBERTA, RERANK = (GOLDEN / "tasks" / name for name in ("bert", "roberta", "rerank-bert"))


class Tasks(ProgramTest):
    def lines(self, *arguments, text, **more):
        return self.succeed(*arguments, stdin=text.encode(), **more).decode().splitlines()

    def objects(self, *arguments, text):
        return [json.loads(line) for line in self.lines(*arguments, "--format", "jsonl", text=text)]

    def test_rerank_writes_score_line_and_text_in_the_order_of_a_cross_encoder(self):
        golden = json.loads((RERANK / "golden/rank.json").read_text())
        text = "".join(document + "\n" for document in golden["documents"])
        found = self.objects("rerank", "--model", RERANK, "--weights", "f32", golden["query"], text=text)
        self.assertEqual([row["line"] for row in found], [rank["corpus_id"] + 1 for rank in golden["ranks"]])
        for row, rank in zip(found, golden["ranks"], strict=True):
            self.assertAlmostEqual(row["score"], rank["score"], delta=1e-4)
            self.assertEqual(row["text"], golden["documents"][rank["corpus_id"]])
        best = self.lines("rerank", "--model", RERANK, "--weights", "f32", "--top-k", "2", golden["query"], text=text)
        self.assertEqual(best, [f"{row['score']:.4f}\t{row['line']}\t{row['text']}" for row in found[:2]])

    def test_rerank_reads_a_field_of_json_lines(self):
        text = '{"body": "dumped core", "id": 1}\n{"body": "An implementor", "id": 2}\n'
        found = self.objects("rerank", "--model", RERANK, "--field", "body", "Who?", text=text)
        self.assertEqual({row["text"] for row in found}, {"dumped core", "An implementor"})

    def test_classify_writes_labels_by_score_of_texts_and_pairs(self):
        for row in map(json.loads, (BERT / "golden/classify.jsonl").read_text().splitlines()):
            pair = ["--pairs"] if "text_pair" in row else []
            text = row["text"] if not pair else row["text"] + "\t" + row["text_pair"]
            if "\t" in row["text"]:
                continue
            found, = self.objects("classify", "--model", BERT, "--weights", "f32", "--all", "--scoring",
                                  row["function"], *pair, text=text + "\n")
            self.assertEqual([label["label"] for label in found["labels"]], [label["label"] for label in row["labels"]])
            for label, expected in zip(found["labels"], row["labels"], strict=True):
                self.assertAlmostEqual(label["score"], expected["score"], delta=1e-4)

    def test_classify_writes_the_best_label_of_each_line(self):
        all_labels = self.lines("classify", "--model", BERT, "--all", text="one\n\nthree\n")
        self.assertEqual(len(all_labels), 3)
        self.assertEqual([line.split("\t")[:2] for line in all_labels],
                         [line.split("\t") for line in self.lines("classify", "--model", BERT, text="one\n\nthree\n")])
        pairs = '{"a": "null device", "b": "a data sink"}\n'
        self.assertEqual(self.lines("classify", "--model", BERT, "--field", "a", "--pair-field", "b", text=pairs),
                         self.lines("classify", "--model", BERT, "--pairs", text="null device\ta data sink\n"))

    def test_ner_writes_the_entities_of_the_pipeline_with_characters_and_bytes(self):
        for folder in (BERT, ROBERTA):
            for row in map(json.loads, (folder / "golden/ner.jsonl").read_text().splitlines()):
                if row["ignore"] != ["O"] or "\t" in row["text"] or row["strategy"] == "none":
                    continue
                text = row["text"]
                found, = self.objects("ner", "--model", folder, "--weights", "f32", "--aggregation", row["strategy"],
                                      text=text + "\n")
                self.assertEqual([(e["label"], e["word"], e["start"], e["end"]) for e in found["entities"]],
                                 [(e["entity_group"], e["word"], e["start"], e["end"]) for e in row["entities"]])
                for entity in found["entities"]:
                    self.assertEqual(text.encode()[entity["byte_start"]:entity["byte_end"]].decode(),
                                     text[entity["start"]:entity["end"]])

    def test_ner_reads_long_texts_in_windows_and_says_so(self):
        text = "Guy Steele met the hackers of Palo Alto. " * 20 + "\nA.\n"
        result = run("ner", "--model", BERT, stdin=text.encode())
        self.assertEqual(result.returncode, 0)
        self.assertRegex(result.stderr.decode(), r"\Anybble: 1 long text read in \d+ windows\n\Z")
        numbers = [list(map(int, line.split("\t")[:3])) for line in result.stdout.decode().splitlines()]
        self.assertEqual(numbers, sorted(numbers))
        self.assertGreater(max(end for line, _, end in numbers if line == 1), 600)

    def test_ner_with_nothing_ignored_covers_every_token(self):
        found, = self.objects("ner", "--model", BERT, "--aggregation", "none", "--ignore", "", text="core dump\n")
        self.assertEqual((found["entities"][0]["start"], found["entities"][-1]["end"]), (0, 9))

    def test_fill_mask_writes_the_tokens_of_the_pipeline(self):
        for folder in (BERT, ROBERTA):
            for row in map(json.loads, (folder / "golden/fill_mask.jsonl").read_text().splitlines()):
                found, = self.objects("fill-mask", "--model", folder, "--weights", "f32", "--top-k", "4",
                                      text=row["text"] + "\n")
                self.assertEqual([[filling["id"] for filling in mask] for mask in found["masks"]],
                                 [[filling["token"] for filling in mask] for mask in row["masks"]])
                self.assertEqual([[filling["text"] for filling in mask] for mask in found["masks"]],
                                 [[filling["sequence"] for filling in mask] for mask in row["masks"]])

    def test_what_cannot_be_is_said_in_a_sentence(self):
        long = ("core " * 200).encode()
        self.assert_sentence(run("fill-mask", "--model", BERT, stdin=b"nothing\n"), "standard input: line 1: ",
                             "expected a mask, [MASK], found none")
        self.assert_sentence(run("fill-mask", "--model", BERT, "--truncate", "error", stdin=b"[MASK]\n[MASK] " + long),
                             "standard input: line 2: ", "76 tokens")
        self.assert_sentence(run("fill-mask", "--model", BERT, stdin=b"[MASK]\n" + long + b"[MASK]"), "line 2: ",
                             "found 0 of 1")
        self.assert_sentence(run("ner", "--model", MICRO), "token classification", "nybble embed")
        self.assert_sentence(run("rerank", "--model", BERT, "q"), "one label", "nybble classify")
        self.assert_sentence(run("classify", "--model", BERT, "--pairs", stdin=b"alone\n"), "line 1", "no tab")
        self.assert_sentence(run("classify", "--model", BERT, "--pair-field", "b"), "--field")
        self.assert_sentence(run("ner", "--model", BERT, "--chunk", "10", "--overlap", "8", stdin=b"a\n"), "overlap")
        self.assert_sentence(run("classify", "--model", BERT, "--truncate", "error", stdin=long), "76 tokens")
        self.assert_sentence(run("ner", "--model", BERT, "--truncate", "error", stdin=b"a\n" + long), "line 2: ", "76 tokens")
        self.assert_sentence(run("ner", "--model", BERT, "--truncate", "left", "--chunk", "20", stdin=b"a\n"), "--chunk",
                             "excludes", "--truncate")
        self.assert_sentence(run("embed", "--model", RERANK), "found a CrossEncoder", "nybble rerank")

    def test_texts_are_cut_as_asked_and_that_is_said(self):
        text = ("first " + "core " * 200 + "last\n").encode()
        found = {}
        for side in ("left", "right"):
            result = run("classify", "--model", BERT, "--all", "--truncate", side, stdin=text)
            self.assertEqual(result.stderr, b"nybble: 1 text cut to 76 tokens\n")
            found[side] = result.stdout
        self.assertNotEqual(found["left"], found["right"])
        tokens = {}
        for side in ("left", "right"):
            result = run("ner", "--model", BERT, "--aggregation", "none", "--ignore", "", "--truncate", side, "--max-tokens",
                         "20", "--format", "jsonl", stdin=text)
            self.assertEqual((result.returncode, result.stderr), (0, b"nybble: 1 text cut to 20 tokens\n"))
            tokens[side] = json.loads(result.stdout)["entities"]
        self.assertEqual([len(entities) for entities in tokens.values()], [18, 18])
        self.assertEqual((tokens["right"][0]["start"], tokens["left"][-1]["end"]), (0, len(text) - 1))
        masked = run("fill-mask", "--model", BERT, "--truncate", "left", stdin=text + text.replace(b"last", b"[MASK]"))
        self.assert_sentence(masked, "line 1: ", "found none")
        masked = run("fill-mask", "--model", BERT, "--truncate", "left", "--top-k", "1", stdin=text.replace(b"last", b"[MASK]"))
        self.assertEqual((masked.returncode, masked.stderr), (0, b"nybble: 1 text cut to 76 tokens\n"))

    def test_invalid_utf8_is_read_as_a_replacement_character_and_said(self):
        for command, folder in (("classify", BERT), ("ner", BERT), ("fill-mask", BERT)):
            result = run(command, "--model", folder, stdin=b"a [MASK]\nb \xff [MASK]\n")
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(result.stderr, b"nybble: standard input: 1 invalid UTF-8 part read as U+FFFD, the first in "
                                            b"line 2\n")

    def test_with_integer_weights_scores_are_the_same_bytes_on_every_instruction_set_and_number_of_threads(self):
        texts = b"The [MASK] dumped core.\nGuy Steele met a [MASK] at MIT.\n"
        for command in (["rerank", "--model", RERANK, "Who?"], ["classify", "--model", BERT, "--all"],
                        ["ner", "--model", ROBERTA, "--aggregation", "average"], ["fill-mask", "--model", BERT]):
            found = {self.succeed(*command, "--format", "jsonl", "--isa", isa, "--threads", threads, stdin=texts)
                     for isa in runnable_sets() for threads in ("1", "2")}
            self.assertEqual(len(found), 1, command)
            self.assertGreater(len(found.pop()), 100)

    def test_info_says_which_tasks_a_folder_serves(self):
        tasks = lambda folder: [line for line in self.succeed("info", "--model", folder).decode().splitlines()
                                if line.startswith("tasks ")]
        self.assertEqual(tasks(MICRO), ["tasks                embed"])
        self.assertEqual(tasks(BERT), ["tasks                embed, classify, ner, fill-mask"])
        self.assertEqual(tasks(RERANK), ["tasks                classify, rerank"])


if __name__ == "__main__":
    main()
