// Weights to codes and back, on vectors of 16 floats: a channel at a time, 16 k a step.
#pragma once

#include <immintrin.h>

#include <cstring>

#include "kernels/kernel_set.h"
#include "kernels/panel.h"
#include "kernels/portable/rows.h"

namespace nybble::kernels {

/// Where the codes of one output channel stand in its panel.
template <class Byte>
struct ChannelCodes {
  Byte* first;            ///< four bytes of quad 0 (4 bits: of quads 0 and 1)
  std::ptrdiff_t stride;  ///< bytes from one quad (pair of quads) to the next
  bool nibbles;
};

/// Stores 16 codes from k on (a multiple of 16).
inline void put_codes(const ChannelCodes<std::byte>& to, int k, __m128i codes) {
  std::uint32_t quads[4];
  _mm_storeu_si128(reinterpret_cast<__m128i*>(quads), codes);
  if (to.nibbles) {
    std::byte* at = to.first + k / 8 * to.stride;
    const std::uint32_t pairs[2] = {quads[0] | quads[1] << 4, quads[2] | quads[3] << 4};
    std::memcpy(at, &pairs[0], 4);
    std::memcpy(at + to.stride, &pairs[1], 4);
  } else {
    std::byte* at = to.first + k / 4 * to.stride;
    for (int j = 0; j < 4; ++j) std::memcpy(at + j * to.stride, &quads[j], 4);
  }
}

/// 16 codes from k on (a multiple of 16).
inline __m128i get_codes(const ChannelCodes<const std::byte>& from, int k) {
  std::uint32_t quads[4];
  if (from.nibbles) {
    const std::byte* at = from.first + k / 8 * from.stride;
    for (int j = 0; j < 2; ++j) {
      std::uint32_t pair;
      std::memcpy(&pair, at + j * from.stride, 4);
      quads[2 * j] = pair & 0x0F0F0F0F, quads[2 * j + 1] = pair >> 4 & 0x0F0F0F0F;
    }
  } else {
    const std::byte* at = from.first + k / 4 * from.stride;
    for (int j = 0; j < 4; ++j) std::memcpy(&quads[j], at + j * from.stride, 4);
  }
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(quads));
}

/// Codes of w[begin..end) (begin a multiple of 16), `zero` from `end` to the next multiple of 16; returns
/// Σ (code - zero).
template <class V>
inline std::int32_t pack_codes(const float* w, int begin, int end, float scale, int zero,
                               const PackFormat& format, const ChannelCodes<std::byte>& to) {
  const V divisor = V::set(scale), offset = V::set(static_cast<float>(zero));
  const V least = V::set(static_cast<float>(least_code(format)));
  const V greatest = V::set(static_cast<float>(greatest_code(format)));
  V sum = V::set(0.0F);  // of whole numbers far below 2^24: exact in any order
  for (int k = begin; k < end; k += 16) {
    V code = offset;
    if (scale != 0) {
      code = V::round(load_at<V>(w, k, end) / divisor) + offset;  // 0 / scale beyond the end
      code = V::max(V::min(code, greatest), least);
    }
    sum = sum + (code - offset);
    put_codes(to, k, V::to_s8(code));
  }
  return static_cast<std::int32_t>(V::sum(sum));
}

/// `zero` as the codes of [begin, end), both multiples of 16.
template <class V>
inline void pack_padding(int begin, int end, int zero, const ChannelCodes<std::byte>& to) {
  const __m128i codes = _mm_set1_epi8(static_cast<char>(zero));
  for (int k = begin; k < end; k += 16) put_codes(to, k, codes);
}

/// One channel with one scale.
template <class V>
inline void pack_channel(const PackArgs& args, const WritablePanel& panel, int column, int channel,
                         const ChannelCodes<std::byte>& to) {
  const int depth = row_block_depth(args.k, args.format);
  const int middle = middle_code(args.format);
  const float scale = args.scale[channel], *w = args.w + channel * args.ldw;
  for (int begin = 0; begin < args.k; begin += depth) {
    const int end = begin + depth < args.k ? begin + depth : args.k;
    panel.colsum[begin / depth * kPanelColumns + column] =
        pack_codes<V>(w, begin, end, scale, middle, args.format, to);
  }
  panel.scale[column] = scale;
  pack_padding<V>(round_up(args.k, 16), padded_depth(args.k), middle, to);
}

