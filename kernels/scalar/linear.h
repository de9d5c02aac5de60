// Products of floats, literally as docs/numerics.md says them.
#pragma once

#include "kernels/kernel_set.h"
#include "kernels/scalar/f32x1.h"

namespace nybble::kernels::scalar {

inline void linear_f32(const LinearArgs& args) noexcept {
  for (std::ptrdiff_t row = 0; row < args.m; ++row) {
    for (std::ptrdiff_t column = 0; column < args.n; ++column) {
      const float* w = args.w + column / 16 * 16 * args.k + column % 16;
      float sum = args.bias == nullptr ? 0 : args.bias[column];
      for (std::ptrdiff_t k = 0; k < args.k; ++k) {
        sum = __builtin_fmaf(args.x[row * args.ldx + k], w[k * 16], sum);
      }
      args.y[row * args.ldy + column] = canonical(sum);
    }
  }
}

}  // namespace nybble::kernels::scalar
