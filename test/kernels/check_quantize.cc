// Row quantization, absmax, packing and unpacking against the scalar set.
#include <algorithm>
#include <string>
#include <utility>

#include "test/kernels/check.h"

namespace nybble::kernels::test {
namespace {

void quantize_case(Context& context, int m, int k, int kind) {
  if (!context.takes()) return;
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

void quantize_u4_case(Context& context, int m, int k, int row_block, int kind) {
  if (!context.takes()) return;
  const PackFormat format{.bits = 4, .row_block = row_block};
  const std::ptrdiff_t ldx = k + context.random.integer(0, 5),
                       ldq = padded_depth(k) / 2 + context.random.integer(0, 3);
  Guarded<float> x((m - 1) * ldx + k);
  for (int i = 0; i < m; ++i) fill_row(context.random, static_cast<RowKind>(kind), &x[i * ldx], k);
  x.make_read_only();
  const std::size_t size = (m - 1) * ldq + padded_depth(k) / 2,
                    blocks = static_cast<std::size_t>(m) * row_block_count(k, format);
  Guarded<std::uint8_t> expected(size), actual(size);
  Guarded<RowScale> expected_rows(blocks), actual_rows(blocks);
  context.reference.quantize_rows_u4(x.data(), ldx, m, k, row_block, expected.data(), ldq,
                                     expected_rows.data());
  context.set.quantize_rows_u4(x.data(), ldx, m, k, row_block, actual.data(), ldq, actual_rows.data());
  const std::string what = "m=" + std::to_string(m) + " k=" + std::to_string(k) +
                           " row_block=" + std::to_string(row_block) + " row kind " + std::to_string(kind);
  context.expect_same(expected, actual, "quantize_rows_u4 codes " + what);
  context.expect_same(expected_rows, actual_rows, "quantize_rows_u4 rows " + what);
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

void check_quantize_rows_u4(Context& context) {
  for (int kind = 0; kind < static_cast<int>(RowKind::count); ++kind) {
    for (const int row_block : {0, 32, 64, 128}) {
      for (int k = 1; k <= 70; ++k) quantize_u4_case(context, 2, k, row_block, kind);
      for (const int k : {127, 384, 1000, 1024, 1025, 1537, 3072})
        quantize_u4_case(context, 3, k, row_block, kind);
    }
  }
  for (int i = 0; i < 1000; ++i) {
    quantize_u4_case(context, context.random.integer(1, 5), context.random.integer(100, 400), 0, 0);
  }
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
  if (!context.takes()) return;
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
  if (!context.takes()) return;
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
  for (int i = 0; i < m; ++i) {  // k values a row are spent, what lies between rows is not theirs
    std::copy_n(&expected_x[i * ldx], k, &actual_x[i * ldx]);
  }
  context.expect_same(expected_x, actual_x, "gelu_quantize_rows_u8 between the rows " + what);
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

/// A layer whose channels are of the calibrated kind (some values clamp), of the exact kind, of zeros.
struct PackCase {
  int n, k;
  PackFormat format;
  std::ptrdiff_t ldw;
  Guarded<float> w, scale, bias;
  Guarded<std::int8_t> zero;
  bool with_bias, symmetric;

  PackCase(Context& context, int columns, int depth, const PackFormat& with)
      : n(columns),
        k(depth),
        format(with),
        ldw(k + context.random.integer(0, 3)),
        w((n - 1) * ldw + k),
        scale(static_cast<std::size_t>(n) * (format.group == 0 ? 1 : group_count(k, format))),
        bias(n),
        zero(scale.size()),
        with_bias(context.random.integer(0, 3) != 0),
        symmetric(format.group == 0 || context.random.integer(0, 1) == 0) {
    const int groups = static_cast<int>(scale.size()) / n;
    for (int i = 0; i < n; ++i) {
      fill_any(context.random, &w[i * ldw], k, false);
      const float largest = context.reference.absmax(&w[i * ldw], k);
      bias[i] = context.random.normal();
      for (int g = 0; g < groups; ++g) {
        const float steps =
            static_cast<float>(greatest_code(format)) * (context.random.integer(0, 2) == 0 ? 2.3F : 1);
        scale[i * groups + g] = context.random.integer(0, 9) == 0 ? 0.0F : largest / steps;
        zero[i * groups + g] =
            static_cast<std::int8_t>(context.random.integer(least_code(format), greatest_code(format)));
      }
    }
    w.make_read_only();
  }

  PackArgs args(Guarded<std::byte>& pack) {
    return {w.data(),
            ldw,
            n,
            k,
            scale.data(),
            symmetric ? nullptr : zero.data(),
            with_bias ? bias.data() : nullptr,
            pack.data(),
            format};
  }
  std::string name() const {
    return "n=" + std::to_string(n) + " k=" + std::to_string(k) + " bits=" + std::to_string(format.bits) +
           " group=" + std::to_string(format.group) + " row_block=" + std::to_string(format.row_block);
  }
};

constexpr PackFormat kPackFormats[] = {
    {.bits = 8},
    {.bits = 7},
    {.bits = 6},
    {.bits = 5},
    {.bits = 4},
    {.bits = 5, .group = 32},
    {.bits = 5, .group = 128},
    {.bits = 4, .group = 32},
    {.bits = 4, .group = 64},
    {.bits = 4, .group = 128},
    {.bits = 4, .group = 0, .row_block = 32},
    {.bits = 4, .group = 64, .row_block = 64},
};

void pack_case(Context& context, int n, int k, const PackFormat& format) {
  if (!context.takes()) return;
  PackCase c(context, n, k, format);
  Guarded<std::byte> expected(packed_bytes(n, k, format)), actual(expected.size());
  for (int p = 0; p < panel_count(n); ++p) {
    context.reference.pack(c.args(expected), p);
    context.set.pack(c.args(actual), p);
  }
  context.expect_same(expected, actual, "pack " + c.name());
}

void unpack_case(Context& context, int n, int k, const PackFormat& format) {
  if (!context.takes()) return;
  PackCase c(context, n, k, format);
  Guarded<std::byte> pack(packed_bytes(n, k, format));
  for (int p = 0; p < panel_count(n); ++p) context.reference.pack(c.args(pack), p);
  pack.make_read_only();
  Guarded<float> expected((n - 1) * c.ldw + k), actual(expected.size());
  for (int p = 0; p < panel_count(n); ++p) {
    context.reference.unpack(pack.data(), n, k, format, p, expected.data(), c.ldw);
    context.set.unpack(pack.data(), n, k, format, p, actual.data(), c.ldw);
  }
  context.expect_same(expected, actual, "unpack " + c.name());
}

void check_packs(Context& context, void (*one)(Context&, int, int, const PackFormat&)) {
  for (const PackFormat& format : kPackFormats) {
    for (const int n : {1, 15, 16, 17, 40, 64, 65, 130}) {
      for (const int k : {1, 2, 3, 4, 5, 15, 16, 17, 31, 33, 63, 64, 65, 384, 1024, 1025, 1537}) {
        one(context, n, k, format);
      }
    }
    for (int i = 0; i < 50; ++i) {
      one(context, context.random.integer(1, 100), context.random.integer(1, 300), format);
    }
  }
}

}  // namespace

void check_pack(Context& context) { check_packs(context, pack_case); }
void check_unpack(Context& context) { check_packs(context, unpack_case); }

}  // namespace nybble::kernels::test
