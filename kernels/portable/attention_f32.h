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
/// [row][score_stride].
struct AttentionScratch {
  float* k;
  float* v;
  float* scores;
  int score_stride;  ///< keys that a row block sees at most, a multiple of 16
  int value_stride;  ///< head_dim, rounded up to 16
};

inline AttentionScratch scratch_of(const AttentionArgs& args) {
  const int keys = round_up(args.length, 16), stride = round_up(args.head_dim, 16);
  float* v = args.scratch + static_cast<std::ptrdiff_t>(keys) * args.head_dim;
  return {args.scratch, v, v + static_cast<std::ptrdiff_t>(keys) * stride,
          attention_keys(args.length, args.window), stride};
}

/// Keys begin..end-1.
struct KeyRange {
  int begin, end;
};

/// What the query of row `row` sees.
inline KeyRange keys_of(const AttentionArgs& args, int row) {
  if (args.window < 0 || args.window >= args.length) return {0, args.length};
  const int begin = row - args.window, end = row + args.window + 1;
  return {begin > 0 ? begin : 0, end < args.length ? end : args.length};
}

/// What the queries first..last see together, from a multiple of 16 on.
inline KeyRange keys_of(const AttentionArgs& args, int first, int last) {
  return {keys_of(args, first).begin / 16 * 16, keys_of(args, last).end};
}

/// K transposed, 0 for the keys beyond the sequence.
template <class V>
inline void transpose_keys(const AttentionArgs& args, KeyRange keys, float* to) {
  to += keys.begin * static_cast<std::ptrdiff_t>(args.head_dim);
  for (int key = keys.begin; key < keys.end;
       key += 16, to += 16 * static_cast<std::ptrdiff_t>(args.head_dim)) {
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
inline void copy_values(const AttentionArgs& args, KeyRange keys, const AttentionScratch& scratch) {
  for (std::ptrdiff_t key = keys.begin; key < keys.end; ++key) {
    for (int d = 0; d < args.head_dim; d += 16) {
      const V value = load_at<V>(args.v + key * args.ldv, d, args.head_dim);
      value.store(scratch.v + key * scratch.value_stride + d);
    }
  }
}

/// Scores of Rows queries and Blocks · 16 keys: each lane one FMA chain, d ascending.
template <class V, int Rows, int Blocks>
inline void score_tile(const float* q, std::ptrdiff_t ldq, const float* k, int head_dim, float scale,
                       float* scores, std::ptrdiff_t stride) {
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
    for (int b = 0; b < Blocks; ++b) (sum[r][b] * V::set(scale)).store(scores + r * stride + b * 16);
  }
}

/// Scores of the keys from `key` on, as long as Blocks blocks of 16 are left; returns the first key not done.
template <class V, int Rows, int Blocks>
inline int score_keys(const AttentionArgs& args, const AttentionScratch& scratch, int row, KeyRange keys,
                      int key) {
  for (; key + Blocks * 16 <= round_up(keys.end, 16); key += Blocks * 16) {
    score_tile<V, Rows, Blocks>(args.q + row * args.ldq, args.ldq,
                                scratch.k + static_cast<std::ptrdiff_t>(key) * args.head_dim, args.head_dim,
                                args.scale, scratch.scores + key - keys.begin, scratch.score_stride);
  }
  return key;
}

template <class V, int Rows>
inline void score_rows(const AttentionArgs& args, const AttentionScratch& scratch, int row, KeyRange keys) {
  int key = score_keys<V, Rows, V::kRegisterFactor>(args, scratch, row, keys, keys.begin);
  if constexpr (V::kRegisterFactor > 2) key = score_keys<V, Rows, 2>(args, scratch, row, keys, key);
  score_keys<V, Rows, 1>(args, scratch, row, keys, key);
}

/// Adds their biases to the scores of a row block. What stands beyond the sequence is masked afterwards.
template <class V, int Rows>
inline void add_bias(const AttentionArgs& args, const AttentionScratch& scratch, int row, KeyRange keys) {
  for (int r = 0; r < Rows; ++r) {
    const float* bias = args.bias + (row + r) * args.ld_bias;
    float* scores = scratch.scores + r * static_cast<std::ptrdiff_t>(scratch.score_stride);
    for (int key = keys.begin; key < keys.end; key += 16, scores += 16) {
      (V::load(scores) + load_at<V>(bias, key, args.length)).store(scores);
    }
  }
}

/// -infinity for the scores of a row block that its rows do not see.
template <int Rows>
inline void mask_rows(const AttentionArgs& args, const AttentionScratch& scratch, int row, KeyRange keys) {
  if (args.window < 0 && args.length % 16 == 0) return;
  for (int r = 0; r < Rows; ++r) {
    const KeyRange seen = keys_of(args, row + r);
    float* scores = scratch.scores + r * static_cast<std::ptrdiff_t>(scratch.score_stride);
    for (int key = keys.begin; key < seen.begin; ++key) scores[key - keys.begin] = -__builtin_inff();
    for (int key = seen.end; key < round_up(keys.end, 16); ++key) {
      scores[key - keys.begin] = -__builtin_inff();
    }
  }
}

/// Scores of Rows rows become exp(score - max), sums their sums. `none` stands for a max of -infinity. Rows
/// side by side hide the latency of each other's chains and reductions.
template <class V, int Rows>
inline void exponentiate(float* scores, std::ptrdiff_t ld, int keys, float none, float* sums) {
  V most[Rows], sum[Rows];
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
    most[r] = V::set(-__builtin_inff());
    sum[r] = V::set(0.0F);
  }
  for (int key = 0; key < keys; key += 16) {
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) most[r] = V::max(V::load(scores + r * ld + key), most[r]);
  }
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
    const float largest = V::largest(most[r]);
    most[r] = V::set(largest == -__builtin_inff() ? none : largest);
  }
  for (int key = 0; key < keys; key += 16) {
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const V e = exp_below_overflow(V::load(scores + r * ld + key) - most[r]);
      e.store(scores + r * ld + key);
      sum[r] = sum[r] + e;
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
    sums[r] = V::sum(sum[r]);
    if (sums[r] == 0) sums[r] = 1;
  }
}

