"""Who takes part: how each process is started, and which of the cases it can run."""
import dataclasses
import pathlib
from importlib.metadata import version

from masked_library import make_masked

HERE = pathlib.Path(__file__).parent


@dataclasses.dataclass(frozen=True)
class Contender:
    name: str
    title: str
    is_int8: bool = False
    cases: tuple = ("ids", "texts")
    environment: str = "venv-peers"  # "" is Nybble itself
    is_default: bool = True
    masked: str = ""  # the package that takes no hint what instructions to use (masked_library.py)

    @property
    def is_peer(self):
        return self.environment != ""


REFERENCE = "torch-f32"
OURS = "nybble-int8"

CONTENDERS = [
    Contender("nybble-int8", "**Nybble INT8**", is_int8=True, environment=""),
    *(Contender(f"nybble-int{bits}", f"Nybble INT{bits}", environment="", is_default=False) for bits in (7, 6, 5, 4)),
    Contender("nybble-f32", "Nybble FP32", environment=""),
    Contender("ort-f32", "ONNX Runtime FP32", masked="onnxruntime"),
    Contender("ort-int8", "ONNX Runtime INT8", is_int8=True, masked="onnxruntime"),
    Contender("openvino-dynamic", "OpenVINO INT8, dynamic", is_int8=True),
    Contender("openvino-static", "OpenVINO INT8, static", is_int8=True),
    Contender("ctranslate2-int8", "CTranslate2 INT8", is_int8=True),
    Contender("torch-f32", "PyTorch FP32"),
    Contender("torch-int8", "PyTorch INT8, dynamic", is_int8=True),
    Contender("torch-bf16", "PyTorch BF16"),
    Contender("st-torch", "sentence-transformers, PyTorch", cases=("texts",)),
    Contender("st-onnx-int8", "sentence-transformers, ONNX INT8", is_int8=True, cases=("texts",),
              environment="venv-peers-export", masked="onnxruntime"),
    Contender("st-openvino-static", "sentence-transformers, OpenVINO INT8", is_int8=True, cases=("texts",),
              environment="venv-peers-export"),
]
BY_NAME = {contender.name: contender for contender in CONTENDERS}


# What caps each library at AVX2; each reads its own.
AVX2 = {
    "NYBBLE_ISA": "avx2",
    "DNNL_MAX_CPU_ISA": "AVX2", "ONEDNN_MAX_CPU_ISA": "AVX2",  # oneDNN: in Nybble FP32, OpenVINO, PyTorch, CTranslate2
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",  # in PyTorch and CTranslate2
    "ATEN_CPU_CAPABILITY": "avx2", "FBGEMM_ENABLE_INSTRUCTIONS": "AVX2",  # in PyTorch
    "CT2_FORCE_CPU_ISA": "AVX2",
}


def default_names(isa):
    """Narrow weights are for CPUs without VNNI."""
    return [one.name for one in CONTENDERS if one.is_default or isa]


def isa_environment(options, masked=""):
    """What holds a process to the instruction set of the run, if that names one."""
    if not options.isa:
        return {}
    if not masked:
        return AVX2
    package = next((options.cache / "venv-peers/lib").glob(f"python3*/site-packages/{masked}"))
    return {**AVX2, **make_masked(package, options.cache / f"peers/{masked}-{version(masked)}-{options.isa}")}


def command_of(contender, files, pooling, options):
    """The command line that serves one model."""
    if contender.is_peer:
        python = options.cache / contender.environment / "bin/python"
        return [str(python), "-B", str(HERE / "serve.py"), contender.name, str(files), str(options.threads),
                str(options.max_tokens)]
    return [str(options.nybble), "bench", "model", "--serve-stdin", *nybble_options(contender, files, pooling, options)]


def nybble_options(contender, files, pooling, options):
    return ["--model", str(files / "hf"), "--weights", contender.name.split("-")[1], "--threads",
            str(options.threads), "--pooling", pooling, "--max-tokens", str(options.max_tokens)]
