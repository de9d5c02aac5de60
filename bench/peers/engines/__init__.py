"""The peers, one file each. Each is a class with

  __init__(files, threads)   loads the model; `files` is the folder that model_files.py fills
  note                       what a reader should know of how it runs, "" if nothing
  prepare(ids, mask)         turns padded [batch, tokens] int64 arrays into what forward() takes; not timed
  forward(prepared)          the last layer's state of every token, in the engine's own form; timed
  to_numpy(hidden)           that as float32 [batch, tokens, hidden]

or, where it is a pipeline from texts to embeddings that nothing here should take apart,

  encode(texts, batch, pooling)   float32 [texts, hidden]
"""
import importlib

CLASSES = {  # name: (module, class, arguments)
    "ort-f32": ("onnxruntime_engine", "OnnxRuntime", {"file": "fp32.onnx"}),
    "ort-int8": ("onnxruntime_engine", "OnnxRuntime", {"file": "int8.onnx"}),
    "openvino-dynamic": ("openvino_engine", "OpenVino", {"file": "dynamic.xml", "form": "dynamic"}),
    "openvino-static": ("openvino_engine", "OpenVino", {"file": "static.xml", "form": "static"}),
    "ctranslate2-int8": ("ctranslate2_engine", "CTranslate2", {}),
    "torch-f32": ("torch_engine", "Torch", {"form": "f32"}),
    "torch-int8": ("torch_engine", "Torch", {"form": "int8"}),
    "torch-bf16": ("torch_engine", "Torch", {"form": "bf16"}),
    "st-torch": ("sentence_transformers_engine", "SentenceTransformers", {"form": "torch"}),
    "st-onnx-int8": ("sentence_transformers_engine", "SentenceTransformers", {"form": "onnx"}),
    "st-openvino-static": ("sentence_transformers_engine", "SentenceTransformers", {"form": "openvino"}),
}


def load(name, files, threads):
    module, kind, arguments = CLASSES[name]
    return getattr(importlib.import_module(f"engines.{module}"), kind)(files, threads, **arguments)
