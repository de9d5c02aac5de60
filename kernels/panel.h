// Where the parts of one panel of a pack stand (packed_weights.h).
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/packed_weights.h"

namespace nybble::kernels {

struct WritablePanel {
  std::byte *weights, *trailer;
  std::int32_t* colsum;  ///< [blocks][64], Σ (code - zero) over a block of row parameters; null in groups
  float* weight_sum;     ///< [blocks][64], Σ scale·(code - zero); null per channel
  float* bias;           ///< [64]
  float* scale;          ///< [64], in groups [groups][64]
  std::int8_t* zero;     ///< [groups][64]; null per channel
  int width;             ///< 16, 32, 48 or 64 columns
};

struct Panel {
  const std::byte* weights;
  const std::int32_t* colsum;
  const float* weight_sum;
  const float* bias;
  const float* scale;
  const std::int8_t* zero;
  int width;
};

inline WritablePanel writable_panel(std::byte* pack, int n, int k, int p, const PackFormat& format) {
  std::byte* weights = pack + panel_offset(k, p, format);
  std::byte* trailer = weights + panel_weight_bytes(n, k, p, format);
  const bool grouped = format.group != 0;
  auto* blocks = reinterpret_cast<std::int32_t*>(trailer);
  auto* first = reinterpret_cast<float*>(blocks + row_block_count(k, format) * kPanelColumns);
  float* second = first + kPanelColumns;
  auto* zero = reinterpret_cast<std::int8_t*>(second + group_count(k, format) * kPanelColumns);
  return {weights,
          trailer,
          grouped ? nullptr : blocks,
          grouped ? reinterpret_cast<float*>(trailer) : nullptr,
          grouped ? first : second,
          grouped ? second : first,
          grouped ? zero : nullptr,
          panel_width(n, p)};
}

inline Panel panel_of(const std::byte* pack, int n, int k, int p, const PackFormat& format) {
  const WritablePanel panel = writable_panel(const_cast<std::byte*>(pack), n, k, p, format);
  return {panel.weights, panel.colsum, panel.weight_sum, panel.bias, panel.scale, panel.zero, panel.width};
}

}  // namespace nybble::kernels
