"""Makes every engine's files of a model, once, in the cache: MODEL/hf, raw.onnx, fp32.onnx, int8.onnx, …"""
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
REAL_MODEL = "minilm"
MODELS = ("minilm", "bge-small", "bert-base", "bert-large")
QUIET = {"CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "NNCF_CI": "1"}


def say(text):
    print(f"peers: {text}", file=sys.stderr, flush=True)


def python_of(cache, environment):
    return cache / environment / "bin/python"


class ModelFiles:
    """The folder of one model in the cache."""

    def __init__(self, cache, model):
        self.cache, self.model = cache, model
        self.folder = cache / "peers" / model
        self.original = cache / "all-MiniLM-L6-v2"

    def provide(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self._once("hf", self._make_hf)
        self._once("raw.onnx", lambda new: self._make("onnx_export.py", "hf", new, "venv-peers-export"))
        self._once("int8.onnx", self._optimize)
        self._once("ct2", lambda new: self._make("ctranslate2_files.py", "hf", new))
        self._once("static.xml", self._quantize_for_openvino)
        self._once("st", self._make_st)
        return self.folder

    def _once(self, name, make):
        """Makes a file or folder under another name first, so that what is there is whole."""
        if (self.folder / name).exists():
            return
        say(f"{self.model}: making {name}")
        new = self.folder / f"new-{name}"
        shutil.rmtree(new, ignore_errors=True)
        make(new)
        new.rename(self.folder / name)

    def _make(self, script, *arguments):
        environment = "venv-peers"
        if arguments[-1] == "venv-peers-export":
            *arguments, environment = arguments
        log = self.folder / f"{pathlib.Path(script).stem}.log"
        command = ["nice", "-n", "19", python_of(self.cache, environment), "-B", HERE / "make" / script, *arguments]
        with open(log, "w") as out:
            status = subprocess.run(command, cwd=self.folder, env={**os.environ, **QUIET}, stdout=out,
                                    stderr=out).returncode
        if status != 0:
            raise SystemExit(f"peers: {script} failed, see {log}:\n{log.read_text()[-2000:]}")

    def _make_hf(self, new):
        if self.model == REAL_MODEL:
            shutil.copytree(self.original, new)
        else:
            new.mkdir()
            self._make("random_model.py", self.model, new, self.original)

    def _optimize(self, new):
        self._make("onnx_optimize.py", "hf", "raw.onnx", "fp32.onnx", new)

    def _quantize_for_openvino(self, new):
        self._make("openvino_files.py", "hf", "raw.onnx", "dynamic.xml", "new-static-weights.xml")
        (self.folder / "new-static-weights.xml").rename(new)
        (self.folder / "new-static-weights.bin").rename(self.folder / "static.bin")

    def _make_st(self, new):
        """The model's folder with the quantized files in it, where sentence-transformers looks for them."""
        new.mkdir()
        for source in (self.folder / "hf").iterdir():
            (new / source.name).symlink_to(f"../hf/{source.name}")
        (new / "int8.onnx").symlink_to("../int8.onnx")
        for suffix in ("xml", "bin"):
            (new / f"openvino_model.{suffix}").symlink_to(f"../static.{suffix}")
