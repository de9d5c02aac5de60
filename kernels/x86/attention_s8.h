// Attention in integers (docs/numerics.md): L is a set's registers and its multiplication (lanes_*.h), V its
// sixteen floats.
//
// A tile is up to 8 queries × 3 registers of keys, then of columns of V (ymm: 6 × 2): 24 sums, 3 registers of
// K or V and a broadcast of 32 registers; 16 queries are 8 + 8. Where there is VNNI, Q·K multiplies bytes
// (vpdpbusd, Q + 128 against K, which starts from -128 · ΣK), else pairs of 16 bits. P·V multiplies bytes
// while P has 8 bits and there is VNNI, else pairs: 16 bits of P, P - 32768 against V, to which 32768 · ΣV is
// added at the end.
//
// No sum overflows:
// - Q·K: |code| ≤ 127, so |t| ≤ 16129 · head_dim < 2^31 for head_dim ≤ 65536; with Q + 128 ≤ 255 the
//   intermediate sums may wrap, which two's complement undoes. vpmaddwd's pair is at most 2 · 16129.
// - P·V of 8 bits: at most 255 · 127 · 65536 < 2^31 (2,122,383,360).
// - P·V of 16 bits: 512 keys give at most 512 · 32768 · 127 = 2,130,706,432 < 2^31; after 512 keys a sum goes
//   to a double, exact up to 2^53, far beyond 65535 · 127 · 65536 = 5.5e11.
// - ΣP of 16 bits: as P - 32768, within -32768 · 65536 = -2^31, which no row reaches whose greatest P is
// 65535.
#pragma once

#include "kernels/x86/attention_s8_operands.h"

namespace nybble::kernels {

/// One step of a tile: sums += a group of each row × vectors.
template <class L, bool Bytes, int Rows, int Vectors>
[[gnu::always_inline]] inline void multiply_group(const std::int32_t* a, std::ptrdiff_t lda,
                                                  const typename L::Int (&b)[Vectors],
                                                  typename L::Int (&sum)[Rows][Vectors]) {
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
    std::int32_t group;
    std::memcpy(&group, a + r * lda, sizeof group);
    const typename L::Int codes = L::broadcast(group);
#pragma GCC unroll 4
    for (int j = 0; j < Vectors; ++j) {
      if constexpr (Bytes) {
        sum[r][j] = L::dot_quads(sum[r][j], codes, b[j]);
      } else {
        sum[r][j] = L::dot_pairs(sum[r][j], codes, b[j]);
      }
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (int j = 0; j < Vectors; ++j) L::pin(sum[r][j]);
  }
}

/// Scores of Rows queries and Vectors registers of keys, in units of log 2.
template <class L, class Form, int Rows, int Vectors>
inline void integer_score_tile(const IntegerScratch& s, int query, std::ptrdiff_t key, int groups,
                               float* scores) {
  using Int = typename L::Int;
  constexpr int kLanes = L::kLanes;
  const std::int32_t *q = s.q + query, *k = s.k + key * groups;
  const std::ptrdiff_t block = groups * 16, stride = s.score_stride;
  Int sum[Rows][Vectors];
#pragma GCC unroll 4
  for (int j = 0; j < Vectors; ++j) {
    const Int start = L::kBytes ? L::load(s.k_offset + key + j * kLanes) : L::zero();
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) sum[r][j] = start;
  }
  for (int g = 0; g < groups; ++g, q += 16, k += 16) {
    Int keys[Vectors];
#pragma GCC unroll 4
    for (int j = 0; j < Vectors; ++j) {
      keys[j] = L::load(k + j * kLanes / 16 * block + j * kLanes % 16);
      if constexpr (kLanes == 16) L::pin(keys[j]);
    }
    multiply_group<L, L::kBytes>(q, 1, keys, sum);
  }
#pragma GCC unroll 4
  for (int j = 0; j < Vectors; ++j) {
    const typename L::Float scale = L::load_floats(s.k_scale + key + j * kLanes);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const typename L::Float factor = L::multiply(L::set(s.q_scale[query + r]), scale);
      L::store_floats(scores + r * stride + j * kLanes, L::multiply(L::to_float(sum[r][j]), factor));
    }
  }
}

template <class L, class Form, int Rows, int Vectors>
inline int integer_score_keys(const IntegerScratch& s, int query, KeyRange keys, int key, int groups) {
  constexpr int kStep = Vectors * L::kLanes;
  for (; key + kStep <= round_up(keys.end, 16); key += kStep) {
    integer_score_tile<L, Form, Rows, Vectors>(s, query, key, groups, s.scores + (key - keys.begin));
  }
  return key;
}

