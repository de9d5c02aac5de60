// LayerNorm and the small row operations, literally as docs/numerics.md says them.
#pragma once

#include "kernels/kernel_set.h"
#include "kernels/scalar/f32x1.h"
#include "kernels/scalar/lanes.h"

namespace nybble::kernels::scalar {

inline void layernorm_row(const LayerNormArgs& args, int row) {
  const float* x = args.x + row * args.ldx;
  float* y = args.y + row * args.ldy;
  const int n = args.n;
  Lanes sum, squares;
  for (int i = 0; i < n; ++i) {
    y[i] = args.residual == nullptr ? x[i] : x[i] + args.residual[row * args.ldr + i];
    sum.add(i, y[i]);
  }
  const float mean = sum.total() / static_cast<float>(n);
  for (int i = 0; i < n; ++i) squares.add_square(i, y[i] - mean);
  const float variance = squares.total() / static_cast<float>(n);
  const float inverse = 1 / __builtin_sqrtf(variance + args.epsilon);
  for (int i = 0; i < n; ++i) {
    const float beta = args.beta == nullptr ? 0 : args.beta[i];
    y[i] = canonical(__builtin_fmaf((y[i] - mean) * inverse, args.gamma[i], beta));
  }
}

inline void layernorm(const LayerNormArgs& args) noexcept {
  for (int row = 0; row < args.m; ++row) layernorm_row(args, row);
}

inline void embed_sum(const std::int32_t* ids, const std::int32_t* positions, const std::int32_t* types,
                      const float* word, const float* position, const float* type, int m, int n, float* y,
                      std::ptrdiff_t ldy) noexcept {
  for (std::ptrdiff_t i = 0; i < m; ++i) {
    const float* w = word + static_cast<std::ptrdiff_t>(ids[i]) * n;
    const float* p = position + static_cast<std::ptrdiff_t>(positions[i]) * n;
    for (int j = 0; j < n; ++j) {
      float sum = w[j] + p[j];
      if (type != nullptr) sum += type[static_cast<std::ptrdiff_t>(types[i]) * n + j];
      y[i * ldy + j] = canonical(sum);
    }
  }
}

inline void mean_pool(const float* x, std::ptrdiff_t ldx, int m, int n, float* y) noexcept {
  for (int j = 0; j < n; ++j) {
    float sum = 0;
    for (int i = 0; i < m; ++i) sum += x[i * ldx + j];
    y[j] = canonical(sum / static_cast<float>(m));
  }
}

inline void l2_normalize(const float* x, int n, float* y) noexcept {
  Lanes squares;
  for (int i = 0; i < n; ++i) squares.add_square(i, x[i]);
  const float norm = __builtin_sqrtf(squares.total());
  const float divisor = norm < 1e-12F ? 1e-12F : norm;
  for (int i = 0; i < n; ++i) y[i] = canonical(x[i] / divisor);
}

}  // namespace nybble::kernels::scalar
