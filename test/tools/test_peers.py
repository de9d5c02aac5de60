#!/usr/bin/env python3
"""The parts of bench/peers that need no engine: test_peers.py REPOSITORY [unittest's own arguments]."""
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import types
import unittest
import xml.dom.minidom

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(sys.argv.pop(1)) / "bench/peers"))
import cases
import contenders
import engines
import inputs
import masked_library
import picture
import report


class WordsAsIds:
    """Stands for a tokenizer: an id a word, between 101 and 102."""

    @staticmethod
    def encode(text):
        return types.SimpleNamespace(ids=[101, *range(1000, 1000 + len(text.split())), 102])


def finished_run(milliseconds, cosines, waited=0):
    """A run of one case of 100 tokens in which engine NAME took milliseconds[NAME]; text instead is why it failed."""
    results = {name: types.SimpleNamespace(reason=ms if isinstance(ms, str) else "", ms=[ms], best=ms, median=ms, batch=4,
                                           mean_cosine=cosines.get(name, 1), worst_cosine=cosines.get(name, 1) - 0.001)
               for name, ms in milliseconds.items()}
    case = types.SimpleNamespace(title="a <case>", tokens=100, ids=[[1] * 100])
    return types.SimpleNamespace(results=results, case=case, peak_gmac_s=100, share_waited=waited, peaks=[{"instruction": "imul"}])


def figures_of(run):
    return {name: report.Figures(name, result, run, macs=1e6) for name, result in run.results.items()}


class Inputs(unittest.TestCase):
    def test_the_ragged_lengths_are_what_the_readme_says(self):
        lengths = inputs.ragged_lengths()
        self.assertEqual((len(lengths), min(lengths), max(lengths), statistics.median(lengths), sum(lengths)),
                         (64, 8, 256, 40, 2702))

    def test_sequences_have_exact_lengths_and_follow_each_other_in_the_text(self):
        source = inputs.IdSource(WordsAsIds)
        self.assertEqual(source.sequence(5), [101, 1000, 1001, 1002, 102])
        self.assertEqual(source.sequence(4), [101, 1003, 1004, 102])
        for _ in range(200):
            self.assertEqual(len(source.sequence(512)), 512)

    def test_items_are_spread_over_all_or_repeated(self):
        self.assertEqual(inputs.spread(list(range(10)), 5), [0, 2, 4, 6, 8])
        self.assertEqual(inputs.spread([1, 2], 5), [1, 2, 1, 2, 1])


class Cases(unittest.TestCase):
    def test_a_case_of_another_pooling_is_named_after_it(self):
        options = types.SimpleNamespace(texts=1, max_tokens=8)
        mean, cls = (cases.make("1x16", pooling, WordsAsIds, options) for pooling in ("mean", "cls"))
        self.assertEqual((mean.name, mean.title, mean.pooling), ("1x16", "1 sequence of 16", "mean"))
        self.assertEqual((cls.name, cls.title, cls.pooling), ("1x16 cls", "1 sequence of 16, CLS pooling", "cls"))
        self.assertEqual(mean.ids, cls.ids)


LOOKUP = """
#include <cpuid.h>
#include <stdio.h>
int main(int count, char** arguments) {
  unsigned a, b, c, d;
  __cpuid_count(1, 0, a, b, c, d);
  printf("%u %u ", a, d);
  __cpuid_count(7, 0, a, b, c, d);
  printf("%u %u %u\\n", b, c, d);
  if (count > 1) __builtin_trap();
}
"""
BEYOND_AVX2 = 1 << 16 | 1 << 17 | 1 << 30 | 1 << 31  # of leaf 7's EBX: AVX512F, DQ, BW, VL


