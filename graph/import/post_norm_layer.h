// The layer of BERT and of the families after it: self-attention and a feed-forward part, each with a
// residual and a LayerNorm behind it (Vaswani et al. 2017, section 3.1).
#pragma once

#include <string>
#include <vector>

#include "graph/import/encoder_builder.h"

namespace nybble::graph {

/// How a family names the tensors of a layer, without ".weight" and ".bias".
struct LayerTensors {
  std::string query, key, value, output, attended_norm;  ///< attention
  std::string inner, outer, norm;                        ///< feed-forward
};

/// The names of BERT: "encoder.layer.I.attention.self.query" …
LayerTensors bert_layer_tensors(std::int64_t index);

/// What a family's attention has beside Q, K and V: inputs behind them, and attributes.
struct AttentionExtra {
  std::vector<ValueId> inputs;
  Attributes attributes;
};

/// Appends a layer of `tensors` to rows `x`; `activation` is the IR's name. Every result begins with `name`.
ValueId post_norm_layer(EncoderBuilder& build, const std::string& name, const LayerTensors& tensors,
                        ValueId x, const std::string& activation, const AttentionExtra& extra = {});

/// BERT's embeddings: word, position and token type of `columns` values, summed and normalized. No types
/// where sizes.token_types is 0.
ValueId bert_embeddings(EncoderBuilder& build, std::int64_t columns);

/// Refuses decoders, and a position_embedding_type other than "absolute".
void require_absolute_encoder(const ConfigReader& config);

/// Positions that begin behind the padding token's, which stands at its own id and is not counted, as
/// RoBERTa's do: the longest sequence is shorter than the table by pad_id + 1.
void begin_positions_behind(const ConfigReader& config, EncoderSizes& sizes, std::int64_t pad_id);

}  // namespace nybble::graph
