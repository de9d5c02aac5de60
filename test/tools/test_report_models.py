#!/usr/bin/env python3
"""The parts of bench/report_models that measure nothing: test_report_models.py REPOSITORY [unittest's arguments]."""
import pathlib
import sys
import unittest

sys.dont_write_bytecode = True
REPOSITORY = pathlib.Path(sys.argv.pop(1))
sys.path.insert(0, str(REPOSITORY / "bench/families"))
import shapes
import table


def golden_names():
    return ["tiny-bert"] + [f"families/{folder.name}" for folder in (REPOSITORY / "test/golden/families").iterdir()]


def row_of(name):
    return table.Row(shapes.BY_NAME[name], f32_error=1.2e-6, mean_cosine=0.9997, least_cosine=0.9981, tasks=("embed",),
                     longest_tokens=8192, texts=48994, longest_seconds=12.6, ours_ms=[110, 100], torch_ms=[420, 400])


class Table(unittest.TestCase):
    def test_every_golden_folder_belongs_to_one_family_and_every_family_has_one(self):
        owners = {name: [] for name in golden_names()}
        for family in shapes.FAMILIES:
            for name in owners:
                row = table.Row(family)
                try:
                    table.fill_goldens(row, {name: (0, 1, 1)})
                    owners[name].append(family.name)
                except SystemExit:
                    pass
        self.assertEqual({name: found for name, found in owners.items() if len(found) != 1}, {})
        self.assertEqual({family.name for family in shapes.FAMILIES}, {found[0] for found in owners.values()})

    def test_of_several_folders_the_worst_error_and_cosine_count_and_the_mean_of_means(self):
        row = table.Row(shapes.BY_NAME["albert"])
        table.fill_goldens(row, {"families/albert": (1e-6, 0.9, 0.8), "families/albert-5": (3e-6, 0.7, 0.85),
                                 "families/alberta": (1, 0, 0)})
        self.assertEqual((row.f32_error, row.least_cosine, row.goldens), (3e-6, 0.8, 2))
        self.assertAlmostEqual(row.mean_cosine, 0.8)

    def test_every_family_has_a_tokenizer_that_parity_is_tested_with(self):
        source = (REPOSITORY / "test/tokenizer/families.py").read_text()
        for family in shapes.FAMILIES:
            self.assertIn(f'finish("{family.tokenizer}"', source)

    def test_texts_of_a_tokenizer_are_added_up(self):
        counts = table.parity_counts("seed 1; 9 real texts, 9 hostile ones\nroberta: 10 texts, 70 tokens, 0 differences\n"
                                     "roberta, hostile: 5 texts, 9 tokens, 2 differences\nalbert: 1 texts, 1 tokens, 0 differences\n"
                                     "9 real and 9 hostile texts, 2 differences\n")
        self.assertEqual(counts, {"roberta": (15, 2), "albert": (1, 0)})
        row = table.Row(shapes.BY_NAME["roberta"])
        table.fill_parity(row, counts)
        self.assertEqual((row.texts, row.differences), (15, 2))
        self.assertRaises(SystemExit, table.fill_parity, table.Row(shapes.BY_NAME["mpnet"]), counts)

    def test_tasks_are_those_with_golden_answers(self):
        self.assertEqual(table.tasks_of(shapes.BY_NAME["roberta"]), ("embed", "classify, rerank", "ner", "fill-mask"))
        self.assertEqual(table.tasks_of(shapes.Family("x", "X", "x", (), "", "", {})), ("embed",))

    def test_the_longest_sequence_is_what_the_positions_leave(self):
        self.assertEqual({name: shapes.BY_NAME[name].longest for name in ("bert", "roberta", "mpnet", "gte-new")},
                         {"bert": 512, "roberta": 512, "mpnet": 512, "gte-new": 8192})

    def test_a_line_has_the_best_calls_and_their_ratio(self):
        cells = [cell.strip() for cell in table.line_of(row_of("roberta")).strip("|").split("|")]
        self.assertEqual(len(cells), len(table.HEAD))
        self.assertEqual(cells[5:], ["8,192 in 13 s", "roberta-base", "10,240", "2,560", "4.0"])
        self.assertIn("(our reference)", table.line_of(row_of("gte-new")))

    def test_a_family_whose_engines_waited_for_a_core_is_named(self):
        calm, waited = row_of("bert"), row_of("mpnet")
        calm.ran, calm.waited, waited.ran, waited.waited = 97, 3, 300, 100
        self.assertIn("MPNet (25%)", "".join(table.disturbed([calm, waited])))
        self.assertNotIn("BERT", "".join(table.disturbed([calm, waited])))
        self.assertEqual(table.disturbed([calm]), [])

    def test_the_page_keeps_all_but_its_table(self):
        page = "a\n" + table.BEGIN + "\nold\n" + table.END + "\nb\n"
        new = table.with_table(page, [row_of("roberta")], "a machine, 1 thread")
        self.assertTrue(new.startswith("a\n" + table.BEGIN) and new.endswith(table.END + "\nb\n"))
        self.assertNotIn("old", new)
        self.assertIn("Measured on a machine, 1 thread.", new)
        self.assertEqual(new, table.with_table(new, [row_of("roberta")], "a machine, 1 thread"))

    def test_docs_models_has_the_place_of_the_table(self):
        page = (REPOSITORY / "docs/models.md").read_text()
        self.assertIn(table.BEGIN, page)
        self.assertIn(table.END, page)


if __name__ == "__main__":
    unittest.main()
