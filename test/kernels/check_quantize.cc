// quantize_rows_u8, absmax and pack_s8 against the scalar set.
#include <algorithm>
#include <string>
#include <utility>

#include "test/kernels/check.h"

namespace nybble::kernels::test {
namespace {

void quantize_case(Context& context, int m, int k, int kind) {
  const std::ptrdiff_t ldx = k + context.random.integer(0, 5),
                       ldq = padded_depth(k) + context.random.integer(0, 3);
  Guarded<float> x((m - 1) * ldx + k);
  for (int i = 0; i < m; ++i) fill_row(context.random, static_cast<RowKind>(kind), &x[i * ldx], k);
  x.make_read_only();
  const std::size_t size = (m - 1) * ldq + padded_depth(k),
                    blocks = static_cast<std::size_t>(m) * row_block_count(k);
  Guarded<std::uint8_t> expected(size), actual(size);
  Guarded<RowScale> expected_rows(blocks), actual_rows(blocks);
  context.reference.quantize_rows_u8(x.data(), ldx, m, k, expected.data(), ldq, expected_rows.data());
  context.set.quantize_rows_u8(x.data(), ldx, m, k, actual.data(), ldq, actual_rows.data());
  const std::string what =
      "m=" + std::to_string(m) + " k=" + std::to_string(k) + " row kind " + std::to_string(kind);
  context.expect_same(expected, actual, "quantize_rows_u8 codes " + what);
  context.expect_same(expected_rows, actual_rows, "quantize_rows_u8 rows " + what);
}

}  // namespace

void check_quantize_rows_u8(Context& context) {
  for (int kind = 0; kind < static_cast<int>(RowKind::count); ++kind) {
    for (int k = 1; k <= 70; ++k) quantize_case(context, 3, k, kind);
    for (const int k : {127, 384, 768, 1000, 1024, 1025, 1536, 1537, 1600, 3072})
      quantize_case(context, 19, k, kind);
  }
  for (int i = 0; i < 3000; ++i)
    quantize_case(context, context.random.integer(1, 9), context.random.integer(100, 400), 0);
}

namespace {

/// The range of a block as the contract says it, bit for bit.
RowRange range_of(const float* x, int k) {
  RowRange range{};
  for (int i = 0; i < k; ++i) {
    std::uint32_t bits;
    std::memcpy(&bits, x + i, 4);
    range.high[i % 16] = std::max(range.high[i % 16], static_cast<std::int32_t>(bits));
    range.low[i % 16] = std::max(range.low[i % 16], bits);
  }
  return range;
}

void ranged_case(Context& context, int m, int k, int kind) {
  const std::ptrdiff_t ldx = k + context.random.integer(0, 5),
                       ldq = padded_depth(k) + context.random.integer(0, 3);
  const int blocks = row_block_count(k), depth = row_block_depth(k);
  Guarded<float> x((m - 1) * ldx + k);
  Guarded<RowRange> ranges(m * blocks);
  for (int i = 0; i < m; ++i) {
    fill_row(context.random, static_cast<RowKind>(kind), &x[i * ldx], k);
    for (int b = 0; b < blocks; ++b) {
      ranges[i * blocks + b] = range_of(&x[i * ldx + b * depth], b + 1 < blocks ? depth : k - b * depth);
    }
  }
  x.make_read_only();
  ranges.make_read_only();
  Guarded<std::uint8_t> expected((m - 1) * ldq + padded_depth(k)), actual(expected.size());
  Guarded<RowScale> expected_rows(m * blocks), actual_rows(m * blocks);
  context.reference.quantize_rows_u8(x.data(), ldx, m, k, expected.data(), ldq, expected_rows.data());
  const int middle = context.random.integer(0, blocks);  // in two calls, the second of which may be empty
  for (const auto& [begin, end] : {std::pair{0, middle}, {middle, blocks}}) {
    context.set.quantize_ranged_u8(
        {x.data(), ldx, m, k, ranges.data(), begin, end, actual.data(), ldq, actual_rows.data()});
  }
  const std::string what =
      "m=" + std::to_string(m) + " k=" + std::to_string(k) + " row kind " + std::to_string(kind);
  context.expect_same(expected, actual, "quantize_ranged_u8 codes " + what);
  context.expect_same(expected_rows, actual_rows, "quantize_ranged_u8 rows " + what);
}

}  // namespace

void check_quantize_ranged_u8(Context& context) {
  for (int kind = 0; kind < static_cast<int>(RowKind::count); ++kind) {
    for (int k = 1; k <= 150; ++k) ranged_case(context, 3, k, kind);
    for (const int k : {384, 768, 1000, 1024, 1025, 1536, 1537, 1600, 3072}) ranged_case(context, 5, k, kind);
  }
}

namespace {

void gelu_case(Context& context, int m, int k, int kind) {
  const std::ptrdiff_t ldx = k + context.random.integer(0, 5),
                       ldq = padded_depth(k) + context.random.integer(0, 3);
  const int blocks = row_block_count(k);
  Guarded<float> expected_x((m - 1) * ldx + k), actual_x(expected_x.size());
  for (int i = 0; i < m; ++i) fill_row(context.random, static_cast<RowKind>(kind), &expected_x[i * ldx], k);
  actual_x.copy_from(expected_x);
  Guarded<std::uint8_t> expected((m - 1) * ldq + padded_depth(k)), actual(expected.size());
  Guarded<RowScale> expected_rows(m * blocks), actual_rows(m * blocks);
  const int middle = context.random.integer(0, blocks);
  for (const auto& [begin, end] : {std::pair{0, middle}, {middle, blocks}}) {
    context.reference.gelu_quantize_rows_u8(
        {expected_x.data(), ldx, m, k, begin, end, expected.data(), ldq, expected_rows.data()});
    context.set.gelu_quantize_rows_u8(
        {actual_x.data(), ldx, m, k, begin, end, actual.data(), ldq, actual_rows.data()});
  }
  const std::string what =
      "m=" + std::to_string(m) + " k=" + std::to_string(k) + " row kind " + std::to_string(kind);
  context.expect_same(expected_x, actual_x, "gelu_quantize_rows_u8 values " + what);
  context.expect_same(expected, actual, "gelu_quantize_rows_u8 codes " + what);
  context.expect_same(expected_rows, actual_rows, "gelu_quantize_rows_u8 rows " + what);
}

}  // namespace

void check_gelu_quantize_rows_u8(Context& context) {
  for (int kind = 0; kind < static_cast<int>(RowKind::count); ++kind) {
    for (int k = 1; k <= 150; ++k) gelu_case(context, 3, k, kind);
    for (const int k : {384, 768, 1025, 1536, 1600, 3072}) gelu_case(context, 19, k, kind);
  }
}

void check_absmax(Context& context) {
  for (int i = 0; i < 3000; ++i) {
    const int n = i < 100 ? i + 1 : context.random.integer(1, 700);
    Guarded<float> x(n);
    fill_any(context.random, x.data(), n, true);
    x.make_read_only();
    const float expected = context.reference.absmax(x.data(), n), actual = context.set.absmax(x.data(), n);
    context.expect(std::memcmp(&expected, &actual, 4) == 0, "absmax n=" + std::to_string(n));
  }
  const float expected = context.reference.absmax(nullptr, 0), actual = context.set.absmax(nullptr, 0);
  context.expect(expected == 0 && actual == 0, "absmax of nothing");
}

namespace {

void pack_case(Context& context, int n, int k) {
  const std::ptrdiff_t ldw = k + context.random.integer(0, 3);
  Guarded<float> w((n - 1) * ldw + k), scale(n), bias(n);
  for (int i = 0; i < n; ++i) {
    fill_any(context.random, &w[i * ldw], k, false);
    // Of the calibrated kind (some values clamp), of the exact kind, of a zero channel.
    const float largest = context.reference.absmax(&w[i * ldw], k);
    scale[i] = context.random.integer(0, 9) == 0
                   ? 0.0F
                   : largest / (context.random.integer(0, 2) == 0 ? 300.0F : 127.0F);
    bias[i] = context.random.normal();
  }
  w.make_read_only();
  Guarded<std::byte> expected(packed_bytes_s8(n, k)), actual(packed_bytes_s8(n, k));
  const float* biases = context.random.integer(0, 3) == 0 ? nullptr : bias.data();
  for (int p = 0; p < panel_count(n); ++p) {
    context.reference.pack_s8(w.data(), ldw, n, k, scale.data(), biases, p, expected.data());
    context.set.pack_s8(w.data(), ldw, n, k, scale.data(), biases, p, actual.data());
  }
  context.expect_same(expected, actual, "pack_s8 n=" + std::to_string(n) + " k=" + std::to_string(k));
}

}  // namespace

void check_pack_s8(Context& context) {
  for (const int n : {1, 15, 16, 17, 40, 64, 65, 130}) {
    for (const int k : {1, 2, 3, 4, 5, 15, 16, 17, 63, 64, 65, 384, 1024, 1025, 1537})
      pack_case(context, n, k);
  }
  for (int i = 0; i < 200; ++i)
    pack_case(context, context.random.integer(1, 100), context.random.integer(1, 300));
}

}  // namespace nybble::kernels::test
