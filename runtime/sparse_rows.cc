#include "runtime/sparse_rows.h"

#include <algorithm>

#include "kernels/log1p.h"

namespace nybble::runtime {

float SparseRows::weight(float logit) const {
  const float once = kernels::log1p_relu(logit);
  return pooling_.logs_twice ? kernels::log1p_relu(once) : once;
}

void SparseRows::add_token(const float* logits, bool is_first) {
  const std::size_t n = row_.size();
  if (pooling_.sums) {
    if (is_first) std::fill(row_.begin(), row_.end(), 0.0F);
    for (std::size_t i = 0; i < n; ++i) row_[i] += weight(logits[i]);
  } else if (is_first) {
    std::copy_n(logits, n, row_.data());
  } else {
    for (std::size_t i = 0; i < n; ++i) row_[i] = row_[i] < logits[i] ? logits[i] : row_[i];
  }
}

void SparseRows::pool(std::span<const float> rows, std::span<const std::size_t> lengths,
                      const std::function<void(std::size_t, const float*)>& give) {
  const std::size_t width = decoder_.input_columns(), vocabulary = decoder_.output_columns();
  row_.resize(vocabulary);
  std::size_t sequence = 0, token = 0;
  for (std::size_t done = 0, all = rows.size() / width; done < all;) {
    const std::size_t now = std::min(all - done, kRowsAtATime);
    logits_.resize(std::max(logits_.size(), now * vocabulary));
    decoder_.run(rows.subspan(done * width, now * width), std::span(logits_).first(now * vocabulary),
                 options_);
    for (std::size_t i = 0; i < now; ++i) {
      add_token(logits_.data() + i * vocabulary, token == 0);
      if (++token < lengths[sequence]) continue;
      if (!pooling_.sums) {
        for (float& value : row_) value = weight(value);
      }
      give(sequence++, row_.data());
      token = 0;
    }
    done += now;
  }
}

}  // namespace nybble::runtime