template <class L, class Form, int Rows>
inline void integer_score_rows(const AttentionArgs& args, const IntegerScratch& s, int query, KeyRange keys) {
  const int groups = (args.head_dim + Form::kDepth - 1) / Form::kDepth;
  int key = integer_score_keys<L, Form, Rows, L::kVectors>(s, query, keys, keys.begin, groups);
  if constexpr (L::kVectors * L::kLanes > 32) {
    key = integer_score_keys<L, Form, Rows, 32 / L::kLanes>(s, query, keys, key, groups);
  }
  if constexpr (L::kVectors * L::kLanes > 16) {
    integer_score_keys<L, Form, Rows, 16 / L::kLanes>(s, query, keys, key, groups);
  }
}

/// Adds a row's biases; -infinity for the keys that it does not see.
template <class V>
inline void bias_and_mask(const AttentionArgs& args, int row, KeyRange keys, float* scores) {
  if (args.bias != nullptr) {
    const float* bias = args.bias + row * args.ld_bias;
    for (int key = keys.begin; key < keys.end; key += 16) {
      float* at = scores + (key - keys.begin);
      V::fma(load_at<V>(bias, key, args.length), V::set(kLog2E), V::load(at)).store(at);
    }
  }
  const KeyRange seen = keys_of(args, row);
  for (int key = keys.begin; key < seen.begin; ++key) scores[key - keys.begin] = -__builtin_inff();
  for (int key = seen.end; key < round_up(keys.end, 16); ++key) scores[key - keys.begin] = -__builtin_inff();
}

/// Whether a score is NaN or +infinity.
inline bool has_unusable(const float* scores, int count) {
  bool found = false;
  for (int i = 0; i < count; ++i) found |= !(scores[i] < __builtin_inff());
  return found;
}

/// The weights of 4 · kLanes scores, packed where the row's weights stand; adds them to `sum`. Beyond `count`
/// scores they are 0.
template <class L, class Form>
[[gnu::always_inline]] inline void weigh_step(const float* scores, int count, typename L::Float largest,
                                              std::byte* to, typename L::Int& sum) {
  using Int = typename L::Int;
  typename L::Float w[4];
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    if (j * L::kLanes >= count) {
      w[j] = L::set(0.0F);
      continue;
    }
    const typename L::Float z = L::subtract(L::load_floats(scores + j * L::kLanes), largest);
    if constexpr (Form::kWide) {
      w[j] = L::weights(kExp2Of65535, z);
    } else {
      w[j] = L::weights(kExp2Of255, z);
    }
  }
  if constexpr (Form::kByteWeights) {
    const Int bytes = L::pack_bytes(w);
    sum = L::dot_quads(sum, bytes, L::broadcast(0x01010101));
    L::store(to, bytes);
  } else {
    const Int first = L::template pack_words<Form::kWide>(w[0], w[1]),
              second = L::template pack_words<Form::kWide>(w[2], w[3]);
    sum = L::dot_pairs(sum, first, L::broadcast(0x00010001));
    sum = L::dot_pairs(sum, second, L::broadcast(0x00010001));
    L::store(to, first), L::store(to + sizeof(Int), second);
  }
}

/// A row's weights in the place of its `count` scores, a multiple of 16, with zeros up to a multiple of
/// 4 · kLanes; returns their sum. A step's weights take at most half the bytes of its scores, so that no
/// score is overwritten before its turn.
template <class L, class Form>
inline std::int64_t weigh(float* scores, int count, float most) {
  constexpr int kStep = 4 * L::kLanes, kBytes = Form::kByteWeights ? 1 : 2;
  const typename L::Float largest = L::set(most);
  auto* to = reinterpret_cast<std::byte*>(scores);
  typename L::Int sum = L::zero();
  int i = 0;
  for (; i + kStep <= count; i += kStep)
    weigh_step<L, Form>(scores + i, kStep, largest, to + i * kBytes, sum);
  if (i < count) weigh_step<L, Form>(scores + i, count - i, largest, to + i * kBytes, sum), i += kStep;
  // In the wide form each of the i words is 32768 too small: their sum is above -2^31.
  return L::sum(sum) + (Form::kWide ? std::int64_t{32768} * i : 0);
}

