// C = A (u8) × W (s8) by vpmaddubsw on centred codes (centred_codes_avx2.h): tiles of 4 rows × 16 columns. A
// sum starts from -128·Σ s + (c - zero)·colsum and the products of the row's extra quads, so that it ends as
// t - zero·colsum.
#pragma once

#include "kernels/x86/centred_codes_avx2.h"
#include "kernels/x86/product_ymm.h"

namespace nybble::kernels::avx2 {

using ymm::Ahead;
using ymm::Codes;
using ymm::Depth;
using ymm::pin;
using ymm::TilePlace;

/// sum += the products of a quad of codes in all elements of `q` and the quads of 8 columns.
[[gnu::always_inline]] inline void add_products(__m256i& sum, __m256i weights, __m256i q, __m256i ones) {
  ymm::add32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(weights, q), ones));
}
[[gnu::always_inline]] inline __m256i unsigned_weights(const std::int8_t* b) {
  return _mm256_xor_si256(ymm::load(b), _mm256_set1_epi8(-128));
}

struct CentredCodes {
  static constexpr bool kSumsAreCentred = true;
  static constexpr int kTileRows = 4, kWeightBits = 8, kMiddle = 0, kShift = 0;
  static constexpr int vectors(int rows) { return rows == 1 ? 8 : rows == 2 ? 4 : 2; }

  template <int Rows, int Vectors>
  [[gnu::always_inline]] static void add_quad(const std::uint8_t* a, std::ptrdiff_t stride,
                                              const std::int8_t* b, __m256i (&sum)[Rows][Vectors]) {
    const __m256i ones = _mm256_set1_epi16(1);
    if constexpr (Rows <= 2) {
      __m256i q[Rows];
#pragma GCC unroll 8
      for (int r = 0; r < Rows; ++r) q[r] = ymm::broadcast_quad(a + r * stride);
#pragma GCC unroll 8
      for (int v = 0; v < Vectors; ++v) {
        const __m256i weights = unsigned_weights(b + v * 32);
#pragma GCC unroll 8
        for (int r = 0; r < Rows; ++r) add_products(sum[r][v], weights, q[r], ones);
      }
    } else {
      __m256i weights[Vectors];
#pragma GCC unroll 8
      for (int v = 0; v < Vectors; ++v) weights[v] = unsigned_weights(b + v * 32);
#pragma GCC unroll 8
      for (int r = 0; r < Rows; ++r) {
        const __m256i q = ymm::broadcast_quad(a + r * stride);
#pragma GCC unroll 8
        for (int v = 0; v < Vectors; ++v) add_products(sum[r][v], weights[v], q, ones);
      }
    }
  }

  /// The sums of `quads` quads, an even number, from where they start. Fetches in every quad, so that four
  /// tiles are enough for a panel.
  template <int Rows, int Vectors>
  [[gnu::always_inline]] static void multiply(const Codes& codes, const std::int8_t* b, std::ptrdiff_t stride,
                                              int quads, const std::int32_t* start, Ahead& ahead,
                                              __m256i (&sum)[Rows][Vectors]) {
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 8
      for (int v = 0; v < Vectors; ++v) {
        sum[r][v] = ymm::load(start + r * kPanelColumns + v * 8);
        pin(sum[r][v]);
      }
    }
    const std::uint8_t* a = codes.a;
    for (; quads > 0; quads -= 2, a += 8, b += stride * 2) {
      ahead.fetch();
      add_quad(a, codes.stride, b, sum);
      ahead.fetch();
      add_quad(a + 4, codes.stride, b + stride, sum);
    }
  }
};

/// What the sums of one block of a row start from.
struct BlockStart {
  std::int32_t sum;         ///< -128·Σ s
  std::int32_t zero;        ///< zero - c
  std::int32_t extra, end;  ///< of the row's extra quads
};

/// A chunk of rows, on the stack.
struct CentredChunk {
  static constexpr int kCodes = 128 * 1024, kExtras = kCodes / 24 + 4, kBlocks = 1024, kMostBlocks = 32;
  alignas(64) std::uint8_t codes[kCodes];  ///< [row][padded]
  alignas(
      64) std::int32_t start[kMostBlocks * CentredCodes::kTileRows * kPanelColumns];  ///< [block][row][64]
  BlockStart blocks[kBlocks];                                                         ///< [row][blocks]
  ExtraQuad extras[kExtras];
};

