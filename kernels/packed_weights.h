// The layout of packed integer weights: one layout for every instruction set (docs/packed-format.md).
//
// A linear layer y = x·Wᵀ + bias with W [N, K] is cut into panels of 64 output columns. Inside a panel the
// weights stand quad by quad (a quad is four consecutive k), and inside a quad in blocks of 16 columns × 4 k
// (64 bytes: column-major, four k of a column side by side), so that one 64-byte load feeds one `vpdpbusd
// zmm`. With 4 bits a byte holds two codes: the low nibble that of quad 2j, the high one that of quad 2j + 1.
// After the weights of a panel comes its trailer. N is padded to a multiple of 16 (the last panel may hold
// 16, 32 or 48 columns) and K to a multiple of 64; padding weights have the code that stands for 0, padding
// columns have scale 0 and bias 0.
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

/// How the weights of a pack are coded. Per channel (group 0) a channel has one scale and its codes are
/// symmetric; in groups every `group` weights along K have a scale and a zero code of their own.
struct PackFormat {
  int bits = 8;   ///< 8, 7, 6, 5: a signed byte each; 4: two a byte, as unsigned codes
  int group = 0;  ///< 0, or with 4 and 5 bits 32, 64 or 128
  int row_block =
      0;  ///< length along K of the blocks of row parameters that the activations have: 0 (means
          ///< row_block_depth(K)), or with 4-bit rows 32, 64 or 128: then `group` is 0 or the same

  friend constexpr bool operator==(const PackFormat&, const PackFormat&) = default;
};

/// The least and greatest stored code: -128..127 for 8 bits, -16..15 for 5, 0..15 for 4.
constexpr int least_code(const PackFormat& format) {
  return format.bits == 4 ? 0 : -(1 << (format.bits - 1));
}
constexpr int greatest_code(const PackFormat& format) {
  return format.bits == 4 ? 15 : (1 << (format.bits - 1)) - 1;
}
/// The code that stands for 0 in a symmetric format, and in the padding.
constexpr int middle_code(const PackFormat& format) { return format.bits == 4 ? 8 : 0; }

constexpr int row_block_depth(int k, const PackFormat& format) {
  return format.row_block == 0 ? row_block_depth(k) : format.row_block < k ? format.row_block : k;
}
constexpr int row_block_count(int k, const PackFormat& format) {
  return (k + row_block_depth(k, format) - 1) / row_block_depth(k, format);
}
/// Groups along K, 0 for a format without; the last may be shorter. A block of row parameters holds whole
/// groups (the last of each block may be shorter where a row has one block).
constexpr int group_count(int k, const PackFormat& format) {
  return format.group == 0 ? 0 : (k + format.group - 1) / format.group;
}

/// Bytes of the codes of panel `p`.
constexpr std::size_t panel_weight_bytes(int n, int k, int p, const PackFormat& format = {}) {
  const std::size_t codes =
      static_cast<std::size_t>(padded_depth(k)) * static_cast<std::size_t>(panel_width(n, p));
  return format.bits == 4 ? codes / 2 : codes;
}
/// Bytes of a panel's trailer. Per channel: colsum int32 [blocks][64], scale float [64], bias float [64].
/// In groups: weight_sum float [blocks][64], bias float [64], scale float [groups][64], zero int8
/// [groups][64].
constexpr std::size_t panel_trailer_bytes(int k, const PackFormat& format = {}) {
  const auto blocks = static_cast<std::size_t>(row_block_count(k, format));
  const auto groups = static_cast<std::size_t>(group_count(k, format));
  return format.group == 0 ? (blocks + 2) * kPanelColumns * 4
                           : (blocks + 1) * kPanelColumns * 4 + groups * kPanelColumns * 5;
}
/// Byte offset of panel `p` in the pack of an N × K layer. All panels but the last are full, so it is a
/// product.
constexpr std::size_t panel_offset(int k, int p, const PackFormat& format = {}) {
  return static_cast<std::size_t>(p) *
         (panel_weight_bytes(kPanelColumns, k, 0, format) + panel_trailer_bytes(k, format));
}
/// Bytes of the whole pack.
constexpr std::size_t packed_bytes(int n, int k, const PackFormat& format = {}) {
  const int last = panel_count(n) - 1;
  return panel_offset(k, last, format) + panel_weight_bytes(n, k, last, format) +
         panel_trailer_bytes(k, format);
}

}  // namespace nybble::kernels