/// sum[r] += weights[r] · v for the rows that see `key`: all of them, unless Edge.
template <class V, bool Edge, int Rows, int Blocks>
[[gnu::always_inline]] inline void add_value(const AttentionArgs& args, int row, int key, const float* v,
                                             const float* weights, std::ptrdiff_t stride,
                                             V (&sum)[Rows][Blocks]) {
  V value[Blocks];
#pragma GCC unroll 8
  for (int b = 0; b < Blocks; ++b) value[b] = V::load(v + b * 16);
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
    if constexpr (Edge) {
      const KeyRange seen = keys_of(args, row + r);
      if (key < seen.begin || key >= seen.end) continue;
    }
    const V weight = V::set(weights[r * stride]);
#pragma GCC unroll 8
    for (int b = 0; b < Blocks; ++b) sum[r][b] = V::fma(weight, value[b], sum[r][b]);
  }
}

/// out = P·V / sum for Rows queries and Blocks · 16 columns: each lane one FMA chain, keys ascending. `keys`
/// are those that some row sees, `shared` those that all rows see: windows differ by up to 5 keys at either
/// end, and a key that a row does not see must not touch its chain, for its V may be NaN.
template <class V, int Rows, int Blocks>
inline void value_tile(const AttentionArgs& args, const AttentionScratch& scratch, int row, KeyRange keys,
                       KeyRange shared, int column, const float* sums) {
  const std::ptrdiff_t stride = scratch.score_stride, value_stride = scratch.value_stride;
  const float* v = scratch.v + keys.begin * value_stride + column;
  const float* weights = scratch.scores + keys.begin % 16;
  V sum[Rows][Blocks];
  for (auto& values : sum) {
    for (V& value : values) value = V::set(0.0F);
  }
  int key = keys.begin;
  for (; key < shared.begin; ++key, ++weights, v += value_stride) {
    add_value<V, true>(args, row, key, v, weights, stride, sum);
  }
  for (; key < shared.end; ++key, ++weights, v += value_stride) {
    add_value<V, false>(args, row, key, v, weights, stride, sum);
  }
  for (; key < keys.end; ++key, ++weights, v += value_stride) {
    add_value<V, true>(args, row, key, v, weights, stride, sum);
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
  const KeyRange first = keys_of(args, row), last = keys_of(args, row + Rows - 1);
  const KeyRange keys{first.begin, last.end};
  const KeyRange shared{last.begin, first.end > last.begin ? first.end : last.begin};
  constexpr int kWide = V::kRegisterFactor;
  int column = 0;
  for (; column + kWide * 16 <= scratch.value_stride; column += kWide * 16) {
    value_tile<V, Rows, kWide>(args, scratch, row, keys, shared, column, sums);
  }
  if constexpr (kWide >= 2) {
    for (; column + 32 <= scratch.value_stride; column += 32)
      value_tile<V, Rows, 2>(args, scratch, row, keys, shared, column, sums);
  }
  for (; column < scratch.value_stride; column += 16)
    value_tile<V, Rows, 1>(args, scratch, row, keys, shared, column, sums);
}

template <class V, int Rows>
inline void attention_rows(const AttentionArgs& args, const AttentionScratch& scratch, int row) {
  const KeyRange keys = keys_of(args, row, row + Rows - 1);
  score_rows<V, Rows>(args, scratch, row, keys);
  if (args.bias != nullptr) add_bias<V, Rows>(args, scratch, row, keys);
  mask_rows<Rows>(args, scratch, row, keys);
  float sums[Rows];
  constexpr int kGroup = Rows < V::kRowsOfExp ? Rows : V::kRowsOfExp;
  constexpr int kWhole = Rows / kGroup * kGroup;
  const std::ptrdiff_t stride = scratch.score_stride;
  const int width = round_up(keys.end, 16) - keys.begin;
  const float none = args.bias == nullptr ? -__builtin_inff() : 0.0F;
  for (int r = 0; r < kWhole; r += kGroup) {
    exponentiate<V, kGroup>(scratch.scores + r * stride, stride, width, none, sums + r);
  }
  if constexpr (kWhole < Rows) {
    exponentiate<V, Rows - kWhole>(scratch.scores + kWhole * stride, stride, width, none, sums + kWhole);
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
  const KeyRange keys = keys_of(args, args.row_begin, args.row_end - 1);
  transpose_keys<V>(args, keys, scratch.k);
  copy_values<V>(args, keys, scratch);
  const int rows = args.row_end - args.row_begin, blocks = (rows + 5) / 6;  // nearly equal: 16 = 6 + 5 + 5
  for (int i = 0; i < blocks; ++i) {
    const int begin = rows * i / blocks, end = rows * (i + 1) / blocks;
    attention_of_rows<V>(args, scratch, args.row_begin + begin, end - begin);
  }
}

}  // namespace nybble::kernels
