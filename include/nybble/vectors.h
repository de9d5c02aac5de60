// Embeddings that are no single row: a vector a token (ColBERT), or weights of the vocabulary's tokens
// (SPLADE).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "nybble/nybble.h"

namespace nybble {

/// The vectors of one text, one after the other.
struct TokenVectors {
  std::size_t count = 0;
  std::vector<float> values;  ///< count × ModelInfo::dimensions

  std::span<const float> operator[](std::size_t i) const {
    return std::span<const float>(values).subspan(i * values.size() / count, values.size() / count);
  }
};

/// The vectors of each text, for Output::multi_vector and Output::tokens. Throws what Model::encode_stream()
/// throws, and bad_input for other outputs.
NYBBLE_API std::vector<TokenVectors> encode_tokens(const Model& model,
                                                   std::span<const std::string_view> texts,
                                                   const EncodeOptions& options = {});

/// Late interaction (Khattab and Zaharia 2020, equation 3): of each of the query's vectors the greatest dot
/// product with one of the document's, summed. 0 where the query has none, -infinity where only the document
/// has none.
NYBBLE_API double max_similarity(const TokenVectors& query, const TokenVectors& document);

/// The weights of a sparse row that are not 0.
struct SparseVector {
  std::vector<std::int32_t> ids;  ///< ascending
  std::vector<float> weights;     ///< one an id, positive
};

/// A row of Output::sparse without its zeros.
NYBBLE_API SparseVector sparse_vector(std::span<const float> row);

/// The weights of each text, for Output::sparse; throws as encode_tokens().
NYBBLE_API std::vector<SparseVector> encode_sparse(const Model& model,
                                                   std::span<const std::string_view> texts,
                                                   const EncodeOptions& options = {});

}  // namespace nybble
