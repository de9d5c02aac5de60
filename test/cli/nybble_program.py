"""The built program as the tests of this folder run it: test_*.py NYBBLE GOLDEN_FOLDER [unittest's own arguments]."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

if len(sys.argv) < 3:
    sys.exit(f"usage: {sys.argv[0]} NYBBLE GOLDEN_FOLDER")
PROGRAM = os.path.abspath(sys.argv.pop(1))
GOLDEN = pathlib.Path(sys.argv.pop(1)).resolve()
MICRO, TINY = GOLDEN / "micro-bert", GOLDEN / "tiny-bert"
MICRO_HIDDEN, MICRO_POSITIONS = 40, 64


def environment(**changes):
    """The environment with micro-bert as the default model; a change to None leaves a variable out."""
    variables = {key: value for key, value in os.environ.items() if not key.startswith(("NYBBLE_", "HF_"))}
    # What forces an instruction set on the whole test run forces it here, too.
    variables["NYBBLE_ISA"] = os.environ.get("NYBBLE_ISA", "")
    variables.update({"NYBBLE_MODEL": str(MICRO), **{key: str(value) for key, value in changes.items()}})
    return {key: value for key, value in variables.items() if changes.get(key, "") is not None}


def start(*arguments, env=None, **options):
    return subprocess.Popen([PROGRAM, *map(str, arguments)], env=env or environment(), **options)


def run(*arguments, stdin=b"", env=None, **options):
    """A finished run; stdout and stderr are bytes, unless they are sent elsewhere."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    if isinstance(stdin, bytes):
        options["input"] = stdin
    else:
        options["stdin"] = stdin
    return subprocess.run([PROGRAM, *map(str, arguments)], env=env or environment(), timeout=300, **options)


def runnable_sets():
    return [entry["name"] for entry in json.loads(run("isa", "--json").stdout) if entry["runnable"]]


def write_safetensors(path, tensors, metadata=None):
    """`tensors`: name -> (dtype, shape, bytes), laid end to end."""
    header, values = ({"__metadata__": metadata} if metadata else {}), b""
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(values), len(values) + len(data)]}
        values += data
    write_raw_safetensors(path, header, values)


def write_raw_safetensors(path, header, values):
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + values)


def read_safetensors(path):
    """What write_safetensors() takes."""
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    header.pop("__metadata__", None)
    return {name: (entry["dtype"], entry["shape"], data[start + entry["data_offsets"][0]:
                                                        start + entry["data_offsets"][1]])
            for name, entry in header.items()}


class ProgramTest(unittest.TestCase):
    """Has a folder of its own, `self.folder`, which goes with the test."""

    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="nybble-test-")
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)

    def copy_model(self, source=MICRO, name="model"):
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(source, folder, ignore=shutil.ignore_patterns("golden"))
        return folder

    def succeed(self, *arguments, **options):
        """stdout of a run that must succeed and say nothing."""
        result = run(*arguments, **options)
        self.assertEqual((result.returncode, result.stderr), (0, b""), arguments)
        return result.stdout

    def assert_sentence(self, result, *parts, code=(1, 2)):
        """The run failed with one sentence on stderr that has these parts, and gave no data."""
        message = result.stderr.decode("utf-8", "replace")
        self.assertIn(result.returncode, code if isinstance(code, tuple) else (code,), message)
        self.assertFalse(result.stdout, message)
        self.assertRegex(message, r"\Anybble: [^\n]+\n\Z")
        for part in parts:
            self.assertIn(part, message)


def main():
    unittest.main()
