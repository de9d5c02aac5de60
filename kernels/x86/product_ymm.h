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
//   multiply(...)    the sums of a tile over a number of quads that is a multiple of 8, to memory: a function
//   of its
//                   own, or g++ 12 spills what the code around it wants to keep
#pragma once

#include <immintrin.h>

#include "kernels/kernel_set.h"
#include "kernels/x86/panel.h"
#include "kernels/x86/row_sums_ymm.h"

namespace nybble::kernels::ymm {

/// Keeps `value` in a register and instructions in their order: g++ 12 would multiply all rows first and
/// spill.
inline void pin(__m256i& value) { __asm__ volatile("" : "+x"(value)); }

/// The quad at `Offset` bytes in row `Row` < 6 of rows whose rows 0 and 3 are given, in all elements. The
/// address is written out because g++ 12 would else advance one pointer a row: five more instructions a loop.
template <int Row, int Offset>
[[gnu::always_inline]] inline __m256i broadcast_row(const std::uint8_t* row0, const std::uint8_t* row3,
                                                    std::ptrdiff_t stride) {
  const std::uint8_t* base = Row < 3 ? row0 : row3;
  __m256i quad;
  if constexpr (Row % 3 == 0) {
    __asm__ volatile("vpbroadcastd %c2(%1), %0"
                     : "=x"(quad)
                     : "r"(base), "i"(Offset), "m"(*reinterpret_cast<const char(*)[]>(base)));
  } else {
    __asm__ volatile("vpbroadcastd %c2(%1, %3, %c4), %0"
                     : "=x"(quad)
                     : "r"(base), "i"(Offset), "r"(stride), "i"(Row % 3),
                       "m"(*reinterpret_cast<const char(*)[]>(base)));
  }
  return quad;
}

/// sum += value in sum's own register, which g++ 12 else changes, with a move back.
[[gnu::always_inline]] inline void add16(__m256i& sum, __m256i value) {
  __asm__ volatile("vpaddw %1, %0, %0" : "+x"(sum) : "x"(value));
}
[[gnu::always_inline]] inline void add32(__m256i& sum, __m256i value) {
  __asm__ volatile("vpaddd %1, %0, %0" : "+x"(sum) : "x"(value));
}

template <int Rows, int Vectors>
[[gnu::always_inline]] inline void clear(__m256i (&sum)[Rows][Vectors]) {
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; ++v) sum[r][v] = _mm256_setzero_si256();
  }
}

inline __m256i load(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
inline __m256i broadcast_quad(const std::uint8_t* a) { return _mm256_set1_epi32(load_quad(a)); }

/// Codes of a tile's rows as the core reads them, from some quad on.
struct Codes {
  const std::uint8_t* a;
  std::ptrdiff_t stride;  ///< bytes from row to row
};

/// A stretch of K: one or more blocks of row parameters, whose codes were prepared.
struct Slice {
  int begin, end;     ///< blocks of row parameters
  Codes codes;        ///< of the chunk's first row, from the slice's first k on
  const float* sums;  ///< [row][segments] Σ q of each group; where there are none kMiddle · Σ q of each block
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

/// f[r][v]: what becomes C, in memory while K lasts.
template <int Rows, int Vectors>
struct Results {
  alignas(32) float values[Rows * Vectors * 8];
  float* at(int r, int v) { return values + (r * Vectors + v) * 8; }
};

inline __m256 broadcast_float(std::int32_t whole) { return _mm256_cvtepi32_ps(_mm256_set1_epi32(whole)); }

/// float(t - zero·colsum) of one row and vector. Where t is a whole number below 2^24 (7 bits: 1024 · 255 ·
/// 64; 8 bits: 512 · 255 · 128) one fma gives the same float as the integer subtraction does, and no vpmulld
/// (two or three instructions' time) is needed.
template <class Core>
[[gnu::always_inline]] inline __m256 centred(__m256i sum, std::int32_t zero, float middle,
                                             const std::int32_t* colsum, bool small) {
  const __m256i colsums = load(colsum);
  if (Core::kWeightBits == 8 && !small)
    return _mm256_cvtepi32_ps(_mm256_sub_epi32(sum, _mm256_mullo_epi32(_mm256_set1_epi32(zero), colsums)));
  __m256 t = _mm256_cvtepi32_ps(sum);
  if (Core::kMiddle != 0) t = _mm256_sub_ps(t, _mm256_set1_ps(middle));
  return _mm256_fnmadd_ps(broadcast_float(zero - Core::kShift), _mm256_cvtepi32_ps(colsums), t);
}

/// Per channel, one block: f = fma(float(t - zero·colsum), s_row·s_col, bias).
template <class Core, int Rows, int Vectors>
[[gnu::always_inline]] inline void finish_single(const __m256i (&sum)[Rows][Vectors], const Panel& panel,
                                                 const TilePlace<Rows>& tile) {
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
    const RowScale& row = tile.rows[r];
    const float middle = Core::kMiddle == 0 ? 0 : tile.sums[r * tile.sum_stride];
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; ++v) {
      const int at = tile.column + v * 8;
      const __m256 value = centred<Core>(sum[r][v], row.zero, middle, panel.colsum + at, false);
      const __m256 both = _mm256_mul_ps(_mm256_set1_ps(row.scale), _mm256_loadu_ps(panel.scale + at));
      store_canonical(tile.c + r * tile.ldc + at,
                      _mm256_fmadd_ps(value, both, _mm256_loadu_ps(panel.bias + at)));
    }
  }
}