/// The maxima of Rows rows of scores side by side.
template <class L, int Rows>
inline void largest_scores(const float* scores, std::ptrdiff_t stride, int count, float (&largest)[Rows]) {
  typename L::Float most[Rows];
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) most[r] = L::set(-__builtin_inff());
  for (int i = 0; i < count; i += L::kLanes) {
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) most[r] = L::max(L::load_floats(scores + r * stride + i), most[r]);
  }
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) largest[r] = L::largest(most[r]);
}

/// out = P·V · inverse · scale for Rows queries and Vectors registers of columns.
template <class L, class Form, int Rows, int Vectors>
inline void integer_value_tile(const AttentionArgs& args, const IntegerScratch& s, int row, KeyRange keys,
                               int column, const float* inverses) {
  using Int = typename L::Int;
  constexpr int kLanes = L::kLanes, kChunk = 512 / Form::kKeys;
  const auto* weights = reinterpret_cast<const std::int32_t*>(s.scores);
  const std::int32_t* v = s.v + keys.begin / Form::kKeys * s.columns + column;
  const std::ptrdiff_t stride = s.score_stride, columns = s.columns;
  // The wide form takes all of the last 16 keys, for which v_sum stands.
  const int end_key = Form::kWide ? round_up(keys.end, 16) : keys.end;
  int groups = (end_key - keys.begin + Form::kKeys - 1) / Form::kKeys;
  double partial[Form::kWide ? Rows : 1][Vectors * kLanes];
  if constexpr (Form::kWide) std::memset(partial, 0, sizeof partial);
  Int sum[Rows][Vectors];
  while (true) {
    const int count = Form::kWide && groups > kChunk ? kChunk : groups;
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
      for (int j = 0; j < Vectors; ++j) sum[r][j] = L::zero();
    }
    for (int g = 0; g < count; ++g, v += columns, ++weights) {
      Int values[Vectors];
#pragma GCC unroll 4
      for (int j = 0; j < Vectors; ++j) {
        values[j] = L::load(v + j * kLanes);
        if constexpr (kLanes == 16) L::pin(values[j]);
      }
      multiply_group<L, Form::kByteWeights>(weights, stride, values, sum);
    }
    groups -= count;
    if (groups == 0) break;
    if constexpr (Form::kWide) {
      for (int r = 0; r < Rows; ++r) {
        for (int j = 0; j < Vectors; ++j) L::add_to(&partial[r][j * kLanes], sum[r][j]);
      }
    }
  }
#pragma GCC unroll 4
  for (int j = 0; j < Vectors; ++j) {
    const int at = column + j * kLanes, left = args.head_dim - at;
    const typename L::Float scale = L::load_floats(s.v_scale + at);
    Int offset = L::zero();
    if constexpr (Form::kWide) {
      const std::int32_t *begin = s.v_sum + keys.begin / 16 * columns + at,
                         *end = s.v_sum + (keys.end + 15) / 16 * columns + at;
      offset = L::subtract(L::load(end), L::load(begin));
    }
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      typename L::Float total;
      if constexpr (Form::kWide) {
        total = L::total(sum[r][j], &partial[r][j * kLanes], offset);
      } else {
        total = L::to_float(sum[r][j]);
      }
      const typename L::Float value = L::multiply(L::multiply(total, L::set(inverses[r])), scale);
      float* out = args.out + (row + r) * args.ldo + at;
      if (left >= kLanes) {
        L::store_floats(out, value);
      } else if (left > 0) {
        L::store_first(out, value, left);
      }
    }
  }
}

template <class L, class Form, int Rows>
inline void integer_value_rows(const AttentionArgs& args, const IntegerScratch& s, int row, KeyRange keys,
                               const float* inverses) {
  constexpr int kLanes = L::kLanes;
  const int columns = static_cast<int>(s.columns);
  int column = 0;
  for (; column + L::kVectors * kLanes <= columns; column += L::kVectors * kLanes) {
    integer_value_tile<L, Form, Rows, L::kVectors>(args, s, row, keys, column, inverses);
  }
  if constexpr (L::kVectors * kLanes > 32) {
    for (; column + 32 <= columns; column += 32) {
      integer_value_tile<L, Form, Rows, 32 / kLanes>(args, s, row, keys, column, inverses);
    }
  }
  if constexpr (L::kVectors * kLanes > 16) {
    for (; column < columns; column += 16) {
      integer_value_tile<L, Form, Rows, 16 / kLanes>(args, s, row, keys, column, inverses);
    }
  }
}

/// The output of a query without weights: NaN or zeros.
inline void fill_output(const AttentionArgs& args, int row, float value) {
  for (int d = 0; d < args.head_dim; ++d) args.out[row * args.ldo + d] = value;
}

