// The small row operations on vectors of 16 floats.
#pragma once

#include <immintrin.h>

#include "kernels/kernel_set.h"
#include "kernels/portable/functions.h"
#include "kernels/portable/range.h"
#include "kernels/portable/vectors.h"

namespace nybble::kernels {

/// 16 codes as floats, or the first n of them with 0 beyond.
template <class V>
inline V codes_at(const std::int8_t* codes, int i, int n) {
  return i + 16 <= n ? V::load_s8(codes + i) : V::load_s8_first(codes + i, n - i);
}

/// The row that a table adds for one token: floats, or codes and their scale.
template <class V>
struct EmbedRow {
  const float* values;
  const std::int8_t* codes;
  V scale;
};

template <class V>
inline V embed_column(const EmbedRow<V>* rows, int count, int i, int n) {
  V sum = rows[0].values != nullptr ? load_at<V>(rows[0].values, i, n)
                                    : codes_at<V>(rows[0].codes, i, n) * rows[0].scale;
  for (int t = 1; t < count; ++t) {
    sum = rows[t].values != nullptr ? sum + load_at<V>(rows[t].values, i, n)
                                    : V::fma(codes_at<V>(rows[t].codes, i, n), rows[t].scale, sum);
  }
  return canonical(sum);
}

template <class V>
void embed_tables(const EmbedArgs& args) noexcept {
  const int n = args.n, count = args.count;
  for (std::ptrdiff_t row = 0; row < args.m; ++row) {
    EmbedRow<V> rows[kEmbedTables];
    for (int t = 0; t < count; ++t) {
      const EmbedTable& table = args.tables[t];
      const std::ptrdiff_t id = table.ids[row];
      if (table.values != nullptr) {
        rows[t] = {table.values + id * n, nullptr, V::set(0.0F)};
      } else {
        rows[t] = {nullptr, table.codes + id * n, V::set(table.scales[id])};
      }
    }
    for (int i = 0; i < n; i += 16) store_at(embed_column(rows, count, i, n), args.y + row * args.ldy, i, n);
  }
}

template <class V>
void quantize_rows_s8(const float* x, std::ptrdiff_t ldx, int m, int n, std::int8_t* q, std::ptrdiff_t ldq,
                      float* scales) noexcept {
  const V low = V::set(-127.0F), high = V::set(127.0F);
  for (std::ptrdiff_t row = 0; row < m; ++row) {
    const float* values = x + row * ldx;
    auto* codes = reinterpret_cast<std::uint8_t*>(q + row * ldq);
    const Range range = range_of<V>(values, n).total();
    const float scale = (-range.low > range.high ? -range.low : range.high) / 127;
    scales[row] = !range.finite ? float_from(0x7FC00000) : scale < 0x1p-126F ? 0.0F : scale;
    const V divisor = V::set(range.finite && scale >= 0x1p-126F ? scale : __builtin_inff());  // x / ∞ = 0
    for (int i = 0; i < n; i += 16) {
      V code = V::round(load_at<V>(values, i, n) / divisor);
      code = V::select(V::is_nan(code), V::set(0.0F), V::max(V::min(code, high), low));
      if (i + 16 <= n) {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(codes + i), V::to_s8(code));
      } else {
        V::store_first_bytes(V::to_s8(code), codes + i, n - i);
      }
    }
  }
}

template <class V>
void mean_pool(const float* x, std::ptrdiff_t ldx, int m, int n, float* y) noexcept {
  const V count = V::set(static_cast<float>(m));
  for (int i = 0; i < n; i += 16) {
    V sum = V::set(0.0F);
    for (int row = 0; row < m; ++row) sum = sum + load_at<V>(x + row * ldx, i, n);
    store_at(canonical(sum / count), y, i, n);
  }
}

template <class V>
void max_pool(const float* x, std::ptrdiff_t ldx, int m, int n, float* y) noexcept {
  for (int i = 0; i < n; i += 16) {
    V most = load_at<V>(x, i, n);
    for (int row = 1; row < m; ++row) {
      const V value = load_at<V>(x + row * ldx, i, n);
      most = V::select(V::is_nan(value), value, V::max(value, most));  // of two, one of them NaN, the second
    }
    store_at(canonical(most), y, i, n);
  }
}

template <class V>
void cls_pool(const float* x, std::ptrdiff_t, int, int n, float* y) noexcept {
  for (int i = 0; i < n; i += 16) store_at(canonical(load_at<V>(x, i, n)), y, i, n);
}

template <class V>
void l2_normalize(const float* x, int n, float* y) noexcept {
  V squares = V::set(0.0F);
  for (int i = 0; i < n; i += 16) {
    const V value = load_at<V>(x, i, n);
    squares = V::fma(value, value, squares);
  }
  const float norm = __builtin_sqrtf(V::sum(squares));
  const V divisor = V::set(norm < 1e-12F ? 1e-12F : norm);
  for (int i = 0; i < n; i += 16) store_at(canonical(load_at<V>(x, i, n) / divisor), y, i, n);
}

}  // namespace nybble::kernels
