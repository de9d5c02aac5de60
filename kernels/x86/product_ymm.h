// What the integer products of sixteen ymm registers share: how rows, K and columns are walked, and what
// becomes of the sums. What differs, from codes to sums, is a Core:
//
//   kTileRows        most rows of a tile
//   vectors(rows)    vectors of 8 columns of such a tile
//   kMiddle          what the core takes off a stored code less than it should: t = sum - kMiddle · Σ q
//   kShift           what it takes off a row's code: the zero point is that much less
//   kCodeBytes       bytes a code in the prepared rows; 0: rows are read as they are
//   kSums            whether Σ q is needed per channel too (in groups it always is)
//   prepare(...)     one row of prepared codes
//   multiply(...)    the sums of a tile over a number of quads that is a multiple of 8
#pragma once

#include <immintrin.h>

#include "kernels/kernel_set.h"
#include "kernels/x86/panel.h"
#include "kernels/x86/row_sums_ymm.h"

namespace nybble::kernels::ymm {

/// Keeps `value` in a register and instructions in their order: g++ 12 would multiply all rows first and
/// spill.
inline void pin(__m256i& value) { __asm__ volatile("" : "+x"(value)); }

inline __m256i load(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
inline __m256i broadcast_quad(const std::uint8_t* a) { return _mm256_set1_epi32(load_quad(a)); }

/// Codes of a tile's rows as the core reads them, from some quad on.
struct Codes {
  const std::uint8_t* a;
  std::ptrdiff_t stride;  ///< bytes from row to row
};

/// A stretch of K: one or more blocks of row parameters, whose codes were prepared.
struct Slice {
  int begin, end;             ///< blocks of row parameters
  Codes codes;                ///< of the chunk's first row, from the slice's first k on
  const float* sums;          ///< [row][segments] Σ q of each group, or block where there are none
  std::ptrdiff_t sum_stride;  ///< from row to row
};

inline void store_canonical(float* c, __m256 value) {
  const __m256 nan = _mm256_castsi256_ps(_mm256_set1_epi32(0x7FC00000));
  _mm256_storeu_ps(c, _mm256_blendv_ps(value, nan, _mm256_cmp_ps(value, value, _CMP_UNORD_Q)));
}

/// K in blocks of row parameters and segments (groups, or the blocks themselves), in values of k. Segments
/// end at multiples of 32: what they hold beyond K is padding, whose products are 0.
struct Depth {
  int k, padded, block, blocks, segment;
  bool grouped;

  explicit Depth(const GemmArgs& args)
      : k(args.k),
        padded(padded_depth(args.k)),
        block(row_block_depth(args.k, args.format)),
        blocks(row_block_count(args.k, args.format)),
        segment(args.format.group == 0 ? block : args.format.group),
        grouped(args.format.group != 0) {}

  int block_begin(int b) const { return b * block; }
  int block_end(int b) const { return b + 1 < blocks ? (b + 1) * block : k; }
  /// Where a segment of block b that begins at `begin` ends.
  int segment_end(int begin, int b) const {
    const int end = begin + segment < block_end(b) ? begin + segment : block_end(b);
    return round_up(end, 32);
  }
};

/// Where a tile stands.
template <int Rows>
struct TilePlace {
  const RowScale* rows;  ///< [Rows][blocks]
  const float* sums;     ///< [Rows][..] from the slice's first segment on
  std::ptrdiff_t sum_stride;
  float* c;
  std::ptrdiff_t ldc;
  int column;  ///< in the panel
};

/// Per channel: f = fma(float(t - zero·colsum), s_row·s_col, bias), or for one block of several
/// f = fma(float(t_b - zero_b·colsum_b), s_b, f) in C, and after the last f·s_col + bias.
template <class Core, int Rows, int Vectors>
[[gnu::always_inline]] inline void finish_channels(const __m256i (&sum)[Rows][Vectors], const Panel& panel,
                                                   const TilePlace<Rows>& tile, const Depth& depth, int block,
                                                   int segment) {
#pragma GCC unroll 8
  for (int v = 0; v < Vectors; ++v) {
    const int at = tile.column + v * 8;
    const __m256 scale = _mm256_loadu_ps(panel.scale + at), bias = _mm256_loadu_ps(panel.bias + at);
    const __m256i colsum = load(panel.colsum + block * kPanelColumns + at);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const RowScale& row = tile.rows[r * depth.blocks + block];
      __m256i t =
          _mm256_sub_epi32(sum[r][v], _mm256_mullo_epi32(_mm256_set1_epi32(row.zero - Core::kShift), colsum));
      if (Core::kMiddle != 0) {
        const auto middle =
            static_cast<std::int32_t>(tile.sums[r * tile.sum_stride + segment]) * Core::kMiddle;
        t = _mm256_sub_epi32(t, _mm256_set1_epi32(middle));
      }
      const __m256 value = _mm256_cvtepi32_ps(t);
      float* c = tile.c + r * tile.ldc + at;
      if (depth.blocks == 1) {
        const __m256 both = _mm256_mul_ps(_mm256_set1_ps(row.scale), scale);
        store_canonical(c, _mm256_fmadd_ps(value, both, bias));
        continue;
      }
      const __m256 before = block == 0 ? _mm256_setzero_ps() : _mm256_loadu_ps(c);
      const __m256 f = _mm256_fmadd_ps(value, _mm256_set1_ps(row.scale), before);
      if (block + 1 < depth.blocks) {
        _mm256_storeu_ps(c, f);
      } else {
        store_canonical(c, _mm256_fmadd_ps(f, scale, bias));
      }
    }
  }
}

/// h = fma(float(t_g), s_g, h) with t_g = sum - z·Σq: all of them are whole numbers below 2^24, so that the
/// correction is exact as a float, in one instruction instead of a multiplication and a subtraction.
template <class Core, int Rows, int Vectors>
[[gnu::always_inline]] inline void fold_group(const __m256i (&sum)[Rows][Vectors], const Panel& panel,
                                              const TilePlace<Rows>& tile, int group, int segment, bool first,
                                              float* h) {
#pragma GCC unroll 8
  for (int v = 0; v < Vectors; ++v) {
    const std::ptrdiff_t at = std::ptrdiff_t{group} * kPanelColumns + tile.column + v * 8;
    const __m128i codes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(panel.zero + at));
    const __m256i middle = _mm256_set1_epi32(Core::kGroupShift);
    const __m256 zero = _mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_cvtepi8_epi32(codes), middle));
    const __m256 scale = _mm256_loadu_ps(panel.scale + at);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      float* place = h + (r * Vectors + v) * 8;
      const __m256 q = _mm256_set1_ps(tile.sums[r * tile.sum_stride + segment]);
      const __m256 t = _mm256_fnmadd_ps(zero, q, _mm256_cvtepi32_ps(sum[r][v]));
      const __m256 before = first ? _mm256_setzero_ps() : _mm256_load_ps(place);
      _mm256_store_ps(place, _mm256_fmadd_ps(t, scale, before));
    }
  }
}

