// The one order in which a row is summed: 16 lanes, then a fixed tree.
#pragma once

namespace nybble::kernels::scalar {

/// Element i of a row is added to lane i mod 16; total() halves the lanes four times.
struct Lanes {
  float lane[16] = {};

  void add(int i, float x) { lane[i % 16] += x; }
  void add_square(int i, float x) { lane[i % 16] = __builtin_fmaf(x, x, lane[i % 16]); }

  float total() const {
    float sum[16];
    for (int j = 0; j < 16; ++j) sum[j] = lane[j];
    for (int half = 8; half >= 1; half /= 2) {
      for (int j = 0; j < half; ++j) sum[j] += sum[j + half];
    }
    return sum[0];
  }
};

}  // namespace nybble::kernels::scalar
