"""CTranslate2. It drops padding by itself, so it is told the lengths."""
import ctranslate2
import numpy


class CTranslate2:
    note = f"ctranslate2 {ctranslate2.__version__}"

    def __init__(self, files, threads):
        self.encoder = ctranslate2.Encoder(str(files / "ct2"), device="cpu", compute_type="int8",
                                           inter_threads=1, intra_threads=threads)

    def prepare(self, ids, mask):
        return (ctranslate2.StorageView.from_array(ids.astype(numpy.int32)),
                ctranslate2.StorageView.from_array(mask.sum(axis=1).astype(numpy.int32)))

    def forward(self, prepared):
        return self.encoder.forward_batch(*prepared).last_hidden_state

    def to_numpy(self, hidden):
        return numpy.array(hidden)
