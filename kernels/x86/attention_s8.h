// Attention in integers (docs/numerics.md): L is a set's registers and its multiplication (lanes_*.h), V its
// sixteen floats.
//
// A tile is up to 6 queries × kVectors registers of keys, then of columns of V: with zmm 24 sums, 4 registers
// of K or V and a broadcast, as gemm_u8s8's. Where there is VNNI, Q·K multiplies bytes (vpdpbusd, Q + 128
// against K, which starts from -128 · ΣK), else pairs of 16 bits. P·V multiplies bytes while P has 8 bits and
// there is VNNI, else pairs: 16 bits of P, P - 32768 against V, to which 32768 · ΣV is added at the end.
//
// No sum overflows:
// - Q·K: |code| ≤ 127, so |t| ≤ 16129 · head_dim < 2^31 for head_dim ≤ 65536; with Q + 128 ≤ 255 the
//   intermediate sums may wrap, which two's complement undoes. vpmaddwd's pair is at most 2 · 16129.
// - P·V of 8 bits: at most 255 · 127 · 65536 < 2^31 (2,122,383,360).
// - P·V of 16 bits: 512 keys give at most 512 · 32768 · 127 = 2,130,706,432 < 2^31; after 512 keys a sum goes
//   to a double, exact up to 2^53, far beyond 65535 · 127 · 65536 = 5.5e11.
// - ΣP: at most 65535 · 65536 < 2^32, in lanes taken as unsigned.
#pragma once

#include <cstring>

#include "kernels/kernel_set.h"
#include "kernels/portable/attention_f32.h"
#include "kernels/portable/functions.h"
#include "kernels/portable/quantize.h"

namespace nybble::kernels {

/// The scratch of one call. A group is what one 32-bit lane multiplies: 4 bytes or a pair of 16 bits.
struct IntegerScratch {
  std::int32_t* k;         ///< [block of 16 keys][group along head_dim][16]
  float* k_scale;          ///< [key]
  std::int32_t* k_offset;  ///< [key]: where the sums of its scores start
  std::int32_t* v;         ///< [group of keys][column]
  float* v_scale;          ///< [column]
  std::int32_t* v_sum;     ///< [16 keys][column]: sums of the codes of all keys before them
  std::int32_t* q;         ///< [group along head_dim][16 rows]
  float* q_scale;          ///< [16 rows]
  float* transposed;       ///< [head_dim][16]
  float* scores;           ///< [row][score_stride]; a row's weights take its scores' place
  std::ptrdiff_t score_stride;
  std::ptrdiff_t columns;  ///< head_dim, rounded up to 16
};

inline IntegerScratch integer_scratch(const AttentionArgs& args) {
  const AttentionS8Layout at = attention_s8_layout(args.length, args.head_dim, args.window);
  auto* start = reinterpret_cast<std::byte*>(args.scratch);
  const auto ints = [start](std::size_t offset) { return reinterpret_cast<std::int32_t*>(start + offset); };
  const auto floats = [start](std::size_t offset) { return reinterpret_cast<float*>(start + offset); };
  return {ints(at.keys),
          floats(at.key_scales),
          ints(at.key_offsets),
          ints(at.values),
          floats(at.value_scales),
          ints(at.value_sums),
          ints(at.queries),
          floats(at.query_scales),
          floats(at.transposed),
          floats(at.scores),
          static_cast<std::ptrdiff_t>(at.score_stride),
          round_up(args.head_dim, 16)};
}

/// How a set multiplies in this call.
template <class L, bool Wide>
struct Integers {
  static constexpr int kDepth = L::kBytes ? 4 : 2;          ///< values of head_dim a group
  static constexpr bool kByteWeights = L::kBytes && !Wide;  ///< P·V in bytes
  static constexpr int kKeys = kByteWeights ? 4 : 2;        ///< keys a group
  static constexpr bool kWide = Wide;                       ///< 16 bits of P, 32768 below their value
};

/// What turns 16 rows or columns of values into codes.
template <class V>
struct Codes {
  V scale, inverse;

