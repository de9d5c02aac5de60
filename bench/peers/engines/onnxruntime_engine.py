"""ONNX Runtime on an optimized graph."""
import numpy
import onnxruntime


def session_options(threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    return options


class OnnxRuntime:
    note = f"onnxruntime {onnxruntime.__version__}"

    def __init__(self, files, threads, file):
        self.session = onnxruntime.InferenceSession(str(files / file), session_options(threads),
                                                    providers=["CPUExecutionProvider"])

    def prepare(self, ids, mask):
        return {"input_ids": ids, "attention_mask": mask, "token_type_ids": numpy.zeros_like(ids)}

    def forward(self, prepared):
        return self.session.run(None, prepared)[0]

    def to_numpy(self, hidden):
        return hidden
