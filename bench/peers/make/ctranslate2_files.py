"""Converts a Hugging Face encoder for CTranslate2 with INT8 weights.

  python ctranslate2_files.py MODEL_FOLDER FOLDER
"""
import sys

from ctranslate2.converters import TransformersConverter


def main():
    model, folder = sys.argv[1:]
    TransformersConverter(model).convert(folder, quantization="int8", force=True)


if __name__ == "__main__":
    main()
