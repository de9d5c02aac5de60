// Loads and stores of 16 values, or of what is left of a row.
#pragma once

#include <cstddef>

namespace nybble::kernels {

/// Loads 16 values, or what is left of them with 0 beyond.
template <class V>
inline V load_at(const float* row, int i, int n) {
  return i + 16 <= n ? V::load(row + i) : V::load_first(row + i, n - i);
}

template <class V>
inline void store_at(V value, float* row, int i, int n) {
  if (i + 16 <= n) {
    value.store(row + i);
  } else {
    value.store_first(row + i, n - i);
  }
}

/// 16 values, or the first `left` of them with 0 beyond.
template <class V, bool Whole>
[[gnu::always_inline]] inline V load_part(const float* p, int left) {
  if constexpr (Whole) {
    return V::load(p);
  } else {
    return V::load_first(p, left);
  }
}

template <class V, bool Whole>
[[gnu::always_inline]] inline void store_part(V value, float* p, int left) {
  if constexpr (Whole) {
    value.store(p);
  } else {
    value.store_first(p, left);
  }
}

}  // namespace nybble::kernels
