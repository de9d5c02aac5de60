// Q, K and V of attention in integers as codes, in the scratch of a call (docs/numerics.md). L is a set's
// registers and its multiplication (lanes_*.h), V its sixteen floats.
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
  float* scores;           ///< [block][row][kKeysOfBlock]; a block's weights take its scores' place
  std::ptrdiff_t columns;  ///< head_dim, rounded up to 16
};

inline IntegerScratch integer_scratch(const AttentionArgs& args) {
  const AttentionS8Layout at = attention_s8_layout(args.length, args.head_dim, args.window);
  auto* start = reinterpret_cast<std::byte*>(args.scratch);
  const auto ints = [start](std::size_t offset) { return reinterpret_cast<std::int32_t*>(start + offset); };
  const auto floats = [start](std::size_t offset) { return reinterpret_cast<float*>(start + offset); };
  return {ints(at.keys),           floats(at.key_scales), ints(at.key_offsets),       ints(at.values),
          floats(at.value_scales), ints(at.value_sums),   ints(at.queries),           floats(at.query_scales),
          floats(at.transposed),   floats(at.scores),     round_up(args.head_dim, 16)};
}

/// Keys whose scores stand side by side.
inline constexpr int kKeysOfBlock = 64;

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

/// quantize_block, of 16 rows and whole registers of head_dim where Whole.
template <class V, int Group, bool Whole>
[[gnu::noinline]] V quantize_rows(const float* x, std::ptrdiff_t ld, int count, int head_dim,
                                  float* transposed, std::int32_t* to) {
  V most = V::set(0.0F);
  for (int d = 0; d < head_dim; d += 16) {
    V rows[16];
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) {
      if constexpr (Whole) {
        rows[i] = V::load(x + i * ld + d);
      } else {
        rows[i] = i < count ? load_at<V>(x + i * ld, d, head_dim) : V::set(0.0F);
      }
    }
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

/// Quantizes `count` ≤ 16 rows of Q or K: groups of codes to `to`, [group][16]; returns their scales.
template <class V, int Group>
inline V quantize_block(const float* x, std::ptrdiff_t ld, int count, int head_dim, float* transposed,
                        std::int32_t* to) {
  const bool is_whole = count == 16 && head_dim % 16 == 0;
  return (is_whole ? quantize_rows<V, Group, true> : quantize_rows<V, Group, false>)(x, ld, count, head_dim,
                                                                                     transposed, to);
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

}  // namespace nybble::kernels
