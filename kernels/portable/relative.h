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
inline V gather_run(const float* row, const std::int32_t* columns, int n) {
  const std::int32_t first = columns[0], reach = columns[n - 1] - first;
  if (reach < 16) return V::pick(V::load(row + first), columns, first);
  float values[16] = {};
  for (int i = 0; i < n; ++i) values[i] = row[columns[i]];
  return V::load(values);
}

template <class V>
inline void put_relative(const RelativeArgs& args, V value, std::ptrdiff_t row, int key) {
  float* out = args.out + row * args.ldo;
  if (args.add) value = load_at<V>(out, key, args.keys) + value;
  store_at(canonical(value), out, key, args.keys);
}

template <class V>
void gather_relative(const RelativeArgs& args) noexcept {
  for (int row = 0; row < args.rows; row += 16) {
    const int rows = args.rows - row < 16 ? args.rows - row : 16;
    for (int key = 0; key < args.keys; key += 16) {
      const int keys = args.keys - key < 16 ? args.keys - key : 16;
      V block[16];
      for (std::ptrdiff_t j = 0; args.by_key && j < 16; ++j) {
        block[j] = j < keys ? gather_run<V>(args.products + (key + j) * args.ld,
                                            args.columns + (row - key - j), rows)
                            : V::set(0.0F);
      }
      if (args.by_key) V::transpose(block);
      for (std::ptrdiff_t i = 0; i < rows; ++i) {
        const V value = args.by_key ? block[i]
                                    : gather_run<V>(args.products + (row + i) * args.ld,
                                                    args.columns + (key - row - i), keys);
        put_relative(args, value, row + i, key);
      }
    }
  }
}

}  // namespace nybble::kernels