  explicit Codes(V most) {
    const auto finite = V::less(most, V::set(__builtin_inff()));
    const auto tiny = V::less(most, V::set(0x1p-100F));
    scale = V::zero_where(tiny, V::select(finite, most / V::set(127.0F), V::canonical_nan()));
    inverse = V::zero_where(tiny, V::set(127.0F) / most);
  }
  /// The code in the low bits of a float.
  V of(V x) const { return V::fma(x, inverse, V::set(0x1.8p+23F)); }
};

template <class V, int Group>
[[gnu::always_inline]] inline void store_group(const V (&codes)[4], void* to) {
  if constexpr (Group == 4) {
    V::store_quads(codes[0], codes[1], codes[2], codes[3], to);
  } else {
    V::store_pairs(codes[0], codes[1], to);
  }
}

/// Quantizes `count` ≤ 16 rows of Q or K: groups of codes to `to`, [group][16]; returns their scales.
template <class V, int Group>
inline V quantize_block(const float* x, std::ptrdiff_t ld, int count, int head_dim, float* transposed,
                        std::int32_t* to) {
  V most = V::set(0.0F);
  for (int d = 0; d < head_dim; d += 16) {
    V rows[16];
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) rows[i] = i < count ? load_at<V>(x + i * ld, d, head_dim) : V::set(0.0F);
    V::transpose(rows);
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i)
      most = V::max_magnitude(most, rows[i]), rows[i].store(transposed + (d + i) * 16);
  }
  const Codes<V> codes(most);
  for (int d = 0; d < head_dim; d += Group, to += 16) {
    V group[4];
#pragma GCC unroll 4
    for (int i = 0; i < Group; ++i) group[i] = codes.of(V::load(transposed + (d + i) * 16));
    store_group<V, Group>(group, to);
  }
  return codes.scale;
}

/// -128 · ΣK for 16 keys.
template <class L>
inline void key_offsets(const std::int32_t* codes, int groups, std::int32_t* to) {
  if constexpr (L::kBytes) {
    for (int lane = 0; lane < 16; lane += L::kLanes) {
      typename L::Int sum = L::zero();
      for (int g = 0; g < groups; ++g) {
        sum = L::dot_quads(sum, L::broadcast(static_cast<std::int32_t>(0x80808080)),
                           L::load(codes + g * 16 + lane));
      }
      L::store(to + lane, L::subtract(L::zero(), sum));
    }
  }
}

/// K to codes; returns the greatest scale, NaN if one is.
template <class L, class V, class Form>
inline float quantize_keys(const AttentionArgs& args, KeyRange keys, const IntegerScratch& s) {
  const int groups = (args.head_dim + Form::kDepth - 1) / Form::kDepth;
  V most = V::set(0.0F);
  for (std::ptrdiff_t key = keys.begin; key < keys.end; key += 16) {
    std::int32_t* codes = s.k + key * groups;
    const int count = keys.end - static_cast<int>(key) < 16 ? keys.end - static_cast<int>(key) : 16;
    const V scale = quantize_block<V, Form::kDepth>(args.k + key * args.ldk, args.ldk, count, args.head_dim,
                                                    s.transposed, codes);
    scale.store(s.k_scale + key);
    most = V::max_magnitude(most, scale);
    key_offsets<L>(codes, groups, s.k_offset + key);
  }
  alignas(64) float scales[16];
  most.store(scales);
  float largest = 0;
  for (const float scale : scales) largest = scale > largest || scale != scale ? scale : largest;
  return largest;
}