/// Rows row..row + Rows - 1, whose codes stand from `query` on in the scratch. largest_key: of the scales.
template <class L, class V, class Form, int Rows>
inline void integer_attention_rows(const AttentionArgs& args, const IntegerScratch& s, int row, int query,
                                   float largest_key) {
  const KeyRange keys = keys_of(args, row, row + Rows - 1);
  const int count = round_up(keys.end, 16) - keys.begin;
  integer_score_rows<L, Form, Rows>(args, s, query, keys);
  bool bad[Rows];
  float largest[Rows], inverses[Rows];
  const float most_dot = 16129.0F * static_cast<float>(round_up(args.head_dim, 4));
  for (int r = 0; r < Rows; ++r) {
    float* scores = s.scores + r * s.score_stride;
    if (args.bias != nullptr || args.window >= 0 || args.length % 16 != 0) {
      bias_and_mask<V>(args, row + r, keys, scores);
    }
    // Without a bias no score can be NaN or infinite unless the greatest possible is.
    const float bound = s.q_scale[query + r] * largest_key * most_dot;
    const bool bounded = bound < __builtin_inff() && bound > -__builtin_inff();
    bad[r] = (args.bias != nullptr || !bounded) && has_unusable(scores, count);
  }
  largest_scores<L>(s.scores, s.score_stride, count, largest);
  for (int r = 0; r < Rows; ++r) {
    const std::int64_t mass = weigh<L, Form>(s.scores + r * s.score_stride, count, largest[r]);
    inverses[r] = 1 / static_cast<float>(mass);
  }
  integer_value_rows<L, Form, Rows>(args, s, row, keys, inverses);
  for (int r = 0; r < Rows; ++r) {
    if (bad[r]) fill_output(args, row + r, float_from(0x7FC00000));
    if (!bad[r] && largest[r] == -__builtin_inff()) fill_output(args, row + r, 0.0F);
  }
}

template <class L, class V, class Form>
inline void integer_attention_of_rows(const AttentionArgs& args, const IntegerScratch& s, int row, int query,
                                      int rows, float largest_key) {
  switch (rows) {
    case 1:
      return integer_attention_rows<L, V, Form, 1>(args, s, row, query, largest_key);
    case 2:
      return integer_attention_rows<L, V, Form, 2>(args, s, row, query, largest_key);
    case 3:
      return integer_attention_rows<L, V, Form, 3>(args, s, row, query, largest_key);
    case 4:
      return integer_attention_rows<L, V, Form, 4>(args, s, row, query, largest_key);
    case 5:
      return integer_attention_rows<L, V, Form, 5>(args, s, row, query, largest_key);
    case 6:
      return integer_attention_rows<L, V, Form, 6>(args, s, row, query, largest_key);
    case 7:
      if constexpr (L::kRows > 6)
        return integer_attention_rows<L, V, Form, 7>(args, s, row, query, largest_key);
      break;
    default:
      if constexpr (L::kRows > 6)
        return integer_attention_rows<L, V, Form, 8>(args, s, row, query, largest_key);
  }
}

template <class L, class V, class Form>
inline void integer_attention(const AttentionArgs& args) {
  const IntegerScratch s = integer_scratch(args);
  const KeyRange keys = keys_of(args, args.row_begin, args.row_end - 1);
  const float largest_key = quantize_keys<L, V, Form>(args, keys, s);
  for (int column = 0; column < s.columns; column += 16) quantize_columns<L, V, Form>(args, keys, column, s);
  for (int row = args.row_begin; row < args.row_end; row += 16) {
    const int rows = args.row_end - row < 16 ? args.row_end - row : 16;
    quantize_queries<L, V, Form>(args, row, rows, s);
    const int blocks = (rows + L::kRows - 1) / L::kRows;  // nearly equal: 16 = 8 + 8 or 6 + 5 + 5
    for (int i = 0; i < blocks; ++i) {
      const int begin = rows * i / blocks, end = rows * (i + 1) / blocks;
      integer_attention_of_rows<L, V, Form>(args, s, row + begin, begin, end - begin, largest_key);
    }
  }
}

template <class L, class V>
void attention_s8(const AttentionArgs& args) noexcept {
  if (attention_s8_is_wide(args.length, args.window)) {
    integer_attention<L, V, Integers<L, true>>(args);
  } else {
    integer_attention<L, V, Integers<L, false>>(args);
  }
}

}  // namespace nybble::kernels
