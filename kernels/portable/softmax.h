// Softmax along rows, in place.
#pragma once

#include <cstring>

#include "kernels/kernel_set.h"
#include "kernels/portable/functions.h"
#include "kernels/portable/rows.h"

namespace nybble::kernels {

/// One row on its way: whole blocks of 16 columns in place, the parts at the ends of its keys in copies that
/// hold -infinity where there is no key.
struct SoftmaxRow {
  float* x;
  const float* bias;  ///< or null
  int begin, end;     ///< the keys
  int first, last;    ///< the whole blocks among them; first = last if there are none
  float largest, sum;
  float head[16], tail[16];

  bool has_head() const { return begin < first; }
  bool has_tail() const { return last < end; }
};

inline SoftmaxRow softmax_row(const SoftmaxArgs& args, std::ptrdiff_t row) {
  SoftmaxRow r;
  r.x = args.x + row * args.ld;
  r.bias = args.bias == nullptr ? nullptr : args.bias + row * args.ld_bias;
  std::int64_t begin = 0, end = args.lengths == nullptr ? args.length : args.lengths[row];
  if (args.window >= 0) {
    const std::int64_t position = static_cast<std::int64_t>(args.first_position) + row;
    if (position - args.window > begin) begin = position - args.window;
    if (position + args.window + 1 < end) end = position + args.window + 1;
  }
  if (begin > args.n) begin = args.n;
  r.begin = static_cast<int>(begin);
  r.end = static_cast<int>(end > begin ? end : begin);
  r.first = round_up(r.begin, 16);
  r.last = r.end / 16 * 16;
  if (r.first > r.last) r.first = r.last = r.end;  // all keys inside one block: the head's
  return r;
}

/// The columns [begin, end) of one block of 16, biased, between -infinity.
inline void take_part(const SoftmaxRow& row, int begin, int end, float (&part)[16]) {
  for (float& value : part) value = -__builtin_inff();
  for (int j = begin; j < end; ++j) part[j % 16] = row.bias == nullptr ? row.x[j] : row.x[j] + row.bias[j];
}

template <class V>
[[gnu::always_inline]] inline V exponential(float* x, V largest) {
  const V e = exp_below_overflow(V::load(x) - largest);
  e.store(x);
  return e;
}

/// The row's largest score, of biased scores that this leaves in place.
template <class V>
inline void find_largest(SoftmaxRow& row) {
  V most = V::set(-__builtin_inff());
  if (row.has_head()) take_part(row, row.begin, row.first, row.head), most = V::max(V::load(row.head), most);
  if (row.bias == nullptr) {
    for (int j = row.first; j < row.last; j += 16) most = V::max(V::load(row.x + j), most);
  } else {
    for (int j = row.first; j < row.last; j += 16) {
      const V biased = V::load(row.x + j) + V::load(row.bias + j);
      biased.store(row.x + j);
      most = V::max(biased, most);
    }
  }
  if (row.has_tail()) take_part(row, row.last, row.end, row.tail), most = V::max(V::load(row.tail), most);
  row.largest = V::largest(most);
  if (row.largest == -__builtin_inff()) row.largest = 0;
}

template <class V>
inline void exponentiate(SoftmaxRow& row) {
  const V largest = V::set(row.largest);
  V sum = V::set(0.0F);
  if (row.has_head()) sum = sum + exponential<V>(row.head, largest);
  for (int j = row.first; j < row.last; j += 16) sum = sum + exponential<V>(row.x + j, largest);
  if (row.has_tail()) sum = sum + exponential<V>(row.tail, largest);
  row.sum = V::sum(sum);
}

inline void clear(float* x, int begin, int end) {
  if (begin < end) std::memset(x + begin, 0, static_cast<std::size_t>(end - begin) * sizeof(float));
}

/// Divides by the sum. No exponential is NaN unless the sum is.
template <class V>
inline void normalize(const SoftmaxRow& row, int n) {
  const bool bad = row.sum != row.sum;
  const V inverse = V::set(row.sum == 0 ? 0.0F : 1 / row.sum);
  const auto scaled = [&](const float* x) { return bad ? V::canonical_nan() : V::load(x) * inverse; };
  float part[16];
  if (row.has_head()) {
    scaled(row.head).store(part);
    for (int j = row.begin; j < row.first; ++j) row.x[j] = part[j % 16];
  }
  for (int j = row.first; j < row.last; j += 16) scaled(row.x + j).store(row.x + j);
  if (row.has_tail()) scaled(row.tail).store_first(row.x + row.last, row.end - row.last);
  clear(row.x, 0, row.begin), clear(row.x, row.end, n);
}

/// Step by step over a group of rows, so that the reductions at the end of a row, which take as long as
/// several blocks, overlap with the next row.
template <class V>
void softmax(const SoftmaxArgs& args) noexcept {
  constexpr int kGroup = 8;
  SoftmaxRow rows[kGroup];
  for (int row = 0; row < args.m; row += kGroup) {
    const int count = args.m - row < kGroup ? args.m - row : kGroup;
    for (int r = 0; r < count; ++r) rows[r] = softmax_row(args, row + r), find_largest<V>(rows[r]);
    for (int r = 0; r < count; ++r) exponentiate<V>(rows[r]);
    for (int r = 0; r < count; ++r) normalize<V>(rows[r], args.n);
  }
}

}  // namespace nybble::kernels
