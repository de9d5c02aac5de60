#!/usr/bin/env python3
"""nybble profile: what it says adds up, and its trace has every task. How fast anything is, no test asks."""
import json
import re

from nybble_program import TINY, ProgramTest, main, run

FIELDS = ["cpu", "isa", "threads", "sequences", "tokens", "batches", "rounds", "ms_best", "ms_median", "gmac_s", "peak_share",
          "peak_int8_gmac_s", "peak_f32_gmac_s", "ms_observed", "ms_profiled", "steps",
          "ops", "kinds"]
COST_FIELDS = ["kind", "op", "shape", "format", "kernel", "tasks", "ms", "share", "gmac_s", "peak_share", "gb_s"]
REST = "waits and the rest"


class Profile(ProgramTest):
    def profile(self, *arguments, **more):
        output = self.succeed("profile", "--rounds", "2", "--json", *arguments, **more)
        self.assertEqual(output.count(b"\n"), 1)
        report = json.loads(output)
        self.assertEqual(list(report), FIELDS)
        return report

    def explained_ops(self, *arguments):
        """The op of each step of the plan."""
        lines = self.succeed("explain", *arguments).decode().splitlines()
        return [line.split()[3] for line in lines if re.match(r" *\d+ \d+ ", line)]

    def test_every_step_of_the_plan_is_a_line_that_ran(self):
        for weights in ("int8", "f32"):
            report = self.profile("--weights", weights, "--lengths", "9,5")
            steps = report["steps"]
            for step in steps:
                self.assertEqual(list(step), ["step", "stage", *COST_FIELDS])
                self.assertGreater(step["tasks"], 0)
                self.assertGreaterEqual(step["ms"], 0)
                self.assertGreater(step["gb_s"], 0, step)
            self.assertEqual([step["step"] for step in steps], list(range(1, len(steps) + 1)))
            self.assertEqual([step["op"] for step in steps], self.explained_ops("--weights", weights))
            self.assertTrue(all(step["gmac_s"] > 0 and step["peak_share"] > 0
                                for step in steps if step["kind"] in ("products", "attention")))
            self.assertNotIn("other steps", [kind["kind"] for kind in report["kinds"]])

    def test_the_same_step_of_all_layers_is_one_line_that_has_their_sums(self):
        report = self.profile("--model", TINY, "--threads", "2", "--lengths", "30,9")
        for op in report["ops"]:
            self.assertEqual(list(op), ["steps", *COST_FIELDS])
            same = [step for step in report["steps"] if all(step[key] == op[key] for key in ("op", "shape", "kernel"))]
            self.assertEqual((len(same), sum(step["tasks"] for step in same)), (op["steps"], op["tasks"]))
            for key in ("ms", "share"):
                self.assertAlmostEqual(sum(step[key] for step in same), op[key], delta=1e-6 * op[key])
            low, high = (pick(step["gmac_s"] for step in same) for pick in (min, max))
            self.assertTrue(low * (1 - 1e-6) <= op["gmac_s"] <= high * (1 + 1e-6), op)
        self.assertEqual(sum(op["steps"] for op in report["ops"]), len(report["steps"]))
        self.assertLess(len(report["ops"]), len(report["steps"]))

    def test_what_is_done_once_a_sequence_is_counted_so(self):
        one, many = (self.profile("--pooling", "cls", "--lengths", lengths)["steps"] for lengths in ("20", "10,10"))
        rates = [[(step["op"], step["gmac_s"] * step["ms"]) for step in steps if step["kind"] == "products"]
                 for steps in (one, many)]
        ratios = [after / before for (_, before), (_, after) in zip(*rates)]
        self.assertEqual({round(ratio, 6) for ratio in ratios}, {1, 2}, rates)

    def test_times_add_up_to_no_more_than_a_call_on_all_threads(self):
        (self.folder / "texts").write_text("some words\nand more words\n\n" * 9)
        for threads in (1, 2, 3):
            for given in (["--lengths", "64,1,30"], ["--texts-file", self.folder / "texts"]):
                report = self.profile("--threads", threads, *given)
                whole = report["ms_profiled"] * threads
                kinds = {kind["kind"]: kind for kind in report["kinds"]}
                steps = sum(step["ms"] for step in report["steps"])
                self.assertLessEqual(steps, whole)
                self.assertLessEqual(report["ms_profiled"], report["ms_observed"] * (1 + 1e-9))
                self.assertEqual("tokenizer" in kinds, given[0] == "--texts-file")
                self.assertGreaterEqual(kinds[REST]["ms"], 0)
                self.assertAlmostEqual(sum(kind["ms"] for kind in kinds.values()), whole, delta=1e-6 * whole)
                self.assertAlmostEqual(sum(kind["share"] for kind in kinds.values()), 1, delta=1e-6)
                rest = kinds[REST]["ms"] + kinds.get("tokenizer", {"ms": 0})["ms"]
                self.assertAlmostEqual(steps + rest, whole, delta=1e-6 * whole)

    def test_it_counts_what_the_call_computes(self):
        report = self.profile("--lengths", "3,1,64", "--batch-tokens", "64")
        self.assertEqual([report[key] for key in ("sequences", "tokens", "batches", "rounds")], [3, 68, 2, 2])
        (self.folder / "ids").write_text("[2, 5, 3]\n[2, 3]\n")
        self.assertEqual(self.profile("--ids-file", self.folder / "ids")["tokens"], 5)
        (self.folder / "lengths").write_text("7 8\n9")
        self.assertEqual(self.profile("--lengths-file", self.folder / "lengths")["tokens"], 24)

    def test_the_trace_has_a_complete_event_for_each_task_within_the_call(self):
        (self.folder / "texts").write_text("some words\nand more words\n" * 20)
        for threads in (1, 2):
            trace = self.folder / f"trace{threads}.json"
            report = self.profile("--threads", threads, "--texts-file", self.folder / "texts", "--trace", trace)
            events = json.loads(trace.read_text())["traceEvents"]
            spans = [event for event in events if event["ph"] == "X"]
            call, = [event for event in spans if event["name"] == "call"]
            for event in spans:
                self.assertGreaterEqual(event["ts"], call["ts"])
                self.assertGreaterEqual(event["dur"], 0)
                self.assertLessEqual(event["ts"] + event["dur"], call["ts"] + call["dur"] + 1e-3)
                self.assertIn(event["tid"], range(threads))
            tasks = [event["args"]["step"] for event in spans if "step" in event["args"]]
            self.assertEqual({step["step"] for step in report["steps"]}, set(tasks))
            if threads == 1:  # how many tasks others join may differ from call to call
                self.assertEqual([step["tasks"] for step in report["steps"]],
                                 [tasks.count(step["step"]) for step in report["steps"]])
            self.assertEqual(sum(event["args"]["texts"] for event in spans if event["name"] == "tokenize"), 40)
            self.assertEqual({event["tid"] for event in spans},
                             {event["tid"] for event in events if event["name"] == "thread_name"})
            self.assert_no_overlap(spans)

    def assert_no_overlap(self, spans):
        """Spans of one thread lie within each other or apart, as a viewer needs it."""
        for thread in {event["tid"] for event in spans}:
            ends = []
            for event in sorted((event for event in spans if event["tid"] == thread), key=lambda it: (it["ts"], -it["dur"])):
                stop = event["ts"] + event["dur"]
                while ends and ends[-1] <= event["ts"] + 1e-3:
                    ends.pop()
                self.assertTrue(not ends or stop <= ends[-1] + 1e-3, event)
                ends.append(stop)

    def test_the_table_has_the_same_steps_and_kinds(self):
        report = self.profile()
        self.assertEqual((report["sequences"], report["threads"]), (1, 1))
        text = self.succeed("profile", "--rounds", "1", "--lengths", "16").decode()
        for step in report["steps"]:
            self.assertRegex(text, rf"(?m)^ *{step['step']} {step['stage']} .*{re.escape(step['op'])} .*{step['kernel']} ")
        for kind in report["kinds"]:
            self.assertRegex(text, rf"(?m)^{kind['kind']} +[0-9.]+ ")

    def test_what_is_wrong_is_said_in_a_sentence(self):
        missing = self.folder / "none" / "trace.json"
        for arguments, *parts in ((["--lengths", "5", "--trace", missing], str(missing), "No such file"),
                                  (["--texts-file", self.folder / "none"], "none", "No such file"),
                                  (["--lengths", "65"], "65"), (["--model", self.folder / "none"], "none")):
            self.assert_sentence(run("profile", *arguments), *parts, code=1)
        for arguments, *parts in ((["--lengths", "5", "--ids-file", "x"], "--lengths", "several"), (["--lengths", "x"], "'x'"),
                                  (["--rounds", "0"], "--rounds"), (["--threads", "0"], "--threads"), (["--trace"], "--trace"),
                                  (["--isa", "frobnicate"], "--isa"), (["extra"], "extra")):
            self.assert_sentence(run("profile", *arguments), *parts, code=2)


if __name__ == "__main__":
    main()