/// 16 columns of V to codes: their scales over the whole sequence, codes of the keys in range. In the wide
/// form also the sums of codes before every 16 keys.
template <class L, class V, class Form>
inline void quantize_columns(const AttentionArgs& args, KeyRange keys, int column, const IntegerScratch& s) {
  V most = V::set(0.0F);
  for (std::ptrdiff_t key = 0; key < args.length; ++key) {
    most = V::max_magnitude(most, load_at<V>(args.v + key * args.ldv, column, args.head_dim));
  }
  const Codes<V> codes(most);
  codes.scale.store(s.v_scale + column);
  typename L::Int sums[16 / L::kLanes];
  for (auto& sum : sums) sum = L::zero();
  for (std::ptrdiff_t key = keys.begin; key < keys.end; key += 16) {
    if constexpr (Form::kWide) {
      std::int32_t* to = s.v_sum + key / 16 * s.columns + column;
      for (int i = 0; i < 16 / L::kLanes; ++i) L::store(to + i * L::kLanes, sums[i]);
    }
    for (int i = 0; i < 16; i += Form::kKeys) {
      std::int32_t* to = s.v + (key + i) / Form::kKeys * s.columns + column;
      V group[4];
#pragma GCC unroll 4
      for (int j = 0; j < Form::kKeys; ++j) {
        const bool real = key + i + j < args.length;
        group[j] = codes.of(real ? load_at<V>(args.v + (key + i + j) * args.ldv, column, args.head_dim)
                                 : V::set(0.0F));
      }
      store_group<V, Form::kKeys>(group, to);
      if constexpr (Form::kWide) {
        for (int j = 0; j < 16 / L::kLanes; ++j) {
          sums[j] = L::dot_pairs(sums[j], L::load(to + j * L::kLanes), L::broadcast(0x00010001));
        }
      }
    }
  }
  if constexpr (Form::kWide) {
    std::int32_t* to = s.v_sum + (keys.end + 15) / 16 * s.columns + column;
    for (int i = 0; i < 16 / L::kLanes; ++i) L::store(to + i * L::kLanes, sums[i]);
  }
}

/// 16 rows of Q to codes, as unsigned bytes where bytes are multiplied, and what their scores are scaled by.
template <class L, class V, class Form>
inline void quantize_queries(const AttentionArgs& args, int row, int count, const IntegerScratch& s) {
  const int groups = (args.head_dim + Form::kDepth - 1) / Form::kDepth;
  const V scale = quantize_block<V, Form::kDepth>(args.q + row * args.ldq, args.ldq, count, args.head_dim,
                                                  s.transposed, s.q);
  (scale * V::set(args.scale * kLog2E)).store(s.q_scale);
  if constexpr (L::kBytes) {
    const auto flip = L::broadcast(static_cast<std::int32_t>(0x80808080));
    for (int i = 0; i < groups * 16; i += L::kLanes)
      L::store(s.q + i, L::exclusive_or(L::load(s.q + i), flip));
  }
}

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

/// A row's weights in the place of its `count` scores; returns their sum. Reads run ahead of writes.
template <class L, class Form>
inline std::int64_t weigh(float* scores, int count, float most) {
  using Int = typename L::Int;
  constexpr int kLanes = L::kLanes, kStep = 4 * kLanes, kBytes = Form::kByteWeights ? 1 : 2;
  const typename L::Float largest = L::set(most);
  const auto weights = [&](const float* at) __attribute__((always_inline)) {
    const typename L::Float z = L::subtract(L::load_floats(at), largest);
    if constexpr (Form::kWide) return L::weights(kExp2Of65535, z);
    if constexpr (!Form::kWide) return L::weights(kExp2Of255, z);
  };
  const Int flip = L::broadcast(Form::kWide ? static_cast<std::int32_t>(0x80008000) : 0);
  auto* to = reinterpret_cast<std::byte*>(scores);
  Int sum = L::zero();
  int i = 0;
  for (; i + kStep <= count; i += kStep) {
    Int w[4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) w[j] = weights(scores + i + j * kLanes);
    sum = L::add(sum, L::add(L::add(w[0], w[1]), L::add(w[2], w[3])));
    if constexpr (Form::kByteWeights) {
      L::store_bytes(w, to + i);
    } else {
      L::store_words(w[0], w[1], flip, to + i * kBytes);
      L::store_words(w[2], w[3], flip, to + (i + 2 * kLanes) * kBytes);
    }
  }
  for (; i < count; i += 16) {
    Int w[16 / kLanes];
#pragma GCC unroll 2
    for (int j = 0; j < 16 / kLanes; ++j) w[j] = weights(scores + i + j * kLanes), sum = L::add(sum, w[j]);
    if constexpr (Form::kByteWeights) {
      L::store_16_bytes(w, to + i);
    } else {
      L::store_16_words(w, flip, to + i * kBytes);
    }
  }
  return L::sum(sum);
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
    default:
      return integer_attention_rows<L, V, Form, kAttentionS8Rows>(args, s, row, query, largest_key);
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
    const int blocks = (rows + kAttentionS8Rows - 1) / kAttentionS8Rows;  // nearly equal: 16 = 6 + 5 + 5
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
