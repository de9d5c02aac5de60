"""ONNX Runtime at its best: attention, LayerNorm and GELU fused, then INT8 weights and dynamic activations.

  python onnx_optimize.py MODEL_FOLDER EXPORTED_FILE FP32_FILE INT8_FILE
"""
import json
import pathlib
import sys

from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers.optimizer import optimize_model


def main():
    folder, exported, fp32, int8 = sys.argv[1:]
    config = json.loads((pathlib.Path(folder) / "config.json").read_text())
    model = optimize_model(exported, model_type="bert", num_heads=config["num_attention_heads"],
                           hidden_size=config["hidden_size"])
    print("fused:", model.get_fused_operator_statistics(), file=sys.stderr)
    model.save_model_to_file(fp32)
    # The optimizer drops the types of values in between; what is left without one is float.
    quantize_dynamic(fp32, int8, per_channel=True, weight_type=QuantType.QInt8,
                     extra_options={"DefaultTensorType": 1})


if __name__ == "__main__":
    main()
