// Embedding lookup, rows of 8-bit codes and the pools against the scalar set.
#include <string>
#include <utility>

#include "test/kernels/check.h"

namespace nybble::kernels::test {

void check_quantize_rows_s8(Context& context) {
  for (int i = 0; i < 1500; ++i) {
    if (!context.takes()) continue;
    const int n = i < 200 ? i + 1 : context.random.integer(1, 800), m = context.random.integer(1, 4);
    const std::ptrdiff_t ldx = n + i % 3, ldq = n + i % 4;
    Guarded<float> x((m - 1) * ldx + n), expected_scales(m), actual_scales(m);
    for (int row = 0; row < m; ++row) fill_any(context.random, &x[row * ldx], n, true);
    if (i % 20 == 0) fill_row(context.random, RowKind::denormal, x.data(), n);
    x.make_read_only();
    Guarded<std::int8_t> expected((m - 1) * ldq + n), actual(expected.size());
    context.reference.quantize_rows_s8(x.data(), ldx, m, n, expected.data(), ldq, expected_scales.data());
    context.set.quantize_rows_s8(x.data(), ldx, m, n, actual.data(), ldq, actual_scales.data());
    context.expect_same(expected, actual, "quantize_rows_s8 codes n=" + std::to_string(n));
    context.expect_same(expected_scales, actual_scales, "quantize_rows_s8 scales n=" + std::to_string(n));
  }
}

namespace {

/// A table in both forms, and the rows that the tokens take.
struct Table {
  Guarded<float> values, scales;
  Guarded<std::int8_t> codes;
  Guarded<std::int32_t> ids;

  Table(Context& context, int rows, int n, int m) : values(rows * n), scales(rows), codes(rows * n), ids(m) {
    for (int row = 0; row < rows; ++row) fill_any(context.random, &values[row * n], n, true);
    context.reference.quantize_rows_s8(values.data(), n, rows, n, codes.data(), n, scales.data());
    for (int i = 0; i < m; ++i) ids[i] = context.random.integer(0, rows - 1);
    values.make_read_only(), scales.make_read_only(), codes.make_read_only(), ids.make_read_only();
  }
  EmbedTable as_values() const { return {ids.data(), values.data()}; }
  EmbedTable as_codes() const { return {ids.data(), nullptr, codes.data(), scales.data()}; }
};

void embed_case(Context& context, int count, int n) {
  if (!context.takes()) return;
  constexpr int kRows = 7, kTokens = 5;
  const Table tables[kEmbedTables] = {{context, kRows, n, kTokens},
                                      {context, kRows, n, kTokens},
                                      {context, kRows, n, kTokens},
                                      {context, kRows, n, kTokens}};
  EmbedTable used[kEmbedTables];
  for (int t = 0; t < count; ++t) {
    used[t] = context.random.integer(0, 1) == 0 ? tables[t].as_values() : tables[t].as_codes();
  }
  const std::ptrdiff_t ldy = n + n % 3;
  Guarded<float> expected((kTokens - 1) * ldy + n), actual(expected.size());
  context.reference.embed_tables({used, count, kTokens, n, expected.data(), ldy});
  context.set.embed_tables({used, count, kTokens, n, actual.data(), ldy});
  context.expect_same(expected, actual,
                      "embed_tables count=" + std::to_string(count) + " n=" + std::to_string(n));
}

using Pool = void (*KernelSet::*)(const float*, std::ptrdiff_t, int, int, float*) noexcept;

void check_pool(Context& context, Pool which) {
  for (int i = 0; i < 600; ++i) {
    if (!context.takes()) continue;
    const int n = i < 200 ? i + 1 : context.random.integer(1, 800), m = context.random.integer(1, 20);
    const std::ptrdiff_t ldx = n + i % 3;
    Guarded<float> x((m - 1) * ldx + n), expected(n), actual(n);
    for (int row = 0; row < m; ++row) fill_any(context.random, &x[row * ldx], n, true);
    x.make_read_only();
    (context.reference.*which)(x.data(), ldx, m, n, expected.data());
    (context.set.*which)(x.data(), ldx, m, n, actual.data());
    context.expect_same(expected, actual, "pool m=" + std::to_string(m) + " n=" + std::to_string(n));
  }
}

}  // namespace

void check_embed_tables(Context& context) {
  for (int n = 1; n <= 100; ++n) {
    for (int count = 1; count <= kEmbedTables; ++count) embed_case(context, count, n);
  }
}

void check_mean_pool(Context& context) { check_pool(context, &KernelSet::mean_pool); }
void check_max_pool(Context& context) { check_pool(context, &KernelSet::max_pool); }
void check_cls_pool(Context& context) { check_pool(context, &KernelSet::cls_pool); }

}  // namespace nybble::kernels::test
