// What the integer products of sixteen ymm registers share: how rows, K and columns are walked, and what
// becomes of the sums (tile_ymm.h). What differs, from codes to sums, is a Core:
//
//   kTileRows        most rows of a tile
//   vectors(rows)    vectors of 8 columns of such a tile
//   kMiddle          what the core takes off a stored code less than it should: t = sum - kMiddle · Σ q
//   kShift           what it takes off a row's code: the zero point is that much less
//   kCodeBytes       bytes a code in the prepared rows; 0: rows are read as they are
//   kSums            whether Σ q is needed per channel too (in groups it always is)
//   prepare(...)     one row of prepared codes
//   multiply(...)    the sums of a tile over quads (a multiple of 8), with an Ahead::fetch every second quad
#pragma once

#include "kernels/x86/tile_ymm.h"

namespace nybble::kernels::ymm {

/// What a tile fetches into L2 of the next panel: the line at `at` every second quad. Not all at once,
/// between tiles: they would wait for each other.
struct Ahead {
  const char* at;
  std::ptrdiff_t step;

  [[gnu::always_inline]] void fetch() {
    _mm_prefetch(at, _MM_HINT_T1);
    at += step;
  }
};

/// The next panel, which the first tiles of a panel fetch.
struct NextPanel {
  const char* at;
  int tiles;            ///< that are to fetch
  std::ptrdiff_t step;  ///< of each
  const char* idle;     ///< in L1: the others fetch nothing

  Ahead ahead(int quads) {
    if (tiles == 0) return {idle, 0};
    --tiles;
    const char* from = at;
    at += quads / 2 * step;
    return {from, step};
  }
};

/// Of panel p, whose tiles are `row_blocks` times those of `columns` columns, over `quads` quads. `least` to
/// 16 share it, a line every second to fourth quad. With fewer each would have to fetch so much that it
/// waits; a single row reads weights as fast as they come anyway.
inline NextPanel next_panel(const GemmArgs& args, int p, int row_blocks, int columns, int quads, int least,
                            const void* idle) {
  const auto* stay = static_cast<const char*>(idle);
  const int all = row_blocks * (kPanelColumns / columns), tiles = all < 16 ? all : 16;
  if (p + 1 >= args.panel_end || tiles < least || args.m == 1) return {stay, 0, 0, stay};
  const std::size_t bytes =
      panel_weight_bytes(args.n, args.k, p + 1, args.format) + panel_trailer_bytes(args.k, args.format);
  const std::ptrdiff_t turns = std::ptrdiff_t{tiles} * (quads / 2);
  const std::ptrdiff_t step = (static_cast<std::ptrdiff_t>(bytes) + turns - 1) / turns;
  const auto* at = reinterpret_cast<const char*>(args.b + panel_offset(args.k, p + 1, args.format));
  return {at, tiles, step < 64 ? step : 64, stay};
}

/// The sums of one segment.
template <class Core, int Rows, int Vectors>
[[gnu::always_inline]] inline void multiply_segment(const Panel& panel, const Codes& codes,
                                                    const Depth& depth, const TilePlace<Rows>& tile,
                                                    int begin, int block, int slice_begin, Ahead& ahead,
                                                    __m256i (&sum)[Rows][Vectors]) {
  const std::ptrdiff_t stride = panel.width * 4;
  const Codes from{codes.a + (begin - slice_begin) * Core::kReadBytes, codes.stride};
  const std::byte* b = panel.weights + begin / (Core::kBits == 4 ? 8 : 4) * stride + tile.column * 4;
  Core::multiply(from, reinterpret_cast<const std::int8_t*>(b), stride,
                 (depth.segment_end(begin, block) - begin) / 4, ahead, sum);
}

/// One tile of a product per channel over a slice of K. Not inlined, nor are the others below: among the code
/// around it g++ 12 spills sums. Arguments by value: a store through a vector type may alias all that is
/// behind a reference.
template <class Core, int Rows, int Vectors>
[[gnu::noinline]] void channel_tile(const Panel panel, const Codes codes, const Depth depth,
                                    const TilePlace<Rows> tile, Ahead ahead) {
  __m256i sum[Rows][Vectors];
  multiply_segment<Core>(panel, codes, depth, tile, 0, 0, 0, ahead, sum);
  finish_single<Core>(sum, panel, tile);
}

/// A tile in segments that are the blocks of row parameters: per channel, or (Grouped) groups of that length.
template <class Core, bool Grouped, int Rows, int Vectors>
[[gnu::noinline]] void blocks_tile(const Panel panel, const Slice slice, const Codes codes, const Depth depth,
                                   const TilePlace<Rows> tile, Ahead ahead) {
  Results<Rows, Vectors> f;
  begin_results<Grouped>(panel, tile, slice.begin == 0, f);
  for (int block = slice.begin; block < slice.end; ++block) {
    __m256i sum[Rows][Vectors];
    multiply_segment<Core>(panel, codes, depth, tile, depth.block_begin(block), block,
                           depth.block_begin(slice.begin), ahead, sum);
    if constexpr (Grouped) {
      fold_block<Core>(sum, panel, tile, depth.blocks, block, block - slice.begin, f);
    } else {
      add_block<Core>(sum, panel, tile, depth.blocks, block, block - slice.begin, f);
    }
  }
  end_results<Grouped>(panel, tile, slice.end == depth.blocks, f);
}

/// Several groups a block of row parameters.
template <class Core, int Rows, int Vectors>
[[gnu::noinline]] void group_tile(const Panel panel, const Slice slice, const Codes codes, const Depth depth,
                                  const TilePlace<Rows> tile, Ahead ahead) {
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
      multiply_segment<Core>(panel, codes, depth, tile, begin, block, slice_begin, ahead, sum);
      fold_group<Core>(sum, panel, tile, first_group + segment, segment, h);
    }
    fold_groups(h, panel, tile, depth.blocks, block, f);
  }
  end_results<true>(panel, tile, slice.end == depth.blocks, f);
}

