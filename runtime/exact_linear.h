// A linear layer with the file's weights as floats, for the kernel linear_f32: the layers of heads.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "kernels/kernel_set.h"

namespace nybble::runtime {

/// Immutable after construction; may be read by many threads.
class ExactLinear {
 public:
  /// w [n][k] row-major; bias [n], or none (+0). Both are copied. n, k ≥ 1.
  ExactLinear(std::span<const float> w, std::span<const float> bias, int n, int k);

  /// The arguments of linear_f32 but for the rows.
  kernels::LinearArgs args() const noexcept;
  std::size_t bytes() const noexcept { return (panels_.size() + bias_.size()) * sizeof(float); }

 private:
  int n_, k_;
  std::vector<float> panels_, bias_;
};

}  // namespace nybble::runtime
