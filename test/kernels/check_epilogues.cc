// Steps on finished tiles against the scalar set.
#include <string>

#include "test/kernels/check.h"

namespace nybble::kernels::test {
namespace {

using Activation = TileEpilogue KernelSet::*;

void fill_tile(Context& context, Guarded<float>& tile, int rows, int cols, std::ptrdiff_t ld) {
  for (int r = 0; r < rows; ++r) {
    fill_any(context.random, &tile[r * ld], cols, true);
    const float spread = static_cast<float>(context.random.integer(1, 30));
    for (int c = 0; c < cols; ++c) tile[r * ld + c] *= spread;
  }
}

void activation_case(Context& context, Activation which, int rows, int cols) {
  if (!context.takes()) return;
  const std::ptrdiff_t ld = cols + context.random.integer(0, 4);
  Guarded<float> expected((rows - 1) * ld + cols), actual(expected.size());
  fill_tile(context, expected, rows, cols, ld);
  actual.copy_from(expected);
  (context.reference.*which)({expected.data(), ld, rows, cols}, nullptr);
  (context.set.*which)({actual.data(), ld, rows, cols}, nullptr);
  context.expect_same(expected, actual,
                      "activation rows=" + std::to_string(rows) + " cols=" + std::to_string(cols));
}

/// C of m × n is activated tile by tile, with ranges; the rows are then quantized by them, which must give
/// the codes of quantize_rows_u8.
void ranged_case(Context& context, Activation which, int m, int n) {
  if (!context.takes()) return;
  const std::ptrdiff_t ld = n + context.random.integer(0, 4), ldq = padded_depth(n);
  const int blocks = row_block_count(n);
  Guarded<float> expected((m - 1) * ld + n), actual(expected.size());
  Guarded<RowRange> expected_ranges(m * blocks), actual_ranges(m * blocks);
  std::memset(expected_ranges.data(), 0, m * blocks * sizeof(RowRange));
  actual_ranges.copy_from(expected_ranges);
  fill_tile(context, expected, m, n, ld);
  actual.copy_from(expected);
  EpilogueArgs args{.ranges = expected_ranges.data(), .columns = n};
  for (int row = 0; row < m; row += 3) {
    for (int column = 0; column < n; column += 64) {
      const int rows = m - row < 3 ? m - row : 3, cols = n - column < 64 ? n - column : 64;
      args.ranges = expected_ranges.data();
      (context.reference.*which)({&expected[row * ld + column], ld, rows, cols, row, column}, &args);
      args.ranges = actual_ranges.data();
      (context.set.*which)({&actual[row * ld + column], ld, rows, cols, row, column}, &args);
    }
  }
  const std::string what = " m=" + std::to_string(m) + " n=" + std::to_string(n);
  context.expect_same(expected, actual, "activation with ranges" + what);
  context.expect_same(expected_ranges, actual_ranges, "ranges" + what);
  Guarded<std::uint8_t> q(m * ldq), ranged_q(m * ldq);
  Guarded<RowScale> rows(m * blocks), ranged_rows(m * blocks);
  context.set.quantize_rows_u8(actual.data(), ld, m, n, q.data(), ldq, rows.data());
  context.set.quantize_ranged_u8(
      {actual.data(), ld, m, n, actual_ranges.data(), 0, blocks, ranged_q.data(), ldq, ranged_rows.data()});
  context.expect_same(q, ranged_q, "codes by ranges" + what);
  context.expect_same(rows, ranged_rows, "rows by ranges" + what);
}

/// Every 1021st float there is, NaNs and denormals included.
void all_floats_case(Context& context, Activation which) {
  constexpr int kStride = 1021, kPiece = 1 << 16;
  Guarded<float> expected(kPiece), actual(kPiece);
  for (std::uint64_t bits = 0; bits < std::uint64_t{1} << 32;) {
    if (!context.takes()) {
      bits += std::uint64_t{kPiece} * kStride;
      continue;
    }
    for (int i = 0; i < kPiece; ++i, bits += kStride) {
      const auto low = static_cast<std::uint32_t>(bits);
      std::memcpy(&expected[i], &low, 4);
    }
    actual.copy_from(expected);
    (context.reference.*which)({expected.data(), kPiece, 1, kPiece}, nullptr);
    (context.set.*which)({actual.data(), kPiece, 1, kPiece}, nullptr);
    context.expect_same(expected, actual, "activation over all floats, up to bits " + std::to_string(bits));
  }
}

void check_activation(Context& context, Activation which) {
  for (int cols = 1; cols <= 70; ++cols) {
    for (const int rows : {1, 6}) activation_case(context, which, rows, cols);
  }
  for (const int n : {1, 16, 17, 64, 100, 384, 1024, 1040, 1536, 1537}) {
    for (int i = 0; i < 8; ++i) ranged_case(context, which, context.random.integer(1, 7), n);
  }
  all_floats_case(context, which);
}

}  // namespace

void check_gelu_erf(Context& context) { check_activation(context, &KernelSet::gelu_erf); }
void check_gelu_erf_q(Context& context) { check_activation(context, &KernelSet::gelu_erf_q); }
void check_gelu_tanh(Context& context) { check_activation(context, &KernelSet::gelu_tanh); }
void check_relu(Context& context) { check_activation(context, &KernelSet::relu); }

}  // namespace nybble::kernels::test