template <class Core, bool Grouped, int Rows, int Vectors>
inline void product_tile(const Panel& panel, const Slice& slice, const Codes& codes, const Depth& depth,
                         const TilePlace<Rows>& tile, Ahead ahead) {
  if constexpr (Grouped) {
    if (Core::kRowBits == 4 && depth.segment == depth.block)
      return blocks_tile<Core, true, Rows, Vectors>(panel, slice, codes, depth, tile, ahead);
    group_tile<Core, Rows, Vectors>(panel, slice, codes, depth, tile, ahead);
  } else {
    if (depth.blocks == 1) return channel_tile<Core, Rows, Vectors>(panel, codes, depth, tile, ahead);
    blocks_tile<Core, false, Rows, Vectors>(panel, slice, codes, depth, tile, ahead);
  }
}

/// Codes of blocks [begin, end) of a row, with the padding after the last.
inline int slice_codes(const Depth& depth, int begin, int end) {
  return (end < depth.blocks ? depth.block_begin(end) : depth.padded) - depth.block_begin(begin);
}

/// All columns of a panel for a row block. Few rows take more columns at a time, so that as many sums are
/// under way; a panel narrower than 64 takes tiles of its smallest part.
template <class Core, bool Grouped, int Rows>
inline void product_rows(const GemmArgs& args, const Panel panel, const RowBlock rows, const Slice& slice,
                         const Codes codes, const float* sums, const Depth& depth, NextPanel& next) {
  constexpr int kVectors = Core::vectors(Rows);
  TilePlace<Rows> tile{rows.rows, sums, slice.sum_stride, rows.c, args.ldc, 0};
  int& column = tile.column;
  const int quads = slice_codes(depth, slice.begin, slice.end) / 4;
  for (; column + kVectors * 8 <= panel.width; column += kVectors * 8) {
    product_tile<Core, Grouped, Rows, kVectors>(panel, slice, codes, depth, tile, next.ahead(quads));
  }
  if constexpr (kVectors > 2) {
    for (; column < panel.width; column += 16)
      product_tile<Core, Grouped, Rows, 2>(panel, slice, codes, depth, tile, Ahead{next.idle, 0});
  }
}

template <class Core, bool Grouped, int Rows = Core::kTileRows>
inline void product_of_rows(const GemmArgs& args, const Panel& panel, const RowBlock& rows,
                            const Slice& slice, const Codes& codes, const float* sums, const Depth& depth,
                            NextPanel& next) {
  if constexpr (Rows > 1) {
    if (rows.count < Rows)
      return product_of_rows<Core, Grouped, Rows - 1>(args, panel, rows, slice, codes, sums, depth, next);
  }
  product_rows<Core, Grouped, Rows>(args, panel, rows, slice, codes, sums, depth, next);
}

/// Stack of a product: codes of a chunk of rows as the core wants them, and their sums. All weights pass by
/// once a chunk: 128 KB hold 18 rows of 16-bit codes of K = 3072, where 24 KB would make three passes of 16
/// rows.
struct Prepared {
  alignas(64) std::uint8_t codes[128 * 1024];
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
/// `above` rows stand over these in the C that the epilogue knows.
template <class Core, bool Grouped>
void gemm(const GemmArgs& args, int above = 0) noexcept {
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
        NextPanel next = next_panel(args, p, last - first, 8 * Core::vectors(Core::kTileRows),
                                    slice_codes(depth, block, block_end) / 4, 8, prepared.sums);
        for (int i = first; i < last; ++i) {
          RowBlock rows = row_block(args, p, i, tiles);
          const std::ptrdiff_t below = rows.row - row_begin;
          product_of_rows<Core, Grouped>(args, panel, rows, slice,
                                         {slice.codes.a + below * slice.codes.stride, slice.codes.stride},
                                         slice.sums + below * slice.sum_stride, depth, next);
          rows.row += above;
          if (block_end == depth.blocks) finish(args, rows, panel.width);
        }
      }
    }
  }
}

}  // namespace nybble::kernels::ymm