/// How many rows a chunk holds; 0: not even a tile's.
inline int rows_of_chunk(const GemmArgs& args, const Depth& depth) {
  const int codes = CentredChunk::kCodes / depth.padded, blocks = CentredChunk::kBlocks / depth.blocks;
  if (depth.blocks > CentredChunk::kMostBlocks) return 0;
  const int rows = (codes < blocks ? codes : blocks) / CentredCodes::kTileRows * CentredCodes::kTileRows;
  return rows < args.m ? rows : round_up(args.m, CentredCodes::kTileRows);
}

/// Codes and extra quads of rows [first, end); false where too many quads had to be cut.
inline bool prepare_chunk(const GemmArgs& args, const Depth& depth, int first, int end, CentredChunk& chunk) {
  // One quad in six: more would take longer than multiplying 16 bits does.
  const int room = (end - first) * (depth.padded / 24) + 4;
  int extras = 0;
  BlockStart* start = chunk.blocks;
  for (int row = first; row < end; ++row) {
    std::uint8_t* codes = chunk.codes + (row - first) * std::ptrdiff_t{depth.padded};
    const std::uint8_t* a = args.a + row * args.lda;
    for (int block = 0; block < depth.blocks; ++block, ++start) {
      const int begin = depth.block_begin(block), zero = args.rows[row * depth.blocks + block].zero;
      const int count = ymm::slice_codes(depth, block, block + 1);
      const int centre = centre_of(zero);
      const int more = centre_codes(a + begin, count, centre, begin / 4, codes + begin, chunk.extras + extras,
                                    room - extras);
      if (more < 0) return false;
      const int sum = static_cast<int>(ymm::sum_u8(a + begin, count)) - centre * count;
      *start = {-128 * sum, zero - centre, extras, extras + more};
      extras += more;
    }
  }
  return true;
}

/// sum += the products of a block's extra quads.
template <int Vectors>
[[gnu::always_inline]] inline void add_extras(const Panel& panel, const BlockStart& from, int column,
                                              const ExtraQuad* extras, __m256i (&sum)[1][Vectors]) {
  const std::int8_t* b = codes(panel) + column * 4;
  for (int i = from.extra; i < from.end; ++i) {
    CentredCodes::add_quad<1, Vectors>(reinterpret_cast<const std::uint8_t*>(&extras[i].codes), 0,
                                       b + std::ptrdiff_t{extras[i].quad} * panel.width * 4, sum);
  }
}

/// Where the sums of a row and block start, for 8 · Vectors columns from `column` on; with the extra quads'
/// products unless `extras` is null.
template <int Vectors>
[[gnu::always_inline]] inline void start_columns(const Panel& panel, const BlockStart& from, int block,
                                                 int column, const ExtraQuad* extras, std::int32_t* start) {
  __m256i sum[1][Vectors];
  const __m256i common = _mm256_set1_epi32(from.sum), zero = _mm256_set1_epi32(from.zero);
#pragma GCC unroll 8
  for (int v = 0; v < Vectors; ++v) sum[0][v] = common;
  if (from.zero != 0) {
    const std::int32_t* colsum = panel.colsum + block * kPanelColumns + column;
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; ++v)
      sum[0][v] = _mm256_sub_epi32(common, _mm256_mullo_epi32(zero, ymm::load(colsum + v * 8)));
  }
#pragma GCC unroll 8
  for (int v = 0; v < Vectors; ++v) pin(sum[0][v]);
  if (extras != nullptr) add_extras(panel, from, column, extras, sum);
#pragma GCC unroll 8
  for (int v = 0; v < Vectors; ++v)
    _mm256_store_si256(reinterpret_cast<__m256i*>(start + column + v * 8), sum[0][v]);
}

/// Where the sums of a row block start. A single row's extra quads come after the others: their weights would
/// come from memory one by one, as no panel is fetched ahead for it.
[[gnu::noinline]] inline void start_rows(const Panel panel, int blocks, const BlockStart* from, int rows,
                                         const ExtraQuad* extras, std::int32_t* start) {
  if (rows == 1) extras = nullptr;
  for (int row = 0; row < rows; ++row) {
    for (int block = 0; block < blocks; ++block, ++from) {
      std::int32_t* at = start + (block * rows + row) * kPanelColumns;
      if (panel.width == kPanelColumns) {
        start_columns<8>(panel, *from, block, 0, extras, at);
      } else {
        for (int column = 0; column < panel.width; column += 16)
          start_columns<2>(panel, *from, block, column, extras, at);
      }
    }
  }
}

