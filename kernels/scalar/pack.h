// Weights to codes and their pack, literally as docs/packed-format.md says it.
#pragma once

#include "kernels/kernel_set.h"
#include "kernels/scalar/f32x1.h"

namespace nybble::kernels::scalar {

/// The low nibble of a byte for the first quad of a pair, the high one for the second.
inline int nibble(int byte, int k) { return k % 8 < 4 ? byte & 15 : byte >> 4 & 15; }

/// The parts of one panel of a pack (packed_weights.h).
template <class Byte, class Int32, class Float, class Int8>
struct BasicPanel {
  Byte* weights;
  Int32* colsum;      ///< per channel
  Float* weight_sum;  ///< in groups
  Float *scale, *bias;
  Int8* zero;  ///< in groups
  int width;
  int bits;

  /// Index of the byte that holds a code.
  std::ptrdiff_t index(int k, int column) const {
    const int quad = bits == 4 ? k / 8 : k / 4;
    return std::ptrdiff_t{quad} * width * 4 + column * 4 + k % 4;
  }
  int code(int k, int column) const {
    const int byte = static_cast<std::int8_t>(weights[index(k, column)]);
    return bits == 4 ? nibble(byte, k) : byte;
  }
};
using Panel = BasicPanel<const std::byte, const std::int32_t, const float, const std::int8_t>;
using WritablePanel = BasicPanel<std::byte, std::int32_t, float, std::int8_t>;

template <class PanelType = Panel, class Byte>
inline PanelType parts_of(Byte* pack, int n, int k, int p, const PackFormat& format) {
  PanelType panel{};
  panel.width = panel_width(n, p);
  panel.bits = format.bits;
  panel.weights = pack + panel_offset(k, p, format);
  Byte* trailer = panel.weights + panel_weight_bytes(n, k, p, format);
  const std::ptrdiff_t blocks = row_block_count(k, format), groups = group_count(k, format);
  Byte* after_blocks = trailer + blocks * kPanelColumns * 4;
  Byte* after_64 = after_blocks + kPanelColumns * 4;
  if (format.group == 0) {
    panel.colsum = reinterpret_cast<decltype(panel.colsum)>(trailer);
    panel.scale = reinterpret_cast<decltype(panel.scale)>(after_blocks);
    panel.bias = reinterpret_cast<decltype(panel.bias)>(after_64);
  } else {
    panel.weight_sum = reinterpret_cast<decltype(panel.weight_sum)>(trailer);
    panel.bias = reinterpret_cast<decltype(panel.bias)>(after_blocks);
    panel.scale = reinterpret_cast<decltype(panel.scale)>(after_64);
    panel.zero = reinterpret_cast<decltype(panel.zero)>(after_64 + groups * kPanelColumns * 4);
  }
  return panel;
}

inline int weight_code(float w, float scale, int zero, const PackFormat& format) {
  if (scale == 0) return zero;
  const float code = __builtin_rintf(w / scale) + static_cast<float>(zero);
  const auto least = static_cast<float>(least_code(format)),
             greatest = static_cast<float>(greatest_code(format));
  return static_cast<int>(code < least ? least : code > greatest ? greatest : code);
}

/// Writes a code whose byte was cleared before.
inline void put_code(const WritablePanel& panel, int k, int column, int code) {
  const int shift = panel.bits == 4 && k % 8 >= 4 ? 4 : 0;
  std::byte& byte = panel.weights[panel.index(k, column)];
  byte |= static_cast<std::byte>(code << shift);
}

/// One channel's codes, and its sums in the trailer; `channel` < n.
inline void pack_channel(const PackArgs& args, const WritablePanel& panel, int column, int channel) {
  const int depth = row_block_depth(args.k, args.format), groups = group_count(args.k, args.format);
  const int group = args.format.group == 0 ? args.k : args.format.group;
  for (int begin = 0; begin < args.k; begin += group) {
    const std::ptrdiff_t at = std::ptrdiff_t{channel} * (groups == 0 ? 1 : groups) + begin / group;
    const int zero = args.zero == nullptr ? middle_code(args.format) : args.zero[at];
    const float scale = args.scale[at];
    std::int32_t sum = 0;
    for (int k = begin; k < args.k && k < begin + group; ++k) {
      const int code = weight_code(args.w[channel * args.ldw + k], scale, zero, args.format);
      put_code(panel, k, column, code);
      sum += code - zero;
      if (groups == 0) panel.colsum[k / depth * kPanelColumns + column] += code - zero;
    }
    if (groups == 0) {
      panel.scale[column] = scale;
    } else {
      float& weight_sum = panel.weight_sum[begin / depth * kPanelColumns + column];
      weight_sum = __builtin_fmaf(scale, static_cast<float>(sum), weight_sum);
      panel.scale[begin / group * kPanelColumns + column] = scale;
      panel.zero[begin / group * kPanelColumns + column] = static_cast<std::int8_t>(zero);
    }
  }
}

inline void pack(const PackArgs& args, int p) noexcept {
  const WritablePanel panel = parts_of<WritablePanel>(args.pack, args.n, args.k, p, args.format);
  const std::size_t codes = panel_weight_bytes(args.n, args.k, p, args.format);
  for (std::size_t i = 0; i < codes + panel_trailer_bytes(args.k, args.format); ++i) panel.weights[i] = {};
  const int middle = middle_code(args.format), groups = group_count(args.k, args.format);
  for (int i = 0; i < groups * kPanelColumns; ++i) panel.zero[i] = static_cast<std::int8_t>(middle);
  for (int column = 0; column < panel.width; ++column) {
    const int channel = p * kPanelColumns + column;
    if (channel < args.n) {
      pack_channel(args, panel, column, channel);
      panel.bias[column] = args.bias == nullptr ? 0 : args.bias[channel];
    }
    const int last_group = groups == 0 ? 0 : groups - 1;
    for (int k = channel < args.n ? args.k : 0; k < padded_depth(args.k); ++k) {
      const int group = groups == 0                          ? 0
                        : k / args.format.group < last_group ? k / args.format.group
                                                             : last_group;
      put_code(panel, k, column, groups == 0 ? middle : panel.zero[group * kPanelColumns + column]);
    }
  }
}

inline void unpack(const std::byte* pack, int n, int k, const PackFormat& format, int p, float* w,
                   std::ptrdiff_t ldw) noexcept {
  const Panel panel = parts_of(pack, n, k, p, format);
  for (int column = 0; column < panel.width && p * kPanelColumns + column < n; ++column) {
    float* row = w + (p * kPanelColumns + column) * ldw;
    for (int i = 0; i < k; ++i) {
      const std::ptrdiff_t at = format.group == 0 ? column : i / format.group * kPanelColumns + column;
      const int zero = format.group == 0 ? middle_code(format) : panel.zero[at];
      row[i] = panel.scale[at] * static_cast<float>(panel.code(i, column) - zero);
    }
  }
}

}  // namespace nybble::kernels::scalar