/// Per channel, one block of several: f = fma(float(t_b - zero_b·colsum_b), s_b, f).
template <class Core, int Rows, int Vectors>
[[gnu::always_inline]] inline void add_block(const __m256i (&sum)[Rows][Vectors], const Panel& panel,
                                             const TilePlace<Rows>& tile, int blocks, int block, int segment,
                                             Results<Rows, Vectors>& f) {
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
    const RowScale& row = tile.rows[r * blocks + block];
    const float middle = Core::kMiddle == 0 ? 0 : tile.sums[r * tile.sum_stride + segment];
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; ++v) {
      const std::int32_t* colsum = panel.colsum + block * kPanelColumns + tile.column + v * 8;
      const __m256 value = centred<Core>(sum[r][v], row.zero, middle, colsum, true);
      const __m256 before = _mm256_load_ps(f.at(r, v));
      _mm256_store_ps(f.at(r, v), _mm256_fmadd_ps(value, _mm256_set1_ps(row.scale), before));
    }
  }
}

/// A group's zero codes and scales of one vector of columns.
struct Group {
  __m256 zero, scale;
};
template <class Core>
[[gnu::always_inline]] inline Group group_of(const Panel& panel, int group, int column) {
  const std::ptrdiff_t at = std::ptrdiff_t{group} * kPanelColumns + column;
  const __m128i codes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(panel.zero + at));
  const __m256i zero = _mm256_sub_epi32(_mm256_cvtepi8_epi32(codes), _mm256_set1_epi32(Core::kGroupShift));
  return {_mm256_cvtepi32_ps(zero), _mm256_loadu_ps(panel.scale + at)};
}

/// h = fma(float(t_g), s_g, h) with t_g = sum - z·Σq: all of them are whole numbers below 2^24, so that the
/// correction is exact as a float, in one instruction instead of a multiplication and a subtraction.
[[gnu::always_inline]] inline __m256 add_group(__m256i sum, const Group& group, float codes, __m256 h) {
  const __m256 t = _mm256_fnmadd_ps(group.zero, _mm256_set1_ps(codes), _mm256_cvtepi32_ps(sum));
  return _mm256_fmadd_ps(t, group.scale, h);
}

/// After a block's groups: h = fma(-zero_b, W_b, h), f = fma(h, s_b, f).
[[gnu::always_inline]] inline __m256 add_groups(__m256 h, const RowScale& row, const float* weight_sum,
                                                __m256 f) {
  const __m256 centred = _mm256_fnmadd_ps(broadcast_float(row.zero), _mm256_loadu_ps(weight_sum), h);
  return _mm256_fmadd_ps(centred, _mm256_set1_ps(row.scale), f);
}

template <class Core, int Rows, int Vectors>
[[gnu::always_inline]] inline void fold_group(const __m256i (&sum)[Rows][Vectors], const Panel& panel,
                                              const TilePlace<Rows>& tile, int group, int segment,
                                              Results<Rows, Vectors>& h) {
#pragma GCC unroll 8
  for (int v = 0; v < Vectors; ++v) {
    const Group of = group_of<Core>(panel, group, tile.column + v * 8);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const float codes = tile.sums[r * tile.sum_stride + segment];
      _mm256_store_ps(h.at(r, v), add_group(sum[r][v], of, codes, _mm256_load_ps(h.at(r, v))));
    }
  }
}

