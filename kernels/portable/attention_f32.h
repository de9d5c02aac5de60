// Attention in floats on vectors of 16: scores across keys, values across the head's columns.
//
// K is transposed once a call, so that 16 keys lie side by side and each lane runs the FMA chain of one
// score; V is copied once, so that its rows lie close (inside a merged QKV row of 4608 bytes they fall on a
// quarter of L1's sets).
#pragma once

#include "kernels/kernel_set.h"
#include "kernels/portable/functions.h"
#include "kernels/portable/rows.h"

namespace nybble::kernels {

/// The scratch of one call: K as [key block of 16][head_dim][16], V as [key][value_stride], scores as
/// [row][keys].
struct AttentionScratch {
  float* k;
  float* v;
  float* scores;
  int keys;          ///< length, rounded up to 16
  int value_stride;  ///< head_dim, rounded up to 16
};

inline AttentionScratch scratch_of(const AttentionArgs& args) {
  const int keys = round_up(args.length, 16), stride = round_up(args.head_dim, 16);
  float* v = args.scratch + static_cast<std::ptrdiff_t>(keys) * args.head_dim;
  return {args.scratch, v, v + static_cast<std::ptrdiff_t>(keys) * stride, keys, stride};
}

/// K transposed, 0 for the keys beyond the sequence.
template <class V>
inline void transpose_keys(const AttentionArgs& args, float* to) {
  for (int key = 0; key < args.length; key += 16, to += 16 * static_cast<std::ptrdiff_t>(args.head_dim)) {
    for (int d = 0; d < args.head_dim; d += 16) {
      V rows[16];
      for (int i = 0; i < 16; ++i) {
        const float* row = args.k + (key + i) * args.ldk;
        rows[i] = key + i < args.length ? load_at<V>(row, d, args.head_dim) : V::set(0.0F);
      }
      V::transpose(rows);
      for (int j = 0; j < 16 && d + j < args.head_dim; ++j) rows[j].store(to + (d + j) * 16);
    }
  }
}

template <class V>
inline void copy_values(const AttentionArgs& args, const AttentionScratch& scratch) {
  for (int key = 0; key < args.length; ++key) {
    for (int d = 0; d < args.head_dim; d += 16) {
      const V value = load_at<V>(args.v + key * args.ldv, d, args.head_dim);
      value.store(scratch.v + key * scratch.value_stride + d);
    }
  }
}

/// Scores of Rows queries and Blocks · 16 keys: each lane one FMA chain, d ascending.
template <class V, int Rows, int Blocks>
inline void score_tile(const float* q, std::ptrdiff_t ldq, const float* k, int head_dim, float scale,
                       float* scores, std::ptrdiff_t keys) {
  V sum[Rows][Blocks];
  for (auto& row : sum) {
    for (V& value : row) value = V::set(0.0F);
  }
  for (int d = 0; d < head_dim; ++d) {
    V column[Blocks];
#pragma GCC unroll 8
    for (int b = 0; b < Blocks; ++b) column[b] = V::load(k + (b * head_dim + d) * 16);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const V query = V::set(q[r * ldq + d]);
#pragma GCC unroll 8
      for (int b = 0; b < Blocks; ++b) sum[r][b] = V::fma(query, column[b], sum[r][b]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 8
    for (int b = 0; b < Blocks; ++b) (sum[r][b] * V::set(scale)).store(scores + r * keys + b * 16);
  }
}

/// Scores of the keys from `key` on, as long as Blocks blocks of 16 are left; returns the first key not done.
template <class V, int Rows, int Blocks>
inline int score_keys(const AttentionArgs& args, const AttentionScratch& scratch, int row, int key) {
  for (; key + Blocks * 16 <= scratch.keys; key += Blocks * 16) {
    score_tile<V, Rows, Blocks>(args.q + row * args.ldq, args.ldq,
                                scratch.k + static_cast<std::ptrdiff_t>(key) * args.head_dim, args.head_dim,
                                args.scale, scratch.scores + key, scratch.keys);
  }
  return key;
}

template <class V, int Rows>
inline void score_rows(const AttentionArgs& args, const AttentionScratch& scratch, int row) {
  int key = score_keys<V, Rows, V::kRegisterFactor>(args, scratch, row, 0);
  if constexpr (V::kRegisterFactor > 2) key = score_keys<V, Rows, 2>(args, scratch, row, key);
  score_keys<V, Rows, 1>(args, scratch, row, key);
}

/// Scores of Rows rows become exp(score - max), sums their sums. Keys beyond the sequence become 0. Rows side
/// by side hide the latency of each other's chains and reductions.
template <class V, int Rows>
inline void exponentiate(float* scores, std::ptrdiff_t ld, int length, float* sums) {
  const int keys = round_up(length, 16);
  V most[Rows], sum[Rows];
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
    for (int key = length; key < keys; ++key) scores[r * ld + key] = -__builtin_inff();
    most[r] = V::set(-__builtin_inff());
    sum[r] = V::set(0.0F);
  }
  for (int key = 0; key < keys; key += 16) {
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) most[r] = V::max(V::load(scores + r * ld + key), most[r]);
  }
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) most[r] = V::set(V::largest(most[r]));
  for (int key = 0; key < keys; key += 16) {
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const V e = exp_below_overflow(V::load(scores + r * ld + key) - most[r]);
      e.store(scores + r * ld + key);
      sum[r] = sum[r] + e;
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) sums[r] = V::sum(sum[r]);
}