/// After the groups of a block: h = fma(-zero_b, W_b, h), f = fma(h, s_b, f), f from the bias on, in C.
template <int Rows, int Vectors>
[[gnu::always_inline]] inline void finish_groups(const float* h, const Panel& panel,
                                                 const TilePlace<Rows>& tile, const Depth& depth, int block) {
#pragma GCC unroll 8
  for (int v = 0; v < Vectors; ++v) {
    const int at = tile.column + v * 8;
    const __m256 weight_sum = _mm256_loadu_ps(panel.weight_sum + block * kPanelColumns + at);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const RowScale& row = tile.rows[r * depth.blocks + block];
      float* c = tile.c + r * tile.ldc + at;
      const __m256 before = _mm256_loadu_ps(block == 0 ? panel.bias + at : c);
      const __m256 zero = _mm256_set1_ps(static_cast<float>(row.zero));
      const __m256 centred = _mm256_fnmadd_ps(zero, weight_sum, _mm256_load_ps(h + (r * Vectors + v) * 8));
      const __m256 f = _mm256_fmadd_ps(centred, _mm256_set1_ps(row.scale), before);
      if (block + 1 < depth.blocks) {
        _mm256_storeu_ps(c, f);
      } else {
        store_canonical(c, f);
      }
    }
  }
}

