// Products of floats for small layers: one chain of fma an output.
#pragma once

#include "kernels/kernel_set.h"
#include "kernels/portable/functions.h"
#include "kernels/portable/vectors.h"

namespace nybble::kernels {

/// Rows [row, row + Rows) by panels [panel, panel + Panels). Chains are 4 cycles deep and two may start in
/// each: 8 side by side, or more, keep both pipes busy.
template <class V, int Rows, int Panels>
inline void linear_tile(const LinearArgs& args, int row, int panel) {
  const std::ptrdiff_t panel_floats = std::ptrdiff_t{16} * args.k;
  const float* w = args.w + panel * panel_floats;
  const float* x = args.x + row * args.ldx;
  V sum[Rows][Panels];
  for (int p = 0; p < Panels; ++p) {
    const int column = (panel + p) * 16;
    const V first = args.bias == nullptr ? V::set(0.0F) : load_at<V>(args.bias, column, args.n);
    for (int r = 0; r < Rows; ++r) sum[r][p] = first;
  }
  for (std::ptrdiff_t k = 0; k < args.k; ++k) {
    V weights[Panels];
#pragma GCC unroll 24
    for (int p = 0; p < Panels; ++p) weights[p] = V::load(w + p * panel_floats + k * 16);
#pragma GCC unroll 24
    for (int r = 0; r < Rows; ++r) {
      const V value = V::set(x[r * args.ldx + k]);
#pragma GCC unroll 24
      for (int p = 0; p < Panels; ++p) sum[r][p] = V::fma(value, weights[p], sum[r][p]);
    }
  }
  for (int r = 0; r < Rows; ++r) {
    float* y = args.y + (row + r) * args.ldy;
    for (int p = 0; p < Panels; ++p) store_at(canonical(sum[r][p]), y, (panel + p) * 16, args.n);
  }
}

/// All panels, first as many side by side as Rows leave registers for.
template <class V, int Rows>
inline void linear_rows(const LinearArgs& args, int row) {
  constexpr int kSums = V::kRegisterFactor > 1 ? 12 : 6;  // a V is one of 32 registers, or two of 16
  constexpr int kWide = kSums / Rows;
  const int panels = round_up(args.n, 16) / 16;
  int panel = 0;
  if constexpr (kWide > 1) {
    for (; panel + kWide <= panels; panel += kWide) linear_tile<V, Rows, kWide>(args, row, panel);
  }
  for (; panel < panels; ++panel) linear_tile<V, Rows, 1>(args, row, panel);
}

template <class V>
void linear_f32(const LinearArgs& args) noexcept {
  int row = 0;
  for (; row + 6 <= args.m; row += 6) linear_rows<V, 6>(args, row);
  if (row + 3 <= args.m) linear_rows<V, 3>(args, row), row += 3;
  for (; row < args.m; ++row) linear_rows<V, 1>(args, row);
}

}  // namespace nybble::kernels