/// A block that is one group, without h's way through memory.
template <class Core, int Rows, int Vectors>
[[gnu::always_inline]] inline void fold_block(const __m256i (&sum)[Rows][Vectors], const Panel& panel,
                                              const TilePlace<Rows>& tile, int blocks, int block, int segment,
                                              Results<Rows, Vectors>& f) {
#pragma GCC unroll 8
  for (int v = 0; v < Vectors; ++v) {
    const Group of = group_of<Core>(panel, block, tile.column + v * 8);
    const float* weight_sum = panel.weight_sum + block * kPanelColumns + tile.column + v * 8;
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const float codes = tile.sums[r * tile.sum_stride + segment];
      const __m256 h = add_group(sum[r][v], of, codes, _mm256_setzero_ps());
      const RowScale& row = tile.rows[r * blocks + block];
      _mm256_store_ps(f.at(r, v), add_groups(h, row, weight_sum, _mm256_load_ps(f.at(r, v))));
    }
  }
}

template <int Rows, int Vectors>
[[gnu::always_inline]] inline void fold_groups(Results<Rows, Vectors>& h, const Panel& panel,
                                               const TilePlace<Rows>& tile, int blocks, int block,
                                               Results<Rows, Vectors>& f) {
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; ++v) {
      const float* weight_sum = panel.weight_sum + block * kPanelColumns + tile.column + v * 8;
      _mm256_store_ps(f.at(r, v), add_groups(_mm256_load_ps(h.at(r, v)), tile.rows[r * blocks + block],
                                             weight_sum, _mm256_load_ps(f.at(r, v))));
      _mm256_store_ps(h.at(r, v), _mm256_setzero_ps());
    }
  }
}

/// f at the beginning of a slice: of the first one 0 or, in groups, the bias; else what the one before left
/// in C.
template <bool Grouped, int Rows, int Vectors>
[[gnu::always_inline]] inline void begin_results(const Panel& panel, const TilePlace<Rows>& tile, bool first,
                                                 Results<Rows, Vectors>& f) {
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; ++v) {
      const int at = tile.column + v * 8;
      const __m256 start = Grouped ? _mm256_loadu_ps(panel.bias + at) : _mm256_setzero_ps();
      _mm256_store_ps(f.at(r, v), first ? start : _mm256_loadu_ps(tile.c + r * tile.ldc + at));
    }
  }
}

/// At the end of a slice: f to C; after the last one per channel f·s_col + bias.
template <bool Grouped, int Rows, int Vectors>
[[gnu::always_inline]] inline void end_results(const Panel& panel, const TilePlace<Rows>& tile, bool last,
                                               Results<Rows, Vectors>& f) {
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; ++v) {
      const int at = tile.column + v * 8;
      float* c = tile.c + r * tile.ldc + at;
      const __m256 value = _mm256_load_ps(f.at(r, v));
      if (!last) {
        _mm256_storeu_ps(c, value);
      } else if (Grouped) {
        store_canonical(c, value);
      } else {
        const __m256 scale = _mm256_loadu_ps(panel.scale + at), bias = _mm256_loadu_ps(panel.bias + at);
        store_canonical(c, _mm256_fmadd_ps(value, scale, bias));
      }
    }
  }
}

/// The sums of one segment.
template <class Core, int Rows, int Vectors>
[[gnu::always_inline]] inline void multiply_segment(const Panel& panel, const Codes& codes,
                                                    const Depth& depth, const TilePlace<Rows>& tile,
                                                    int begin, int block, int slice_begin,
                                                    __m256i (&sum)[Rows][Vectors]) {
  const std::ptrdiff_t stride = panel.width * 4;
  const Codes from{codes.a + (begin - slice_begin) * Core::kReadBytes, codes.stride};
  const std::byte* b = panel.weights + begin / (Core::kBits == 4 ? 8 : 4) * stride + tile.column * 4;
  Core::multiply(from, reinterpret_cast<const std::int8_t*>(b), stride,
                 (depth.segment_end(begin, block) - begin) / 4, sum);
}

