#!/usr/bin/env python3
"""nybble bench kernels: what it prints, never how fast."""
import json
import xml.etree.ElementTree

from nybble_program import ProgramTest, environment, main, run, runnable_sets

FIELDS = ["kernel", "isa", "m", "n", "k", "gmac_s", "mac_per_cycle", "peak_share", "weight_gb_s", "vs_onednn", "vs_scalar"]
PRODUCTS = ["gemm_u8s8", "gemm_u8s7", "gemm_u8s6", "gemm_u8s5", "gemm_u8s4", "gemm_u4s4"]


class BenchKernels(ProgramTest):
    def setUp(self):
        super().setUp()
        self.shapes = self.folder / "shapes.txt"
        self.shapes.write_text("# one layer\n\ntiny 48 72  # N K\n")

    def bench(self, *arguments, **options):
        return self.succeed("bench", "kernels", "--shapes", self.shapes, "--rounds", 1, *arguments, **options).decode()

    def test_json_is_an_object_a_line_with_exactly_the_fields(self):
        lines = [json.loads(line) for line in self.bench("--json", "--rows", 1, 5, "--op", *PRODUCTS).splitlines()]
        for name in PRODUCTS:
            found = [line for line in lines if line["kernel"].split("/")[0] == name]
            self.assertEqual({line["m"] for line in found}, {1, 5}, name)
        for line in lines:
            self.assertEqual(list(line), FIELDS)
            self.assertEqual((line["n"], line["k"]), (48, 72))
            self.assertGreater(line["gmac_s"], 0)
            self.assertGreater(line["vs_scalar"], 0)

    def test_each_set_is_measured_in_the_order_given(self):
        sets = runnable_sets()
        lines = self.bench("--json", "--rows", 2, "--op", "gemm_u8s8", "--isa", *sets).splitlines()
        self.assertEqual([json.loads(line)["isa"] for line in lines], sets)
        for line in map(json.loads, lines):
            self.assertEqual(line["peak_share"] is None, line["isa"] == "scalar")
            self.assertEqual(line["vs_onednn"] is None, line["isa"] == "scalar")

    def test_the_environment_chooses_the_set_where_no_option_does(self):
        line = json.loads(self.bench("--json", "--op", "relu", env=environment(NYBBLE_ISA="scalar")))
        self.assertEqual(line["isa"], "scalar")

    def test_an_entry_without_products_has_cycles_an_element(self):
        for line in map(json.loads, self.bench("--json", "--op", "layernorm").splitlines()):
            self.assertEqual(list(line)[:len(FIELDS)], FIELDS)
            self.assertIsNone(line["gmac_s"])
            self.assertGreater(line["cycles_per_element"], 0)

    def test_the_table_names_the_columns_the_machine_and_the_layers(self):
        text = self.bench("--rows", 3, "--op", "gemm_u8s8", "relu")
        for part in ("one thread", "MAC/cycle", "x oneDNN", "cycles/e", "tiny", "clock:"):
            self.assertIn(part, text)

    def test_groups_may_be_named_alone(self):
        lines = self.bench("--json", "--rows", 1, "--op", "gemm_u8s4/g64").splitlines()
        self.assertEqual([json.loads(line)["kernel"] for line in lines], ["gemm_u8s4/g64"])

    def test_the_roofline_is_an_image_with_the_points_and_roofs(self):
        svg = self.folder / "roofline.svg"
        self.bench("--rows", 1, 4, "--op", "gemm_u8s8", "--svg", svg, "--isa", "scalar")
        root = xml.etree.ElementTree.parse(svg).getroot()
        self.assertEqual(root.tag, "{http://www.w3.org/2000/svg}svg")
        self.assertEqual(len(root.findall(".//{*}title")), 2)

    def test_a_shapes_file_that_cannot_be_used_is_a_sentence(self):
        for text, *parts in (("tiny 48\n", "line 1", "NAME N K", "2 words"), ("# no\ntiny 48 x\n", "line 2", "'x'"),
                             ("tiny 0 4\n", "line 1", "'0'"), ("# none\n", "none")):
            self.shapes.write_text(text)
            result = run("bench", "kernels", "--shapes", self.shapes)
            self.assert_sentence(result, str(self.shapes), *parts, code=1)
        self.assert_sentence(run("bench", "kernels", "--shapes", "/no/such/file"), "/no/such/file", code=1)

    def test_an_image_that_cannot_be_written_is_found_before_measuring(self):
        self.assert_sentence(run("bench", "kernels", "--svg", "/no/such/folder/a.svg"), "/no/such/folder", code=1)


main()
