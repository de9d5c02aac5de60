// LayerNorm and RMSNorm, literally as docs/numerics.md says them.
#pragma once

#include "kernels/kernel_set.h"
#include "kernels/scalar/f32x1.h"
#include "kernels/scalar/lanes.h"
#include "kernels/scalar/quantize.h"

namespace nybble::kernels::scalar {

/// x + residual of one row, in `sum` or, where there is none, in y.
inline const float* norm_input(const NormArgs& args, std::ptrdiff_t row) {
  const float* x = args.x + row * args.ldx;
  float* h = args.sum == nullptr ? args.y + row * args.ldy : args.sum + row * args.lds;
  for (int i = 0; i < args.n; ++i) {
    h[i] = canonical(args.residual == nullptr ? x[i] : x[i] + args.residual[row * args.ldr + i]);
  }
  return h;
}

inline void layernorm_row(const NormArgs& args, std::ptrdiff_t row) {
  const float* h = norm_input(args, row);
  float* y = args.y + row * args.ldy;
  const int n = args.n;
  Lanes sum, squares;
  for (int i = 0; i < n; ++i) sum.add(i, h[i]);
  const float mean = sum.total() / static_cast<float>(n);
  for (int i = 0; i < n; ++i) squares.add_square(i, h[i] - mean);
  const float variance = squares.total() / static_cast<float>(n);
  const float inverse = 1 / __builtin_sqrtf(variance + args.epsilon);
  for (int i = 0; i < n; ++i) {
    const float beta = args.beta == nullptr ? 0 : args.beta[i];
    y[i] = canonical(__builtin_fmaf((h[i] - mean) * inverse, args.gamma[i], beta));
  }
}

inline void rmsnorm_row(const NormArgs& args, std::ptrdiff_t row) {
  const float* h = norm_input(args, row);
  float* y = args.y + row * args.ldy;
  Lanes squares;
  for (int i = 0; i < args.n; ++i) squares.add_square(i, h[i]);
  const float inverse = 1 / __builtin_sqrtf(squares.total() / static_cast<float>(args.n) + args.epsilon);
  for (int i = 0; i < args.n; ++i) y[i] = canonical(h[i] * inverse * args.gamma[i]);
}

template <void (*norm_row)(const NormArgs&, std::ptrdiff_t)>
void norm(const NormArgs& args) noexcept {
  for (int row = 0; row < args.m; ++row) norm_row(args, row);
  if (args.q != nullptr) quantize_rows_u8(args.y, args.ldy, args.m, args.n, args.q, args.ldq, args.rows);
}

}  // namespace nybble::kernels::scalar