/// One tile of a product per channel over a slice of K. Not inlined, nor are the others below: among the code
/// around it g++ 12 spills sums. Arguments by value: a store through a
/// vector type may alias all that is behind a reference.
template <class Core, int Rows, int Vectors>
[[gnu::noinline]] void channel_tile(const Panel panel, const Codes codes, const Depth depth,
                                    const TilePlace<Rows> tile) {
  __m256i sum[Rows][Vectors];
  multiply_segment<Core>(panel, codes, depth, tile, 0, 0, 0, sum);
  finish_single<Core>(sum, panel, tile);
}

template <class Core, int Rows, int Vectors>
[[gnu::noinline]] void channel_blocks_tile(const Panel panel, const Slice slice, const Codes codes,
                                           const Depth depth, const TilePlace<Rows> tile) {
  Results<Rows, Vectors> f;
  begin_results<false>(panel, tile, slice.begin == 0, f);
  for (int block = slice.begin; block < slice.end; ++block) {
    __m256i sum[Rows][Vectors];
    multiply_segment<Core>(panel, codes, depth, tile, depth.block_begin(block), block,
                           depth.block_begin(slice.begin), sum);
    add_block<Core>(sum, panel, tile, depth.blocks, block, block - slice.begin, f);
  }
  end_results<false>(panel, tile, slice.end == depth.blocks, f);
}

/// Groups, of which a block of row parameters has one.
template <class Core, int Rows, int Vectors>
[[gnu::noinline]] void group_a_block_tile(const Panel panel, const Slice slice, const Codes codes,
                                          const Depth depth, const TilePlace<Rows> tile) {
  Results<Rows, Vectors> f;
  begin_results<true>(panel, tile, slice.begin == 0, f);
  for (int block = slice.begin; block < slice.end; ++block) {
    __m256i sum[Rows][Vectors];
    multiply_segment<Core>(panel, codes, depth, tile, depth.block_begin(block), block,
                           depth.block_begin(slice.begin), sum);
    fold_block<Core>(sum, panel, tile, depth.blocks, block, block - slice.begin, f);
  }
  end_results<true>(panel, tile, slice.end == depth.blocks, f);
}

template <class Core, int Rows, int Vectors>
[[gnu::noinline]] void group_tile(const Panel panel, const Slice slice, const Codes codes, const Depth depth,
                                  const TilePlace<Rows> tile) {
  const int slice_begin = depth.block_begin(slice.begin);
  Results<Rows, Vectors> f, h;
  begin_results<true>(panel, tile, slice.begin == 0, f);
  for (float& value : h.values) value = 0;
  const int first_group = slice_begin / depth.segment;
  int segment = 0;  // of the slice
  for (int block = slice.begin; block < slice.end; ++block) {
    const int end = depth.block_end(block);
    for (int begin = depth.block_begin(block); begin < end; begin += depth.segment, ++segment) {
      __m256i sum[Rows][Vectors];
      multiply_segment<Core>(panel, codes, depth, tile, begin, block, slice_begin, sum);
      fold_group<Core>(sum, panel, tile, first_group + segment, segment, h);
    }
    fold_groups(h, panel, tile, depth.blocks, block, f);
  }
  end_results<true>(panel, tile, slice.end == depth.blocks, f);
}

template <class Core, bool Grouped, int Rows, int Vectors>
inline void product_tile(const Panel& panel, const Slice& slice, const Codes& codes, const Depth& depth,
                         const TilePlace<Rows>& tile) {
  if constexpr (Grouped) {
    if (Core::kRowBits == 4 && depth.segment == depth.block)
      return group_a_block_tile<Core, Rows, Vectors>(panel, slice, codes, depth, tile);
    group_tile<Core, Rows, Vectors>(panel, slice, codes, depth, tile);
  } else {
    if (depth.blocks == 1) return channel_tile<Core, Rows, Vectors>(panel, codes, depth, tile);
    channel_blocks_tile<Core, Rows, Vectors>(panel, slice, codes, depth, tile);
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
  const float times = depth.grouped ? 1.0F : static_cast<float>(Core::kMiddle);
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
        at[count++] = Core::sum(whole + (k - begin), depth.segment_end(k, block) - k) * times;
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
