// The small row operations, literally as docs/numerics.md says them.
#pragma once

#include "kernels/kernel_set.h"
#include "kernels/scalar/f32x1.h"
#include "kernels/scalar/lanes.h"
#include "kernels/scalar/quantize.h"

namespace nybble::kernels::scalar {

inline void embed_tables(const EmbedArgs& args) noexcept {
  for (std::ptrdiff_t row = 0; row < args.m; ++row) {
    for (int i = 0; i < args.n; ++i) {
      float sum = 0;
      for (int t = 0; t < args.count; ++t) {
        const EmbedTable& table = args.tables[t];
        const std::ptrdiff_t id = table.ids[row];
        if (table.values != nullptr) {
          const float value = table.values[id * args.n + i];
          sum = t == 0 ? value : sum + value;
        } else {
          const float code = table.codes[id * args.n + i];
          sum = t == 0 ? code * table.scales[id] : __builtin_fmaf(code, table.scales[id], sum);
        }
      }
      args.y[row * args.ldy + i] = canonical(sum);
    }
  }
}

inline void quantize_rows_s8(const float* x, std::ptrdiff_t ldx, int m, int n, std::int8_t* q,
                             std::ptrdiff_t ldq, float* scales) noexcept {
  for (std::ptrdiff_t row = 0; row < m; ++row) {
    const float* values = x + row * ldx;
    const float scale = absmax(values, n) / 127;
    scales[row] = scale != scale ? from_bits(0x7FC00000) : scale < 0x1p-126F ? 0.0F : scale;
    for (int i = 0; i < n; ++i) {
      const float code = scale >= 0x1p-126F ? __builtin_rintf(values[i] / scale) : 0;
      q[row * ldq + i] = static_cast<std::int8_t>(code < -127 ? -127 : code > 127 ? 127 : code);
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

inline void max_pool(const float* x, std::ptrdiff_t ldx, int m, int n, float* y) noexcept {
  for (int j = 0; j < n; ++j) {
    float most = x[j];
    for (int i = 1; i < m; ++i) {
      const float value = x[i * ldx + j];
      if (value > most || value != value) most = value;
    }
    y[j] = canonical(most);
  }
}

inline void cls_pool(const float* x, std::ptrdiff_t, int, int n, float* y) noexcept {
  for (int j = 0; j < n; ++j) y[j] = canonical(x[j]);
}

inline void l2_normalize(const float* x, int n, float* y) noexcept {
  Lanes squares;
  for (int i = 0; i < n; ++i) squares.add_square(i, x[i]);
  const float norm = __builtin_sqrtf(squares.total());
  const float divisor = norm < 1e-12F ? 1e-12F : norm;
  for (int i = 0; i < n; ++i) y[i] = canonical(x[i] / divisor);
}

}  // namespace nybble::kernels::scalar