@unittest.skipUnless(shutil.which("cc") and shutil.which("objdump"), "no cc or objdump")
class MaskedLibraries(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="nybble-test-")
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        (self.folder / "package").mkdir()
        (self.folder / "lookup.c").write_text(LOOKUP)
        self.program = self.folder / "package/lookup.so"
        subprocess.run(["cc", "-O1", "-o", self.program, self.folder / "lookup.c"], check=True)

    def run_program(self, program, *arguments, **environment):
        return subprocess.run([program, *arguments], capture_output=True, text=True, env={**os.environ, **environment})

    def test_a_masked_program_sees_avx2_and_all_that_is_no_later_than_that(self):
        plain = [int(word) for word in self.run_program(self.program).stdout.split()]
        environment = masked_library.make_masked(self.program.parent, self.folder / "masked")
        self.assertEqual(environment["PYTHONPATH"], str(self.folder / "masked"))
        found = self.run_program(self.folder / "masked/package/lookup.so", **environment)
        masked = [int(word) for word in found.stdout.split()]
        self.assertEqual(found.returncode, 0)
        self.assertEqual((masked[0] & 0xFFFFFF, masked[1]), (plain[0] & 0xFFFFFF, plain[1]))
        self.assertEqual(masked[2] & BEYOND_AVX2, 0)
        self.assertEqual(masked[2] & 1 << 5, plain[2] & 1 << 5)  # AVX2
        self.assertEqual(masked[3] & 1 << 11, 0)  # AVX512_VNNI

    def test_other_illegal_instructions_still_end_the_program(self):
        environment = masked_library.make_masked(self.program.parent, self.folder / "masked")
        found = self.run_program(self.folder / "masked/package/lookup.so", "trap", **environment)
        self.assertEqual(found.returncode, -signal.SIGILL)

    def test_a_package_without_the_instruction_is_an_error(self):
        (self.folder / "lookup.c").write_text("int main(void) { return 0; }")
        subprocess.run(["cc", "-o", self.program, self.folder / "lookup.c"], check=True)
        with self.assertRaises(SystemExit):
            masked_library.make_masked(self.program.parent, self.folder / "masked")


class Contenders(unittest.TestCase):
    def test_narrow_weights_take_part_where_no_instruction_multiplies_bytes_well(self):
        self.assertNotIn("nybble-int6", contenders.default_names(None))
        self.assertIn("nybble-int6", contenders.default_names("avx2"))

    def test_a_run_without_an_instruction_set_changes_no_environment(self):
        self.assertEqual(contenders.isa_environment(types.SimpleNamespace(isa=None), "onnxruntime"), {})
        held = contenders.isa_environment(types.SimpleNamespace(isa="avx2"))
        self.assertEqual((held["NYBBLE_ISA"], held["ONEDNN_MAX_CPU_ISA"]), ("avx2", "AVX2"))

    def test_every_peer_has_an_engine_and_every_engine_is_a_peer(self):
        self.assertEqual({one.name for one in contenders.CONTENDERS if one.is_peer}, set(engines.CLASSES))


class Report(unittest.TestCase):
    RUN = finished_run({"nybble-int8": 2.0, "ort-int8": 3.0, "openvino-dynamic": 5.0, "torch-bf16": 8.0, "ort-f32": 2.5,
                        "st-torch": "exit code 1: no | bar\nmore"}, {"nybble-int8": 0.999, "ort-int8": 0.99,
                                                                     "openvino-dynamic": 0.9989})

    def test_the_summary_names_the_fastest_int8_peer_and_the_fastest_as_accurate(self):
        row = report.summary_row(self.RUN, figures_of(self.RUN))
        self.assertEqual(row, "| a <case> | 2.00 | 50 % | ONNX Runtime INT8, 3.00 | **1.50** | OpenVINO INT8, dynamic, 5.00 "
                         "| **2.50** | 4.00 |")

    def test_a_failed_engine_is_a_row_with_its_reason(self):
        section = "\n".join(report.case_section(self.RUN, figures_of(self.RUN)))
        self.assertIn("| sentence-transformers, PyTorch | exit code 1: no / bar |", section)

    def test_without_our_figures_there_are_no_ratios(self):
        run = finished_run({"nybble-int8": "crashed", "ort-int8": 3.0}, {})
        self.assertIn("| – |", report.summary_row(run, figures_of(run)))
        self.assertIn("crashed", "\n".join(report.case_section(run, figures_of(run))))

    def test_a_run_that_was_disturbed_says_so(self):
        for waited, says in ((0.5, True), (0.01, False)):
            run = finished_run({"nybble-int8": 2.0}, {}, waited)
            self.assertEqual("50 % of their time" in "\n".join(report.case_section(run, figures_of(run))), says)

    def test_the_picture_is_well_formed_and_has_a_bar_an_engine(self):
        image = xml.dom.minidom.parseString(picture.draw("a & b", [(self.RUN, figures_of(self.RUN))]))
        self.assertEqual(len(image.getElementsByTagName("rect")), 1 + 5)


if __name__ == "__main__":
    unittest.main()
