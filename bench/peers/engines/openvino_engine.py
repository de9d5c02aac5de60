"""OpenVINO, as one stream for latency. Pinning is left to the affinity that every engine is given alike."""
import os

import numpy
import openvino


def is_capped():
    return "ONEDNN_MAX_CPU_ISA" in os.environ


def cpu_has_bf16():
    return not is_capped() and "avx512_bf16" in open("/proc/cpuinfo").read()


def configuration(threads, form):
    settings = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "ENABLE_CPU_PINNING": False,
                "PERFORMANCE_HINT": "LATENCY"}
    settings["INFERENCE_PRECISION_HINT"] = "bf16" if cpu_has_bf16() else "f32"
    if form == "dynamic":
        # The fastest of 32, 64, 128, 384 and whole rows on a Zen 5; 32 takes 1.15 times as long, whole rows twice as long.
        # Capped at AVX2, 2026.4 gives empty results with groups, so that activations stay floats.
        settings["DYNAMIC_QUANTIZATION_GROUP_SIZE"] = 0 if is_capped() else 128
    return settings


class OpenVino:
    def __init__(self, files, threads, file, form):
        settings = configuration(threads, form)
        self.model = openvino.Core().compile_model(str(files / file), "CPU", settings)
        self.request = self.model.create_infer_request()
        version = openvino.__version__.split("-")[0]
        self.note = f"openvino {version}, {settings['INFERENCE_PRECISION_HINT']} beside INT8"

    def prepare(self, ids, mask):
        return {"input_ids": ids, "attention_mask": mask, "token_type_ids": numpy.zeros_like(ids)}

    def forward(self, prepared):
        return self.request.infer(prepared, share_inputs=True)[0]

    def to_numpy(self, hidden):
        return hidden
