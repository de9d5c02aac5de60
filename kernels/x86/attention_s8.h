// Attention in integers (docs/numerics.md): L is a set's registers and its multiplication (lanes_*.h), V its
// sixteen floats.
//
// A tile is up to 8 queries × 2 registers of keys, then of columns of V (ymm: 6 × 2): 16 sums hide the
// latency of 4 cycles on two pipes. Where there is VNNI, Q·K multiplies bytes (vpdpbusd, Q + 128 against K,
// which starts from -128 · ΣK), else pairs of 16 bits. P·V multiplies bytes while P has 8 bits and there is
// VNNI, else pairs: 16 bits of P, P - 32768 against V, to which 32768 · ΣV is added.
//
// No sum overflows:
// - Q·K: |code| ≤ 127, so |t| ≤ 16129 · head_dim < 2^31 for head_dim ≤ 65536; with Q + 128 ≤ 255 the
//   intermediate sums may wrap, which two's complement undoes. vpmaddwd's pair is at most 2 · 16129.
// - P·V of 8 bits: at most 255 · 127 · 65536 < 2^31 (2,122,383,360).
// - P·V of 16 bits: 256 keys give at most 256 · 65535 · 127 = 2,130,673,920 < 2^31, and on the way there sums
// may
//   wrap; after 256 keys a sum goes to a double, exact up to 2^53, far beyond 65535 · 127 · 65536 = 5.5e11.
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
[[gnu::noinline]] void integer_score_tile(const IntegerScratch& s, int query, std::ptrdiff_t key, int groups,
                                          float* scores) {
  using Int = typename L::Int;
  constexpr int kLanes = L::kLanes;
  const std::int32_t *q = s.q + query, *k = s.k + key * groups;
  const float *q_scale = s.q_scale + query, *k_scale = s.k_scale + key;
  const std::ptrdiff_t block = groups * 16;
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
    const typename L::Float scale = L::load_floats(k_scale + j * kLanes);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const typename L::Float factor = L::multiply(L::set(q_scale[r]), scale);
      L::store_floats(scores + r * kKeysOfBlock + j * kLanes, L::multiply(L::to_float(sum[r][j]), factor));
    }
  }
}

/// Scores of `count` keys, a multiple of 16 up to kKeysOfBlock.
template <class L, class Form, int Rows>
inline void integer_score_block(const IntegerScratch& s, int query, int key, int count, int groups,
                                float* scores) {
  int at = 0;
  for (; at + L::kVectors * L::kLanes <= count; at += L::kVectors * L::kLanes) {
    integer_score_tile<L, Form, Rows, L::kVectors>(s, query, key + at, groups, scores + at);
  }
  if constexpr (L::kVectors * L::kLanes > 16) {
    if (at < count)
      integer_score_tile<L, Form, Rows, 16 / L::kLanes>(s, query, key + at, groups, scores + at);
  }
}

/// Adds a row's biases to the scores of `count` keys from `key` on; -infinity for those that it does not see.
template <class V>
inline void bias_and_mask(const AttentionArgs& args, int row, int key, int count, float* scores) {
  if (args.bias != nullptr) {
    const float* bias = args.bias + row * args.ld_bias;
    for (int i = 0; i < count; i += 16) {
      V::fma(load_at<V>(bias, key + i, args.length), V::set(kLog2E), V::load(scores + i)).store(scores + i);
    }
  }
  const KeyRange seen = keys_of(args, row);
  for (int i = 0; i < count && i < seen.begin - key; ++i) scores[i] = -__builtin_inff();
  for (int i = seen.end > key ? seen.end - key : 0; i < count; ++i) scores[i] = -__builtin_inff();
}

/// Whether one of `count` scores, a multiple of 16, is NaN or +infinity.
template <class V>
inline bool has_unusable(const float* scores, int count) {
  V found = V::set(0.0F);
  for (int i = 0; i < count; i += 16)
    found = V::select(V::less(V::load(scores + i), V::set(__builtin_inff())), found, V::set(1.0F));
  return V::largest(found) > 0;
}

