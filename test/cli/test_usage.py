#!/usr/bin/env python3
"""Help, exit codes, and command lines that cannot be."""
import json
import os
import re
import subprocess

from nybble_program import GOLDEN, MICRO, PROGRAM, ProgramTest, environment, main, run, runnable_sets

MODEL = ["--model"]
PLAN = MODEL + ["--weights", "--threads", "--isa"]
ALL = PLAN + ["--pooling", "--normalize", "--no-normalize", "--dimensions", "--max-tokens", "--batch-tokens"]
READING = ["--prompt", "--prompt-name", "--truncate", "--chunk", "--overlap"]
INPUTS = ["--lengths", "--lengths-file", "--ids-file", "--texts-file"]
TASK = ["--field", "--format", "-o", "--output"]
CUT = ["--max-tokens", "--truncate"]
FOLDERS = {"model": MICRO, "cross-encoder": GOLDEN / "tasks/rerank-bert", "classifier": GOLDEN / "tasks/bert",
           "tagger": GOLDEN / "tasks/bert", "language-model": GOLDEN / "tasks/bert"}
OPTIONS = {
    "embed": ALL + READING + ["--per-token", "--strict", "--field", "--format", "-o", "--output"],
    "tokenize": MODEL + ["--max-tokens", "--decode", "--special"],
    "similarity": ALL + READING,
    "rerank": PLAN + TASK + CUT + ["--top-k"],
    "classify": PLAN + TASK + CUT + ["--top-k", "--all", "--pairs", "--pair-field", "--scoring"],
    "ner": PLAN + TASK + CUT + ["--aggregation", "--ignore", "--chunk", "--overlap"],
    "fill-mask": PLAN + TASK + CUT + ["--top-k"],
    "info": PLAN,
    "explain": ALL + ["--graph", "--dump-after", "--disable-pass"],
    "isa": ["--json"],
    "profile": ALL + INPUTS + ["--rounds", "--json", "--trace"],
    "bench": [],
    "bench kernels": ["--isa", "--op", "--shapes", "--rows", "--quick", "--rounds", "--stream", "--json", "--svg"],
    "bench formats": ALL + INPUTS + ["--rounds", "--json"],
    "bench model": ALL + INPUTS + ["--serve-stdin", "--rounds", "--json", "-o", "--output"],
}


class Help(ProgramTest):
    def test_the_help_lists_the_commands_and_has_an_example(self):
        text = self.succeed("--help").decode()
        for command in OPTIONS:
            if " " not in command:
                self.assertRegex(text, rf"(?m)^  {command} ")
        self.assertIn("--version", text)
        self.assertRegex(text, r"(?m)^Example: nybble ")

    def test_the_help_of_a_command_lists_exactly_its_options_and_has_an_example(self):
        for command, options in OPTIONS.items():
            text = self.succeed(*command.split(), "--help").decode()
            names = re.findall(r"(?m)^  ((?:-[\w-]+(?:\{\w+\})?,?)+)", text)
            listed = {re.sub(r"\{\w+\}", "", name) for group in names for name in group.split(",")}
            self.assertEqual(listed, {"-h", "--help", *options}, command)
            self.assertRegex(text, rf"(?m)^Example: .*nybble {command}")

    def test_the_example_of_each_help_runs(self):
        (self.folder / "texts.txt").write_text("some text\n")
        (self.folder / "path/to").mkdir(parents=True)
        for name, folder in FOLDERS.items():
            (self.folder / "path/to" / name).symlink_to(folder)
        bin_folder = self.folder / "bin"
        bin_folder.mkdir()
        (bin_folder / "nybble").symlink_to(PROGRAM)
        for command in ["", *OPTIONS]:
            text = self.succeed(*command.split(), "--help").decode()
            line = re.search(r"(?m)^Example: (.*)$", text)[1]
            result = subprocess.run(["sh", "-c", line], cwd=self.folder, capture_output=True,
                                    env=environment(PATH=f"{bin_folder}:{os.environ['PATH']}"))
            self.assertEqual((result.returncode, result.stderr), (0, b""), line)

    def test_the_version_is_a_line(self):
        self.assertRegex(self.succeed("--version"), rb"\Anybble \d+\.\d+\.\d+\n\Z")

    def test_help_that_cannot_be_written_is_a_failure(self):
        with open("/dev/full", "wb") as full:
            for arguments in (["--help"], ["--version"], ["embed", "--help"], ["isa"]):
                result = run(*arguments, stdout=full)
                self.assert_sentence(result, "standard output", "No space left", code=1)


