// What a task puts on an encoder's rows: the layers that give logits, found by the names that each family's
// published models have.
#pragma once

#include "graph/import/encoder_builder.h"
#include "graph/import/importer.h"

namespace nybble::graph {

/// Adds `target.head` to the rows x of the last layer: "logits" f32[sequences,labels] or f32[tokens,labels]
/// of a classifier; of a masked language model "predictions" f32[tokens,E], the rows that its decoder takes.
/// Classifiers and the layers before them have format = "exact_f32". Throws Error{unsupported_model} where
/// the model type has no such head, or a tensor is missing or of another shape.
ValueId add_head(EncoderBuilder& build, const ImportTarget& target, ValueId x);

/// The decoder of a masked language model as a graph of its own: "rows" f32[tokens,E] -> "logits"
/// f32[tokens,vocabulary]. Its weight may be the encoder's word table. Who wants the logits of some rows only
/// gives it no others.
Graph masked_lm_decoder(const ImportSource& source, const EncoderBuilder& build, std::int64_t width);

/// The tensor that a head's last layer has in models of this type ("classifier.weight"), to tell whether a
/// folder has one; empty where the type has no such head. `prefix` is that of the encoder's tensors.
std::string head_tensor(std::string_view model_type, Head head, const TensorTable& tensors);

}  // namespace nybble::graph
