// The layout of packed integer weights: one layout for every instruction set (docs/packed-format.md).
//
// A linear layer y = x·Wᵀ + bias with W [N, K] is cut into panels of 64 output columns. Inside a panel the
// weights stand quad by quad (a quad is four consecutive k), and inside a quad in blocks of 16 columns × 4 k
// (64 bytes: column-major, four k of a column side by side), so that one 64-byte load feeds one `vpdpbusd
// zmm`. After the weights of a panel comes its trailer: colsum int32[k_blocks][64], scale float[64], bias
// float[64]. N is padded to a multiple of 16 (the last panel may hold 16, 32 or 48 columns) and K to a
// multiple of 64; padding weights are 0, padding columns have scale 0 and bias 0.
#pragma once

#include <cstddef>
#include <cstdint>

namespace nybble::kernels {

inline constexpr int kPanelColumns = 64;
inline constexpr int kColumnBlock = 16;
inline constexpr int kDepthPadding = 64;    ///< K is padded to a multiple of this
inline constexpr int kRowBlockDepth = 512;  ///< length along K of one block of row parameters, for K > 1024
inline constexpr int kSingleBlockDepth = 1024;  ///< up to this K a row has one block

constexpr int round_up(int value, int multiple) { return (value + multiple - 1) / multiple * multiple; }
constexpr int padded_depth(int k) { return round_up(k, kDepthPadding); }
constexpr int padded_columns(int n) { return round_up(n, kColumnBlock); }
constexpr int panel_count(int n) { return (n + kPanelColumns - 1) / kPanelColumns; }

/// Length along K of one block of row-quantization parameters (numerics: row quantization).
constexpr int row_block_depth(int k) { return k > kSingleBlockDepth ? kRowBlockDepth : k; }
/// How many such blocks a row of K values has; the last may be shorter.
constexpr int row_block_count(int k) { return (k + row_block_depth(k) - 1) / row_block_depth(k); }

/// Columns stored for panel `p` of an N-column layer: 64, or what is left padded to 16.
constexpr int panel_width(int n, int p) {
  const int left = padded_columns(n) - p * kPanelColumns;
  return left < kPanelColumns ? left : kPanelColumns;
}

/// Bytes of the 8-bit weights of panel `p`.
constexpr std::size_t panel_weight_bytes_s8(int n, int k, int p) {
  return static_cast<std::size_t>(padded_depth(k)) * static_cast<std::size_t>(panel_width(n, p));
}
/// Bytes of a panel's trailer: colsum, scale, bias.
constexpr std::size_t panel_trailer_bytes(int k) {
  return static_cast<std::size_t>(row_block_count(k) + 2) * kPanelColumns * 4;
}
/// Byte offset of panel `p` in the pack of an N × K layer. All panels but the last are full, so it is a
/// product.
constexpr std::size_t panel_offset_s8(int k, int p) {
  return static_cast<std::size_t>(p) *
         (static_cast<std::size_t>(padded_depth(k)) * kPanelColumns + panel_trailer_bytes(k));
}
/// Bytes of the whole pack.
constexpr std::size_t packed_bytes_s8(int n, int k) {
  const int last = panel_count(n) - 1;
  return panel_offset_s8(k, last) + panel_weight_bytes_s8(n, k, last) + panel_trailer_bytes(k);
}

}  // namespace nybble::kernels