/// The maxima of Rows rows of scores of `count` keys, to `to`, of 8.
template <class L, int Rows>
[[gnu::noinline]] void largest_scores(const float* scores, int count, float* to) {
  typename L::Float most[8];
#pragma GCC unroll 8
  for (int r = 0; r < 8; ++r) most[r] = L::set(-__builtin_inff());
  for (; count > 0; count -= kKeysOfBlock, scores += kAttentionS8Rows * kKeysOfBlock) {
    const int keys = count < kKeysOfBlock ? count : kKeysOfBlock;
    for (int i = 0; i < keys; i += L::kLanes) {
#pragma GCC unroll 8
      for (int r = 0; r < Rows; ++r) {
        most[r] = L::max(L::load_floats(scores + r * kKeysOfBlock + i), most[r]);
      }
    }
  }
  L::store_largest(most, to);
}

/// Weights of a block for Rows rows, in their scores' place, 0 beyond `count` keys. Row r's scores end where
/// the weights of row 2r or later begin.
template <class L, class Form, bool Whole>
[[gnu::noinline]] void weigh_block(float* scores, int rows, int count, const float* largest) {
  using Float = typename L::Float;
  constexpr int kStep = 4 * L::kLanes, kBytes = Form::kByteWeights ? 1 : 2;
  auto* to = reinterpret_cast<std::byte*>(scores);
  for (int r = 0; r < rows; ++r, scores += kKeysOfBlock, to += kKeysOfBlock * kBytes) {
    const Float most = L::set(largest[r]);
#pragma GCC unroll 2
    for (int at = 0; at < kKeysOfBlock; at += kStep) {
      Float w[4];
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) {
        const int key = at + j * L::kLanes;
        const bool is_out = !Whole && key >= count;
        w[j] = is_out ? L::set(-__builtin_inff()) : L::subtract(L::load_floats(scores + key), most);
      }
      if constexpr (Form::kWide) {
        L::weigh(kExp2Of65535, w, 0x1.01p+23F);
      } else {
        L::weigh(kExp2Of255, w, 0x1p+23F);
      }
      if constexpr (Form::kByteWeights) {
        L::store(to + at, L::pack_bytes(w));
      } else {
        const auto first = L::pack_words(w[0], w[1]), second = L::pack_words(w[2], w[3]);
        L::store(to + at * 2, first), L::store(to + at * 2 + sizeof first, second);
      }
    }
  }
}

/// weigh_block of up to kLanes keys, four rows side by side: those after `rows` hold anything.
template <class L>
[[gnu::noinline]] void weigh_few_keys(float* scores, int rows, const float* largest) {
  using Float = typename L::Float;
  auto* to = reinterpret_cast<std::byte*>(scores);
  for (int r = 0; r < rows; r += 4) {
    Float w[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      w[i] = L::subtract(L::load_floats(scores + (r + i) * kKeysOfBlock), L::set(largest[r + i]));
    }
    L::weigh(kExp2Of255, w, 0x1p+23F);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      const Float row[4] = {w[i], L::set(0.0F), L::set(0.0F), L::set(0.0F)};
      L::store(to + (r + i) * kKeysOfBlock, L::pack_bytes(row));
    }
  }
}

/// Weights of `all` keys for `rows` rows.
template <class L, class Form>
inline void weigh_rows(float* scores, int rows, int all, const float* largest) {
  constexpr int kBlock = kAttentionS8Rows * kKeysOfBlock;  // floats
  if constexpr (Form::kByteWeights && L::kLanes == 16) {
    if (all <= L::kLanes) return weigh_few_keys<L>(scores, rows, largest);
  }
  for (; all >= kKeysOfBlock; all -= kKeysOfBlock, scores += kBlock) {
    weigh_block<L, Form, true>(scores, rows, kKeysOfBlock, largest);
  }
  if (all > 0) weigh_block<L, Form, false>(scores, rows, all, largest);
}

/// The sums of Rows rows' weights over `blocks` blocks, as they are stored, to `to`, of 8.
template <class L, class Form, int Rows>
[[gnu::noinline]] void weight_sums(const float* scores, int blocks, std::int32_t* to) {
  using Int = typename L::Int;
  constexpr int kBytes = kKeysOfBlock * (Form::kByteWeights ? 1 : 2);
  const auto* weights = reinterpret_cast<const std::byte*>(scores);
  Int sum[8];
#pragma GCC unroll 8
  for (int r = 0; r < 8; ++r) sum[r] = L::zero();
  for (; blocks > 0; --blocks, weights += sizeof(float) * kAttentionS8Rows * kKeysOfBlock) {
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
      for (int at = 0; at < kBytes; at += static_cast<int>(sizeof(Int))) {
        const Int codes = L::load(weights + r * kBytes + at);
        if constexpr (Form::kByteWeights) {
          sum[r] = L::dot_quads(sum[r], codes, L::broadcast(0x01010101));
        } else {
          sum[r] = L::dot_pairs(sum[r], codes, L::broadcast(0x00010001));
        }
      }
    }
  }
  L::store_sums(sum, to);
}

