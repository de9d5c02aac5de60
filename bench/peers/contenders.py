"""Who takes part: how each process is started, and which of the cases it can run."""
import dataclasses
import pathlib

HERE = pathlib.Path(__file__).parent


@dataclasses.dataclass(frozen=True)
class Contender:
    name: str
    title: str
    is_int8: bool = False
    cases: tuple = ("ids", "texts")
    environment: str = "venv-peers"  # "" is Nybble itself

    @property
    def is_peer(self):
        return self.environment != ""


REFERENCE = "torch-f32"
OURS = "nybble-int8"

CONTENDERS = [
    Contender("nybble-int8", "**Nybble INT8**", is_int8=True, environment=""),
    Contender("nybble-f32", "Nybble FP32", environment=""),
    Contender("ort-f32", "ONNX Runtime FP32"),
    Contender("ort-int8", "ONNX Runtime INT8", is_int8=True),
    Contender("openvino-dynamic", "OpenVINO INT8, dynamic", is_int8=True),
    Contender("openvino-static", "OpenVINO INT8, static", is_int8=True),
    Contender("ctranslate2-int8", "CTranslate2 INT8", is_int8=True),
    Contender("torch-f32", "PyTorch FP32"),
    Contender("torch-int8", "PyTorch INT8, dynamic", is_int8=True),
    Contender("torch-bf16", "PyTorch BF16"),
    Contender("st-torch", "sentence-transformers, PyTorch", cases=("texts",)),
    Contender("st-onnx-int8", "sentence-transformers, ONNX INT8", is_int8=True, cases=("texts",),
              environment="venv-peers-export"),
    Contender("st-openvino-static", "sentence-transformers, OpenVINO INT8", is_int8=True, cases=("texts",),
              environment="venv-peers-export"),
]
BY_NAME = {contender.name: contender for contender in CONTENDERS}


def command_of(contender, files, options):
    """The command line that serves one model."""
    if contender.is_peer:
        python = options.cache / contender.environment / "bin/python"
        return [str(python), "-B", str(HERE / "serve.py"), contender.name, str(files), str(options.threads),
                options.pooling, str(options.max_tokens)]
    return [str(options.nybble), "bench", "model", "--serve-stdin", *nybble_options(contender, files, options)]


def nybble_options(contender, files, options):
    return ["--model", str(files / "hf"), "--weights", contender.name.split("-")[1], "--threads",
            str(options.threads), "--pooling", options.pooling, "--max-tokens", str(options.max_tokens)]
