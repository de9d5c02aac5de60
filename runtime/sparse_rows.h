// Sparse embeddings: from what a masked language model predicts for each token to one weight for each token
// of the vocabulary.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "nybble/nybble.h"
#include "runtime/row_decoder.h"
#include "runtime/sentence_transformers.h"

namespace nybble::runtime {

/// For one call on one thread; the decoder's work is shared by its threads.
class SparseRows {
 public:
  SparseRows(RowDecoder& decoder, const SparsePooling& pooling, const EncodeOptions& options)
      : decoder_(decoder), pooling_(pooling), options_(options) {}

  /// Of sequences whose rows stand in `rows` end to end, lengths[i] of sequence i: calls give(i, row) with
  /// the vocabulary's weights of each, in order. log1p grows with its argument, so it follows the greatest
  /// value; a sum adds token by token from +0.
  void pool(std::span<const float> rows, std::span<const std::size_t> lengths,
            const std::function<void(std::size_t sequence, const float* row)>& give);

 private:
  static constexpr std::size_t kRowsAtATime = 64;  ///< of logits: 8 MB for 30,522 tokens

  void add_token(const float* logits, bool is_first);
  float weight(float logit) const;

  RowDecoder& decoder_;
  const SparsePooling& pooling_;
  const EncodeOptions& options_;
  std::vector<float> logits_, row_;
};

}  // namespace nybble::runtime
