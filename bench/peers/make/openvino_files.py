"""OpenVINO at its best: INT8 weights for dynamic activations, and static INT8 calibrated on texts of the sample.

  python openvino_files.py MODEL_FOLDER EXPORTED_FILE DYNAMIC_FILE STATIC_FILE
"""
import pathlib
import sys

import nncf
import numpy
import openvino

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import inputs

CALIBRATION_TEXTS = 300
LONGEST = 256


def calibration_inputs(folder):
    tokenizer = inputs.load_tokenizer(folder)
    tokenizer.enable_truncation(LONGEST)
    for text in inputs.spread(inputs.texts(), CALIBRATION_TEXTS):
        ids = numpy.array([tokenizer.encode(text).ids], dtype=numpy.int64)
        yield {"input_ids": ids, "attention_mask": numpy.ones_like(ids), "token_type_ids": numpy.zeros_like(ids)}


def main():
    folder, exported, dynamic, static = sys.argv[1:]
    core = openvino.Core()
    openvino.save_model(nncf.compress_weights(core.read_model(exported), mode=nncf.CompressWeightsMode.INT8_SYM),
                        dynamic, compress_to_fp16=False)
    samples = list(calibration_inputs(folder))
    quantized = nncf.quantize(core.read_model(exported), nncf.Dataset(samples), model_type=nncf.ModelType.TRANSFORMER,
                              subset_size=len(samples))
    openvino.save_model(quantized, static, compress_to_fp16=False)


if __name__ == "__main__":
    main()
