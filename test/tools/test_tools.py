#!/usr/bin/env python3
"""Tests of the parts of tools/ that read something: run by tools/check, `python3 test/tools/test_tools.py`."""
import importlib.machinery
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True


def load(name):
    loader = importlib.machinery.SourceFileLoader(name, str(ROOT / "tools" / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


class Catalogue(unittest.TestCase):
    def packages(self, text):
        return load("catalogue").packages(text.splitlines(keepends=True))

    def test_takes_the_short_description_of_each_package(self):
        found = self.packages("Package: a\nDescription: first  line\n long text\nSection: x\n\nPackage: b\nDescription: two\n")
        self.assertEqual(found, {"a": "first line", "b": "two"})

    def test_keeps_the_first_of_several_versions(self):
        self.assertEqual(self.packages("Package: a\nDescription: 1\n\nPackage: a\nDescription: 2\n\n"), {"a": "1"})

    def test_reads_translated_fields_and_never_the_checksum(self):
        found = self.packages("Package: a\nDescription-md5: 0f\nDescription-en: one\n\nPackage: b\nDescription-md5: 0f\n")
        self.assertEqual(found, {"a": "one"})

    def test_ignores_fields_on_continuation_lines(self):
        found = self.packages("Package: a\nTag: x,\n Description: no\nDescription: yes\n Package: c\n")
        self.assertEqual(found, {"a": "yes"})

    def test_the_sample_does_not_depend_on_what_else_there_is(self):
        lowest = load("catalogue").lowest_by_hash
        names = [f"package-{i}" for i in range(100)]
        few = lowest(names, 10)
        self.assertEqual(len(set(few)), 10)
        self.assertEqual(lowest(sorted(set(few + names[:50])), 10), few)
        self.assertEqual(lowest(reversed(names), 10), few)


class TestCounts(unittest.TestCase):
    def run_on(self, results):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as log:
            log.writelines(json.dumps({"name": "t", "result": result}) + "\n" for result in results)
            log.flush()
            return subprocess.run([ROOT / "tools/test_counts", log.name], capture_output=True, text=True)

    def test_counts_by_kind(self):
        self.assertEqual(self.run_on(["OK", "OK", "FAIL", "SKIP", "TIMEOUT", "ERROR"]).stdout, "2 3 1\n")

    def test_no_test_at_all_is_a_failure(self):
        self.assertNotEqual(self.run_on([]).returncode, 0)


class Documentation(unittest.TestCase):
    def faults_of(self, page, source):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in {"docs/environment.md": page, "a.cc": source, "README.md": "[x](a.cc) [y](none.md)"}.items():
                file = pathlib.Path(folder, name)
                file.parent.mkdir(exist_ok=True)
                file.write_text(text, encoding="utf-8")
            environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
            for command in (["git", "init", "-q"], ["git", "add", "."]):
                subprocess.run(command, cwd=folder, check=True, env=environment)
            return subprocess.run([ROOT / "tools/check_docs"], cwd=folder, capture_output=True, text=True).stdout

    def test_finds_broken_links_and_variables_that_are_not_documented(self):
        faults = self.faults_of("| `NYBBLE_OLD` |\n", 'getenv("NYBBLE_NEW")')
        for wanted in ("none.md", "does not name NYBBLE_NEW", "names NYBBLE_OLD"):
            self.assertIn(wanted, faults)
        self.assertNotIn("a.cc", faults)


class CommandLine(unittest.TestCase):
    def test_an_unknown_word_is_a_usage_error(self):
        for tool in ("setup", "demo", "check", "goldens"):
            run = subprocess.run([ROOT / "tools" / tool, "--nonsense"], capture_output=True, text=True)
            self.assertEqual(run.returncode, 2, tool)
            self.assertIn("nonsense", run.stderr)

    def test_help_goes_to_stdout(self):
        for tool in ("setup", "demo", "check", "goldens", "catalogue"):
            run = subprocess.run([ROOT / "tools" / tool, "--help"], capture_output=True, text=True)
            self.assertEqual(run.returncode, 0, tool)
            self.assertIn(f"tools/{tool}", run.stdout)
            self.assertNotIn("pipefail", run.stdout, tool)


if __name__ == "__main__":
    unittest.main()