/// Where the weights of 16 keys begin in those of a block.
template <class L, class Form>
inline int step_begin(int step) {
  if constexpr (Form::kByteWeights) {
    return L::kBytesBegin[step];
  } else {
    return L::kWordsBegin[step];
  }
}

/// Keys whose P·V a sum of 32 bits holds in the wide form.
inline constexpr int kWholeKeys = 256;

/// P·V of the keys in range for Rows queries and Vectors registers of columns, [Rows][Vectors · kLanes]; in
/// the wide form (P - 32768)·V unless IsWhole. Their scores begin with a block.
template <class L, class Form, int Rows, int Vectors, bool IsWhole>
[[gnu::noinline]] void multiply_values(const IntegerScratch& s, KeyRange keys, const float* scores,
                                       int column, std::int32_t* sums) {
  using Int = typename L::Int;
  constexpr int kLanes = L::kLanes, kKeys = Form::kKeys;
  const std::ptrdiff_t columns = s.columns;
  const std::int32_t* v = s.v + keys.begin / kKeys * columns + column;
  Int sum[Rows][Vectors];
#pragma GCC unroll 4
  for (int j = 0; j < Vectors; ++j) {
    Int start = L::zero();
    if constexpr (Form::kWide && IsWhole) {
      const std::int32_t* before = s.v_sum + column + j * kLanes;
      start = L::shift_left_15(L::subtract(L::load(before + keys.end / 16 * columns),
                                           L::load(before + keys.begin / 16 * columns)));
    }
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) sum[r][j] = start;
  }
  int step = 0;
  for (int key = keys.begin; key < keys.end; key += 16) {
    const auto* weights = reinterpret_cast<const std::int32_t*>(scores);
    weights += step_begin<L, Form>(step);
#pragma GCC unroll 8
    for (int g = 0; g < 16 / kKeys; ++g, v += columns) {
      Int values[Vectors];
#pragma GCC unroll 4
      for (int j = 0; j < Vectors; ++j) {
        values[j] = L::load(v + j * kLanes);
        if constexpr (kLanes == 16) L::pin(values[j]);
      }
      if constexpr (Form::kByteWeights) {
        multiply_group<L, true>(weights + L::kBytesOrder[g], kKeysOfBlock / 4, values, sum);
      } else {
        multiply_group<L, false>(weights + L::kWordsOrder[g], kKeysOfBlock / 2, values, sum);
      }
    }
    if (++step == kKeysOfBlock / 16) step = 0, scores += kAttentionS8Rows * kKeysOfBlock;
  }
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (int j = 0; j < Vectors; ++j) L::store(sums + (r * Vectors + j) * kLanes, sum[r][j]);
  }
}

/// P·V of more than 256 keys in the wide form: sums of (P - 32768)·V, which 32 bits hold for 512 keys, go on
/// in doubles; 32768 · ΣV is added at the end.
template <class L, class Form, int Rows, int Vectors>
[[gnu::noinline]] void multiply_many_values(const IntegerScratch& s, KeyRange keys, int column,
                                            float* totals) {
  constexpr int kLanes = L::kLanes, kChunk = 512;
  alignas(64) std::int32_t sums[Rows * Vectors * kLanes];
  alignas(64) double partial[Rows * Vectors * kLanes];
  std::memset(partial, 0, sizeof partial);
  int key = keys.begin;
  while (true) {
    const float* scores = s.scores + (key - keys.begin) * kAttentionS8Rows;
    const int end = keys.end - key < kChunk ? keys.end : key + kChunk;
    multiply_values<L, Form, Rows, Vectors, false>(s, {key, end}, scores, column, sums);
    if (end == keys.end) break;
    for (int i = 0; i < Rows * Vectors * kLanes; i += kLanes) L::add_to(partial + i, L::load(sums + i));
    key = end;
  }
#pragma GCC unroll 4
  for (int j = 0; j < Vectors; ++j) {
    const std::int32_t* before = s.v_sum + column + j * kLanes;
    const typename L::Int offset = L::subtract(L::load(before + keys.end / 16 * s.columns),
                                               L::load(before + keys.begin / 16 * s.columns));
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const int i = (r * Vectors + j) * kLanes;
      L::store_floats(totals + i, L::total(L::load(sums + i), partial + i, offset));
    }
  }
}