/// One channel in groups. The sums over a row block are FMA chains, groups ascending.
template <class V>
inline void pack_channel_groups(const PackArgs& args, const WritablePanel& panel, int column, int channel,
                                const ChannelCodes<std::byte>& to) {
  const int depth = row_block_depth(args.k, args.format), group = args.format.group;
  const int groups = group_count(args.k, args.format);
  const float* w = args.w + channel * args.ldw;
  int zero = 0;
  for (int g = 0; g < groups; ++g) {
    const int begin = g * group, end = begin + group < args.k ? begin + group : args.k;
    const std::ptrdiff_t from = std::ptrdiff_t{channel} * groups + g;
    const std::ptrdiff_t at = std::ptrdiff_t{g} * kPanelColumns + column;
    zero = args.zero == nullptr ? middle_code(args.format) : args.zero[from];
    const float scale = args.scale[from];
    const std::int32_t sum = pack_codes<V>(w, begin, end, scale, zero, args.format, to);
    float& weight_sum = panel.weight_sum[begin / depth * kPanelColumns + column];
    weight_sum = __builtin_fmaf(scale, static_cast<float>(sum), weight_sum);
    panel.scale[at] = scale;
    panel.zero[at] = static_cast<std::int8_t>(zero);
  }
  pack_padding<V>(round_up(args.k, 16), padded_depth(args.k), zero, to);
}

template <class Byte>
inline ChannelCodes<Byte> codes_of(Byte* weights, int width, int column, const PackFormat& format) {
  return {weights + column * 4, width * 4, format.bits == 4};
}

template <class V>
void pack(const PackArgs& args, int p) noexcept {
  const WritablePanel panel = writable_panel(args.pack, args.n, args.k, p, args.format);
  const int middle = middle_code(args.format);
  std::memset(panel.trailer, 0, panel_trailer_bytes(args.k, args.format));
  if (args.format.group != 0) {
    std::memset(panel.zero, middle,
                static_cast<std::size_t>(group_count(args.k, args.format)) * kPanelColumns);
  }
  for (int column = 0; column < panel.width; ++column) {
    const int channel = p * kPanelColumns + column;
    const auto to = codes_of(panel.weights, panel.width, column, args.format);
    if (channel >= args.n) {
      pack_padding<V>(0, padded_depth(args.k), middle, to);
      continue;
    }
    panel.bias[column] = args.bias == nullptr ? 0 : args.bias[channel];
    if (args.format.group == 0) {
      pack_channel<V>(args, panel, column, channel, to);
    } else {
      pack_channel_groups<V>(args, panel, column, channel, to);
    }
  }
}

template <class V>
void unpack(const std::byte* pack, int n, int k, const PackFormat& format, int p, float* w,
            std::ptrdiff_t ldw) noexcept {
  const Panel panel = panel_of(pack, n, k, p, format);
  const int group = format.group == 0 ? k : format.group;
  for (int column = 0; column < panel.width && p * kPanelColumns + column < n; ++column) {
    const auto from = codes_of(panel.weights, panel.width, column, format);
    float* row = w + (p * kPanelColumns + column) * ldw;
    for (int begin = 0; begin < k; begin += group) {
      const int end = begin + group < k ? begin + group : k;
      const std::ptrdiff_t at = std::ptrdiff_t{begin / group} * kPanelColumns + column;
      const V scale = V::set(panel.scale[at]);
      const V zero = V::set(static_cast<float>(format.group == 0 ? middle_code(format) : panel.zero[at]));
      for (int i = begin; i < end; i += 16) {
        store_at(scale * (V::from_s8(get_codes(from, i)) - zero), row, i, end);
      }
    }
  }
}

}  // namespace nybble::kernels