/// One tile. Not inlined: among the code around it g++ 12 spills sums.
template <int Rows, int Vectors>
[[gnu::noinline]] void centred_tile(const Panel panel, const Codes codes, const Depth depth,
                                    const TilePlace<Rows> tile, const CentredChunk& chunk,
                                    const BlockStart* blocks, Ahead ahead) {
  const std::ptrdiff_t stride = panel.width * 4;
  const std::int8_t* b = kernels::codes(panel) + tile.column * 4;
  __m256i sum[Rows][Vectors];
  const std::int32_t* start = chunk.start + tile.column;
  if (depth.blocks == 1) {
    CentredCodes::multiply(codes, b, stride, depth.padded / 4, start, ahead, sum);
    if constexpr (Rows == 1) add_extras(panel, *blocks, tile.column, chunk.extras, sum);
    return ymm::finish_single<CentredCodes>(sum, panel, tile);
  }
  ymm::Results<Rows, Vectors> f;
  ymm::begin_results<false>(panel, tile, true, f);
  for (int block = 0; block < depth.blocks; ++block, start += Rows * kPanelColumns) {
    const int begin = depth.block_begin(block);
    const int count = ymm::slice_codes(depth, block, block + 1);
    CentredCodes::multiply({codes.a + begin, codes.stride}, b + begin / 4 * stride, stride, count / 4, start,
                           ahead, sum);
    if constexpr (Rows == 1) add_extras(panel, blocks[block], tile.column, chunk.extras, sum);
    ymm::add_block<CentredCodes>(sum, panel, tile, depth.blocks, block, 0, f);
  }
  ymm::end_results<false>(panel, tile, true, f);
}

/// All columns of a panel for a row block of `Rows` rows or fewer.
template <int Rows = CentredCodes::kTileRows>
inline void centred_rows(const GemmArgs& args, const Panel& panel, const RowBlock& rows, const Codes& codes,
                         const CentredChunk& chunk, const BlockStart* blocks, const Depth& depth,
                         ymm::NextPanel& next) {
  if constexpr (Rows > 1) {
    if (rows.count < Rows)
      return centred_rows<Rows - 1>(args, panel, rows, codes, chunk, blocks, depth, next);
  }
  constexpr int kVectors = CentredCodes::vectors(Rows);
  TilePlace<Rows> tile{rows.rows, nullptr, 0, rows.c, args.ldc, 0};
  int& column = tile.column;
  for (; column + kVectors * 8 <= panel.width; column += kVectors * 8) {
    centred_tile<Rows, kVectors>(panel, codes, depth, tile, chunk, blocks, next.ahead(depth.padded / 2));
  }
  if constexpr (kVectors > 2) {
    for (; column < panel.width; column += 16)
      centred_tile<Rows, 2>(panel, codes, depth, tile, chunk, blocks, Ahead{next.idle, 0});
  }
}

/// The product of the first rows; how many they are. The others have more large codes than this is good for.
inline int centred_gemm(const GemmArgs& args) {
  const Depth depth(args);
  const int tiles = (args.m + CentredCodes::kTileRows - 1) / CentredCodes::kTileRows;
  const int step = rows_of_chunk(args, depth) / CentredCodes::kTileRows;
  if (step == 0) return 0;
  CentredChunk chunk;
  for (int first = 0; first < tiles; first += step) {
    const int last = first + step < tiles ? first + step : tiles;
    const int row_begin = row_block(args, 0, first, tiles).row;
    const RowBlock bottom = row_block(args, 0, last - 1, tiles);
    if (!prepare_chunk(args, depth, row_begin, bottom.row + bottom.count, chunk)) return row_begin;
    for (int p = args.panel_begin; p < args.panel_end; ++p) {
      const Panel panel = panel_of(args, p);
      ymm::NextPanel next = ymm::next_panel(args, p, last - first, 16, depth.padded / 2, 4, chunk.start);
      for (int i = first; i < last; ++i) {
        const RowBlock rows = row_block(args, p, i, tiles);
        const std::ptrdiff_t below = rows.row - row_begin;
        const BlockStart* blocks = chunk.blocks + below * depth.blocks;
        start_rows(panel, depth.blocks, blocks, rows.count, chunk.extras, chunk.start);
        centred_rows(args, panel, rows, {chunk.codes + below * depth.padded, depth.padded}, chunk, blocks,
                     depth, next);
        finish(args, rows, panel.width);
      }
    }
  }
  return args.m;
}

}  // namespace nybble::kernels::avx2