/// out = P·V · inverse · scale for Rows queries and Vectors registers of columns.
template <class L, class Form, int Rows, int Vectors>
inline void integer_value_tile(const AttentionArgs& args, const IntegerScratch& s, int row, KeyRange keys,
                               int column, const float* inverses) {
  using Float = typename L::Float;
  constexpr int kLanes = L::kLanes;
  alignas(64) std::int32_t sums[Rows * Vectors * kLanes];
  alignas(64) float totals[Rows * Vectors * kLanes];
  const bool is_many = Form::kWide && keys.end - keys.begin > kWholeKeys;
  if (is_many) {
    multiply_many_values<L, Form, Rows, Vectors>(s, keys, column, totals);
  } else {
    multiply_values<L, Form, Rows, Vectors, true>(s, keys, s.scores, column, sums);
  }
  for (int j = 0; j < Vectors; ++j) {
    const int at = column + j * kLanes, left = args.head_dim - at;
    const Float scale = L::load_floats(s.v_scale + at);
    float* out = args.out + row * args.ldo + at;
#pragma GCC unroll 2
    for (int r = 0; r < Rows; ++r, out += args.ldo) {
      const int i = (r * Vectors + j) * kLanes;
      const Float total = is_many ? L::load_floats(totals + i) : L::to_float(L::load(sums + i));
      const Float value = L::multiply(L::multiply(total, L::set(inverses[r])), scale);
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
  if constexpr (L::kVectors * kLanes > 16) {
    if (column < columns) {
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
  constexpr int kBlock = kAttentionS8Rows * kKeysOfBlock;  // floats
  const KeyRange keys = keys_of(args, row, row + Rows - 1);
  const int all = round_up(keys.end, 16) - keys.begin, blocks = (all + kKeysOfBlock - 1) / kKeysOfBlock;
  const int groups = (args.head_dim + Form::kDepth - 1) / Form::kDepth;
  const float most_dot = 16129.0F * static_cast<float>(round_up(args.head_dim, 4));
  bool bad[Rows], is_checked[Rows];
  for (int r = 0; r < Rows; ++r) {
    // Without a bias no score can be NaN or infinite unless the greatest possible is.
    const float bound = s.q_scale[query + r] * largest_key * most_dot;
    is_checked[r] = args.bias != nullptr || !(bound < __builtin_inff() && bound > -__builtin_inff());
    bad[r] = false;
  }
  for (int i = 0; i < blocks; ++i) {
    const int key = keys.begin + i * kKeysOfBlock, left = all - i * kKeysOfBlock,
              count = left < kKeysOfBlock ? left : kKeysOfBlock;
    float* scores = s.scores + i * kBlock;
    integer_score_block<L, Form, Rows>(s, query, key, count, groups, scores);
    const bool is_cut = args.bias != nullptr || args.window >= 0 || key + count > args.length;
    for (int r = 0; r < Rows; ++r) {
      if (is_cut) bias_and_mask<V>(args, row + r, key, count, scores + r * kKeysOfBlock);
      if (is_checked[r]) bad[r] |= has_unusable<V>(scores + r * kKeysOfBlock, count);
    }
  }
  alignas(64) float largest[8], inverses[8];
  alignas(64) std::int32_t masses[8];
  largest_scores<L, Rows>(s.scores, all, largest);
  weigh_rows<L, Form>(s.scores, Rows, all, largest);
  weight_sums<L, Form, Rows>(s.scores, blocks, masses);
  // In the wide form each word is 32768 too small: their sum is above -2^31.
  const double lack = Form::kWide ? 32768.0 * kKeysOfBlock * blocks : 0;
  for (int r = 0; r < 8; ++r) inverses[r] = 1 / static_cast<float>(masses[r] + lack);
  integer_value_rows<L, Form, Rows>(args, s, row, {keys.begin, keys.begin + all}, inverses);
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