class Usage(ProgramTest):
    def test_what_cannot_be_is_a_sentence_and_exit_code_2(self):
        for arguments, *parts in (
                ([], "command", "embed", "isa", "none"),
                (["frobnicate"], "'frobnicate'", "embed"),
                (["--frobnicate"], "--frobnicate"),
                (["embed", "--frobnicate"], "--frobnicate"),
                (["embed", "one", "two"], "two"),
                (["embed", "--weights", "int3"], "--weights", "int3", "f32", "int8", "int7", "int6", "int5", "int4"),
                (["embed", "--pooling", "median"], "--pooling", "median", "mean", "cls"),
                (["embed", "--pooling", "cls,median"], "--pooling", "median"),
                (["embed", "--truncate", "middle"], "--truncate", "middle", "error", "left"),
                (["embed", "--overlap", "3"], "--overlap", "--chunk"),
                (["embed", "--chunk", "0"], "--chunk", "0"),
                (["embed", "--chunk", "9", "--truncate", "left"], "--chunk", "--truncate"),
                (["embed", "--dimensions", "0"], "--dimensions", "0"),
                (["embed", "--prompt", "x", "--prompt-name", "y"], "--prompt"),
                (["embed", "--format", "csv"], "--format", "csv", "npy", "jsonl", "f32"),
                (["embed", "--threads", "0"], "--threads", "0"),
                (["embed", "--threads", "many"], "--threads", "many"),
                (["embed", "--threads"], "--threads"),
                (["embed", "--max-tokens", "0"], "--max-tokens", "0"),
                (["embed", "--max-tokens", "-1"], "--max-tokens"),
                (["embed", "--max-tokens", "2.5"], "--max-tokens", "2.5"),
                (["embed", "--max-tokens", "99999999999999999999999"], "--max-tokens"),
                (["embed", "--batch-tokens", "0"], "--batch-tokens", "0"),
                (["embed", "--batch-tokens", "16777217"], "--batch-tokens", "16777217"),
                (["embed", "--model", "a", "--model", "b"], "--model"),
                (["embed", "--isa", "frobnicate"], "--isa", "'frobnicate'", "scalar"),
                (["tokenize", "--strict"], "--strict"),
                (["tokenize", "--max-tokens", "x"], "--max-tokens", "x"),
                (["similarity", "alone"], "2", "1"),
                (["similarity"], "texts"),
                (["info", "extra"], "extra"),
                (["explain", "--disable-pass", "frobnicate"], "--disable-pass", "frobnicate", "merge_qkv"),
                (["explain", "--dump-after", "frobnicate"], "--dump-after", "frobnicate", "merge_qkv"),
                (["explain", "--dump-after", "fuse_bias", "--disable-pass", "fuse_bias"], "--dump-after", "fuse_bias"),
                (["explain", "--dump-after", "fuse_bias", "--graph"], "--graph"),
                (["isa", "--isa", "scalar"], "--isa"),
                (["bench"], "command", "kernels", "none"),
                (["bench", "frobnicate"], "'frobnicate'", "kernels"),
                (["bench", "formats"], "--lengths", "--texts-file", "none"),
                (["bench", "formats", "--lengths", "3", "--texts-file", "x"], "--lengths", "several"),
                (["bench", "formats", "--lengths", "3", "--weights", "int8,f32"], "--weights", "f32", "int4"),
                (["bench", "kernels", "--isa", "frobnicate"], "--isa", "'frobnicate'", "scalar"),
                (["bench", "kernels", "--op", "frobnicate"], "--op", "frobnicate", "gemm_u8s8", "layernorm"),
                (["bench", "kernels", "--rows", "0"], "--rows", "0"),
                (["bench", "kernels", "--rounds", "0"], "--rounds", "0"),
                (["bench", "kernels", "--rounds", "2", "--quick"], "--rounds", "--quick")):
            with self.subTest(arguments):
                self.assert_sentence(run(*arguments), *parts, code=2)

    def test_messages_that_cannot_be_written_change_nothing_else(self):
        with open("/dev/full", "wb") as full:
            self.assertEqual(run("frobnicate", stderr=full).returncode, 2)
            self.assertEqual(run("embed", "/no/such/file", stderr=full).returncode, 1)
            self.assertEqual(run("embed", stdin=b"\xff\n", stderr=full).returncode, 0)

    def test_the_last_of_normalize_and_no_normalize_counts(self):
        rows = {flags: self.succeed("embed", *flags, stdin=b"words\n")
                for flags in ((), ("--normalize",), ("--no-normalize",), ("--normalize", "--no-normalize"),
                              ("--no-normalize", "--normalize"))}
        self.assertEqual(rows[()], rows["--normalize",])
        self.assertNotEqual(rows["--no-normalize",], rows["--normalize",])
        self.assertEqual(rows["--normalize", "--no-normalize"], rows["--no-normalize",])
        self.assertEqual(rows["--no-normalize", "--normalize"], rows["--normalize",])


