"""sentence-transformers with each of its backends, on the same quantized files as the engines themselves."""
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers import __version__ as version

FILES = {"onnx": "int8.onnx", "openvino": "openvino_model.xml"}


def backend_arguments(form, threads):
    if form == "onnx":
        from engines.onnxruntime_engine import session_options
        return {"file_name": FILES[form], "provider": "CPUExecutionProvider",
                "session_options": session_options(threads)}
    if form == "openvino":
        from engines.openvino_engine import configuration
        return {"file_name": FILES[form], "ov_config": configuration(threads, "static")}
    return {}


class SentenceTransformers:
    def __init__(self, files, threads, form):
        torch.set_num_threads(threads)
        self.model = SentenceTransformer(str(files / "st"), backend=form, device="cpu", local_files_only=True,
                                         model_kwargs=backend_arguments(form, threads))
        self.note = f"sentence-transformers {version}"

    def encode(self, texts, batch, pooling):
        self.model[1].pooling_mode = pooling
        return self.model.encode(texts, batch_size=batch, convert_to_numpy=True, show_progress_bar=False)
