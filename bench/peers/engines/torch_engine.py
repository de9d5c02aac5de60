"""PyTorch on the model as transformers builds it."""
import warnings

import torch
from transformers import AutoModel

torch.set_grad_enabled(False)


def quantized(model):
    """INT8 weights by output channel: by tensor, the default, is as fast and leaves MiniLM a cosine of 0.94."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        by_channel = {torch.nn.Linear: torch.ao.quantization.per_channel_dynamic_qconfig}
        return torch.ao.quantization.quantize_dynamic(model, by_channel, dtype=torch.qint8)


class Torch:
    def __init__(self, files, threads, form):
        torch.set_num_threads(threads)
        model = AutoModel.from_pretrained(files / "hf", add_pooling_layer=False).eval().float()
        if form == "int8":
            model = quantized(model)
        if form == "bf16":
            model = model.to(torch.bfloat16)
        self.model = model
        self.note = f"torch {torch.__version__.split('+')[0]}"

    def prepare(self, ids, mask):
        # Without a mask attention takes its fastest path, so none is given where no sequence is padded.
        return {"input_ids": torch.from_numpy(ids),
                "attention_mask": None if mask.all() else torch.from_numpy(mask)}

    def forward(self, prepared):
        with torch.inference_mode():
            return self.model(**prepared).last_hidden_state

    def to_numpy(self, hidden):
        return hidden.float().numpy()
