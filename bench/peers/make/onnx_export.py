"""Exports a Hugging Face encoder to ONNX. Runs in the environment with transformers before 5.

  python onnx_export.py MODEL_FOLDER FILE
"""
import sys

import torch
from transformers import AutoModel


class LastHiddenState(torch.nn.Module):
    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids, attention_mask, token_type_ids):
        return self.encoder(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids)[0]


def main():
    folder, file = sys.argv[1:]
    # The optimizer recognizes attention written out in single operations, not PyTorch's fused one.
    encoder = AutoModel.from_pretrained(folder, attn_implementation="eager", add_pooling_layer=False).eval()
    example = torch.ones(2, 9, dtype=torch.int64)
    names = ["input_ids", "attention_mask", "token_type_ids"]
    axes = {name: {0: "batch", 1: "tokens"} for name in [*names, "last_hidden_state"]}
    torch.onnx.export(LastHiddenState(encoder), (example, example, example * 0), file, input_names=names,
                      output_names=["last_hidden_state"], dynamic_axes=axes, opset_version=17, dynamo=False)


if __name__ == "__main__":
    main()