/// One tile over a slice of K.
template <class Core, bool Grouped, int Rows, int Vectors>
inline void product_tile(const Panel& panel, const Slice& slice, const Codes& codes, const Depth& depth,
                         const TilePlace<Rows>& tile) {
  constexpr int kPerByte = Core::kBits == 4 ? 2 : 1;
  const std::ptrdiff_t stride = panel.width * 4;
  const int slice_begin = depth.block_begin(slice.begin);
  int segment = 0;
  for (int block = slice.begin; block < slice.end; ++block) {
    alignas(32) float h[Grouped ? Rows * Vectors * 8 : 8];
    const int block_end = depth.block_end(block);
    for (int begin = depth.block_begin(block); begin < block_end; begin += depth.segment, ++segment) {
      __m256i sum[Rows][Vectors];
      const Codes from{codes.a + (begin - slice_begin) * Core::kReadBytes, codes.stride};
      const std::byte* b = panel.weights + begin / kPerByte / 4 * stride + tile.column * 4;
      const int quads = (depth.segment_end(begin, block) - begin) / 4;
      Core::multiply(from, reinterpret_cast<const std::int8_t*>(b), stride, quads, sum);
      if constexpr (Grouped) {
        fold_group<Core>(sum, panel, tile, begin / depth.segment, segment, begin == depth.block_begin(block),
                         h);
      } else {
        finish_channels<Core>(sum, panel, tile, depth, block, segment);
      }
    }
    if constexpr (Grouped) finish_groups<Rows, Vectors>(h, panel, tile, depth, block);
  }
}

/// All columns of a panel for a row block. Few rows take more columns at a time, so that as many sums are
/// under way; a panel narrower than 64 takes tiles of its smallest part.
template <class Core, bool Grouped, int Rows>
inline void product_rows(const GemmArgs& args, const Panel panel, const RowBlock rows, const Slice& slice,
                         const Codes codes, const float* sums, const Depth& depth) {
  constexpr int kVectors = Core::vectors(Rows);
  TilePlace<Rows> tile{rows.rows, sums, slice.sum_stride, rows.c, args.ldc, 0};
  int& column = tile.column;
  for (; column + kVectors * 8 <= panel.width; column += kVectors * 8)
    product_tile<Core, Grouped, Rows, kVectors>(panel, slice, codes, depth, tile);
  if constexpr (kVectors > 2) {
    for (; column < panel.width; column += 16)
      product_tile<Core, Grouped, Rows, 2>(panel, slice, codes, depth, tile);
  }
}

template <class Core, bool Grouped, int Rows = Core::kTileRows>
inline void product_of_rows(const GemmArgs& args, const Panel& panel, const RowBlock& rows,
                            const Slice& slice, const Codes& codes, const float* sums, const Depth& depth) {
  if constexpr (Rows > 1) {
    if (rows.count < Rows)
      return product_of_rows<Core, Grouped, Rows - 1>(args, panel, rows, slice, codes, sums, depth);
  }
  product_rows<Core, Grouped, Rows>(args, panel, rows, slice, codes, sums, depth);
}

/// Stack of a product: codes of a chunk of rows as the core wants them, and their sums.
struct Prepared {
  alignas(64) std::uint8_t codes[24 * 1024];
  alignas(64) float sums[1024];
};

/// How rows and K are cut so that what is prepared fits the stack: at least one tile of rows.
struct Cut {
  int rows;    ///< of a chunk
  int blocks;  ///< of row parameters, of a slice