class InstructionSets(ProgramTest):
    def test_json_has_exactly_the_four_fields_and_one_active_set(self):
        sets = json.loads(self.succeed("isa", "--json"))
        self.assertIsInstance(sets, list)
        for entry in sets:
            self.assertEqual(list(entry), ["name", "compiled", "runnable", "active"])
            self.assertEqual([type(entry[key]) for key in entry], [str, bool, bool, bool])
        self.assertEqual(sum(entry["active"] for entry in sets), 1)
        self.assertTrue(all(entry["runnable"] for entry in sets if entry["active"]))
        scalar = next(entry for entry in sets if entry["name"] == "scalar")
        self.assertTrue(scalar["compiled"] and scalar["runnable"])

    def test_the_text_shows_sets_caches_and_the_processors_that_may_be_used(self):
        text = self.succeed("isa").decode()
        for part in ("scalar", "avx2", "avxvnni", "avx512", "avx512vnni", "amx", "compiled", "runnable", "active", "L1", "affinity"):
            self.assertIn(part, text)
        self.assertRegex(text, "no cgroup quota|CPUs of time by")

    def test_affinity_shows_in_the_threads(self):
        one = sorted(os.sched_getaffinity(0))[:1]
        text = self.succeed("isa", preexec_fn=lambda: os.sched_setaffinity(0, one)).decode()
        self.assertRegex(text, r"threads 1: 1 of \d+ CPUs by affinity")

    def test_the_environment_forces_each_set_that_runs_here(self):
        everything = json.loads(self.succeed("isa", "--json"))
        for entry in everything:
            env = environment(NYBBLE_ISA=entry["name"])
            if not entry["runnable"]:
                self.assert_sentence(run("isa", "--json", env=env), "NYBBLE_ISA", entry["name"], "scalar")
                continue
            sets = json.loads(self.succeed("isa", "--json", env=env))
            self.assertEqual([other["name"] for other in sets if other["active"]], [entry["name"]])
            self.assertRegex(self.succeed("info", env=env).decode(), rf"instruction set +{entry['name']}\n")
            self.assertIn(f"gemm_u8s8_{entry['name']}", self.succeed("explain", env=env).decode())

    def test_the_option_goes_before_the_environment(self):
        for name in runnable_sets():
            for forced in ("scalar", "frobnicate"):
                text = self.succeed("info", "--isa", name, env=environment(NYBBLE_ISA=forced)).decode()
                self.assertRegex(text, rf"instruction set +{name}\n")

    def test_an_unknown_set_in_the_environment_is_a_sentence(self):
        for command in (["isa"], ["info"], ["embed"], ["explain"]):
            self.assert_sentence(run(*command, env=environment(NYBBLE_ISA="frobnicate")), "NYBBLE_ISA",
                                 "'frobnicate'", "scalar")


main()