/// out = P·V / sum for Rows queries and Blocks · 16 columns: each lane one FMA chain, keys ascending.
template <class V, int Rows, int Blocks>
inline void value_tile(const AttentionArgs& args, const AttentionScratch& scratch, int row, int column,
                       const float* sums) {
  const float* v = scratch.v + column;
  V sum[Rows][Blocks];
  for (auto& values : sum) {
    for (V& value : values) value = V::set(0.0F);
  }
  for (int key = 0; key < args.length; ++key, v += scratch.value_stride) {
    V value[Blocks];
#pragma GCC unroll 8
    for (int b = 0; b < Blocks; ++b) value[b] = V::load(v + b * 16);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const V weight = V::set(scratch.scores[r * static_cast<std::ptrdiff_t>(scratch.keys) + key]);
#pragma GCC unroll 8
      for (int b = 0; b < Blocks; ++b) sum[r][b] = V::fma(weight, value[b], sum[r][b]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
    float* out = args.out + (row + r) * args.ldo;
#pragma GCC unroll 8
    for (int b = 0; b < Blocks; ++b) {
      store_at(canonical(sum[r][b] / V::set(sums[r])), out, column + b * 16, args.head_dim);
    }
  }
}

template <class V, int Rows>
inline void value_rows(const AttentionArgs& args, const AttentionScratch& scratch, int row,
                       const float* sums) {
  constexpr int kWide = V::kRegisterFactor;
  int column = 0;
  for (; column + kWide * 16 <= scratch.value_stride; column += kWide * 16) {
    value_tile<V, Rows, kWide>(args, scratch, row, column, sums);
  }
  if constexpr (kWide >= 2) {
    for (; column + 32 <= scratch.value_stride; column += 32)
      value_tile<V, Rows, 2>(args, scratch, row, column, sums);
  }
  for (; column < scratch.value_stride; column += 16)
    value_tile<V, Rows, 1>(args, scratch, row, column, sums);
}

template <class V, int Rows>
inline void attention_rows(const AttentionArgs& args, const AttentionScratch& scratch, int row) {
  score_rows<V, Rows>(args, scratch, row);
  float sums[Rows];
  constexpr int kGroup = Rows < V::kRowsOfExp ? Rows : V::kRowsOfExp;
  constexpr int kWhole = Rows / kGroup * kGroup;
  const std::ptrdiff_t keys = scratch.keys;
  for (int r = 0; r < kWhole; r += kGroup) {
    exponentiate<V, kGroup>(scratch.scores + r * keys, keys, args.length, sums + r);
  }
  if constexpr (kWhole < Rows) {
    exponentiate<V, Rows - kWhole>(scratch.scores + kWhole * keys, keys, args.length, sums + kWhole);
  }
  value_rows<V, Rows>(args, scratch, row, sums);
}

template <class V>
inline void attention_of_rows(const AttentionArgs& args, const AttentionScratch& scratch, int row, int rows) {
  switch (rows) {
    case 1:
      return attention_rows<V, 1>(args, scratch, row);
    case 2:
      return attention_rows<V, 2>(args, scratch, row);
    case 3:
      return attention_rows<V, 3>(args, scratch, row);
    case 4:
      return attention_rows<V, 4>(args, scratch, row);
    case 5:
      return attention_rows<V, 5>(args, scratch, row);
    default:
      return attention_rows<V, 6>(args, scratch, row);
  }
}

template <class V>
void attention_f32(const AttentionArgs& args) noexcept {
  const AttentionScratch scratch = scratch_of(args);
  transpose_keys<V>(args, scratch.k);
  copy_values<V>(args, scratch);
  const int rows = args.row_end - args.row_begin, blocks = (rows + 5) / 6;  // nearly equal: 16 = 6 + 5 + 5
  for (int i = 0; i < blocks; ++i) {
    const int begin = rows * i / blocks, end = rows * (i + 1) / blocks;
    attention_of_rows<V>(args, scratch, args.row_begin + begin, end - begin);
  }
}

}  // namespace nybble::kernels