  template <class Core>
  static Cut of(const GemmArgs& args, const Depth& depth, bool sums) {
    if (Core::kCodeBytes == 0 && !sums) return {round_up(args.m, Core::kTileRows), depth.blocks};
    const int segments = (depth.block + depth.segment - 1) / depth.segment;  // of a block
    const int bytes = (depth.blocks == 1 ? depth.padded : depth.block) * Core::kCodeBytes;
    int blocks = depth.blocks;
    const auto fits = [&](int rows) {
      return rows * blocks * bytes <= int{sizeof(Prepared::codes)} && rows * blocks * segments <= 1024;
    };
    while (blocks > 2 && !fits(Core::kTileRows)) blocks = round_up((blocks + 1) / 2, 2);
    int rows = Core::kTileRows;
    while (rows < args.m && fits(rows + Core::kTileRows)) rows += Core::kTileRows;
    return {rows, blocks};
  }
};

/// Prepares rows [first, end) of a slice: their codes and the sums of their segments.
template <class Core>
inline Slice prepare(const GemmArgs& args, const Depth& depth, int first, int end, int block_begin,
                     int block_end, bool sums, Prepared& prepared) {
  const int begin = depth.block_begin(block_begin);
  const int stop = block_end < depth.blocks ? depth.block_begin(block_end) : depth.padded;
  const std::ptrdiff_t stride = (stop - begin) * Core::kCodeBytes;
  std::ptrdiff_t segments = 0;
  for (int row = first; row < end; ++row) {
    const std::uint8_t* a = args.a + row * args.lda + begin * Core::kRowBits / 8;
    std::uint8_t* codes = prepared.codes + (row - first) * stride;
    if constexpr (Core::kCodeBytes != 0) Core::prepare(a, stop - begin, codes);
    if (!sums) continue;
    const std::uint8_t* whole = Core::kCodeBytes == 0 ? a : codes;
    float* at = prepared.sums + (row - first) * segments;
    std::ptrdiff_t count = 0;
    for (int block = block_begin; block < block_end; ++block) {
      for (int k = depth.block_begin(block); k < depth.block_end(block); k += depth.segment)
        at[count++] = Core::sum(whole + (k - begin), depth.segment_end(k, block) - k);
    }
    segments = count;
  }
  const Codes codes = Core::kCodeBytes == 0 ? Codes{args.a + first * args.lda + begin, args.lda}
                                            : Codes{prepared.codes, stride};
  return {block_begin, block_end, codes, prepared.sums, segments};
}

/// The product. Chunks of rows are the outer loop, so that a row is prepared once and not once a panel.
template <class Core, bool Grouped>
void gemm(const GemmArgs& args) noexcept {
  constexpr bool kSums = Grouped || Core::kMiddle != 0;
  const Depth depth(args);
  const Cut cut = Cut::of<Core>(args, depth, kSums);
  const int tiles = (args.m + Core::kTileRows - 1) / Core::kTileRows, chunk = cut.rows / Core::kTileRows;
  Prepared prepared;
  for (int first = 0; first < tiles; first += chunk) {
    const int last = first + chunk < tiles ? first + chunk : tiles;
    const int row_begin = row_block(args, 0, first, tiles).row;
    const RowBlock bottom = row_block(args, 0, last - 1, tiles);
    for (int block = 0; block < depth.blocks; block += cut.blocks) {
      const int block_end = block + cut.blocks < depth.blocks ? block + cut.blocks : depth.blocks;
      const Slice slice =
          prepare<Core>(args, depth, row_begin, bottom.row + bottom.count, block, block_end, kSums, prepared);
      for (int p = args.panel_begin; p < args.panel_end; ++p) {
        const Panel panel = panel_of(args, p);
        for (int i = first; i < last; ++i) {
          const RowBlock rows = row_block(args, p, i, tiles);
          const std::ptrdiff_t below = rows.row - row_begin;
          product_of_rows<Core, Grouped>(args, panel, rows, slice,
                                         {slice.codes.a + below * slice.codes.stride, slice.codes.stride},
                                         slice.sums + below * slice.sum_stride, depth);
          if (block_end == depth.blocks) finish(args, rows, panel.width);
        }
      }
    }
  }
}

}  // namespace nybble::kernels::ymm
