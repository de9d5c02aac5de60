// The gather of products by relative position, 16 × 16 at a time.
//
// Columns grow with the distance and share themselves where distances share a bucket, so that 16 neighbours
// mostly stand within 16 columns: one load and one permutation. Products of keys come with the rows in the
// lanes and are transposed.
#pragma once

#include "kernels/kernel_set.h"
#include "kernels/portable/functions.h"
#include "kernels/portable/vectors.h"

namespace nybble::kernels {

/// row[columns[i]] for i < n ≤ 16; anything beyond.
template <class V>
[[gnu::always_inline]] inline V gather_run(const float* row, const std::int32_t* columns, int n) {
  const std::ptrdiff_t first = columns[0];
  if (columns[n - 1] - first < 16) [[likely]]
    return V::pick(V::load(row + first), columns, static_cast<std::int32_t>(first));
  float values[16] = {};
  for (int i = 0; i < n; ++i) values[i] = row[columns[i]];
  return V::load(values);
}

/// Writes, or adds, the first n of 16 values.
template <class V, bool Add>
[[gnu::always_inline]] inline void put_relative(V value, float* out, int n) {
  if (n >= 16) [[likely]] {
    canonical(Add ? V::load(out) + value : value).store(out);
  } else {
    canonical(Add ? V::load_first(out, n) + value : value).store_first(out, n);
  }
}

template <class V, bool Add>
inline void gather_of_queries(const RelativeArgs& args) {
  const int rows = args.rows, keys = args.keys;
  const float* products = args.products;
  const std::int32_t* columns = args.columns;
  float* out = args.out;
  const std::ptrdiff_t ld = args.ld, ldo = args.ldo;
  for (int row = 0; row < rows; ++row, products += ld, --columns, out += ldo) {
    int key = 0;
    for (; key + 16 <= keys; key += 16)
      put_relative<V, Add>(gather_run<V>(products, columns + key, 16), out + key, 16);
    if (key < keys)
      put_relative<V, Add>(gather_run<V>(products, columns + key, keys - key), out + key, keys - key);
  }
}

/// `rows` and `keys` up to 16.
template <class V, bool Add>
[[gnu::always_inline]] inline void gather_block(const float* products, std::ptrdiff_t ld,
                                                const std::int32_t* columns, int rows, int keys, float* out,
                                                std::ptrdiff_t ldo) {
  V block[16];
#pragma GCC unroll 16
  for (std::ptrdiff_t j = 0; j < 16; ++j)
    block[j] = j < keys ? gather_run<V>(products + j * ld, columns - j, rows) : V::set(0.0F);
  V::transpose(block);
#pragma GCC unroll 16
  for (std::ptrdiff_t i = 0; i < 16; ++i) {
    if (i < rows) put_relative<V, Add>(block[i], out + i * ldo, keys);
  }
}

template <class V, bool Add>
inline void gather_of_keys(const RelativeArgs& args) {
  const std::ptrdiff_t ld = args.ld, ldo = args.ldo;
  for (int key = 0; key < args.keys; key += 16) {
    const float* products = args.products + key * ld;
    const int keys = args.keys - key;
    for (int row = 0; row < args.rows; row += 16) {
      const int rows = args.rows - row;
      float* out = args.out + row * ldo + key;
      const std::int32_t* columns = args.columns + (row - key);
      if (rows >= 16 && keys >= 16) {
        gather_block<V, Add>(products, ld, columns, 16, 16, out, ldo);
      } else {
        gather_block<V, Add>(products, ld, columns, rows < 16 ? rows : 16, keys < 16 ? keys : 16, out, ldo);
      }
    }
  }
}

template <class V>
void gather_relative(const RelativeArgs& args) noexcept {
  if (args.by_key) return args.add ? gather_of_keys<V, true>(args) : gather_of_keys<V, false>(args);
  args.add ? gather_of_queries<V, true>(args) : gather_of_queries<V, false>(args);
}

}  // namespace nybble::kernels
