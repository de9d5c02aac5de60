// Finished sums to floats, on zmm registers: what the products of every set with AVX-512 share.
//
// A tile has Rows rows and Blocks blocks of 16 columns; sum[r][j] holds the exact int32 sums of row r and
// block j. How the sums came about is the business of each product.
#pragma once

#include <immintrin.h>

#include "kernels/kernel_set.h"
#include "kernels/x86/panel.h"

namespace nybble::kernels::avx512 {

/// Keeps `value` in a register: without it g++ 12 spills accumulators of the larger tiles (86 % of peak
/// instead of 96).
inline void pin(__m512i& value) { __asm__ volatile("" : "+v"(value)); }

/// The columns of a panel from `column` on, `stride` bytes from one quad (4 bits: pair of quads) to the next.
struct Strip {
  const std::byte* weights;
  Panel panel;  ///< its pointers to the trailer stand at `column`
  std::ptrdiff_t stride;
  int column;
  const std::byte* far;     ///< what this pass fetches into L2 begins here,
  std::ptrdiff_t far_step;  ///< so many bytes a pair of quads
  bool may_be_nan;  ///< whether scales of rows and columns together can give NaN; only with one K block
};

inline Strip strip_of(Panel panel, int column) {
  if (panel.colsum != nullptr) panel.colsum += column;
  if (panel.weight_sum != nullptr) panel.weight_sum += column;
  if (panel.zero != nullptr) panel.zero += column;
  panel.bias += column, panel.scale += column;
  return {panel.weights + column * 4, panel, panel.width * 4, column, panel.weights, 0, false};
}

/// Makes the next read of memory a load again: g++ would rather keep what it broadcast, and spill sums.
inline void forget() { __asm__ volatile("" : : : "memory"); }

/// How far ahead of their use weights are fetched that only run past once, often from memory: at 50 GB/s and
/// 100 ns that is 5 KB under way, and the end of a panel takes some more.
inline constexpr std::ptrdiff_t kStreamAhead = 8192;

/// Sums start at -zero·colsum of K block `block` (`rows` stands at its parameters, `blocks` a row): what
/// would be an addition at the end costs nothing here, where the multipliers still work on the tile before.
template <int Rows, int Blocks>
[[gnu::always_inline]] inline void start_centred(const Strip& strip, const RowScale* rows, int block,
                                                 int blocks, __m512i (&sum)[Rows][Blocks]) {
#pragma GCC unroll 4
  for (int j = 0; j < Blocks; ++j) {
    const __m512i colsum = _mm512_loadu_si512(strip.panel.colsum + block * kPanelColumns + j * 16);
    const __m512i negative = _mm512_sub_epi32(_mm512_setzero_si512(), colsum);
    const RowScale* row = rows;
    forget();
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r, row += blocks) {
      sum[r][j] = _mm512_mullo_epi32(_mm512_set1_epi32(row->zero), negative);
    }
  }
}

template <int Rows, int Blocks>
[[gnu::always_inline]] inline void start_at_zero(__m512i (&sum)[Rows][Blocks]) {
#pragma GCC unroll 16
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (int j = 0; j < Blocks; ++j) sum[r][j] = _mm512_setzero_si512();
  }
}

inline void store_canonical(float* c, __m512 value) {
  const __m512 nan = _mm512_castsi512_ps(_mm512_set1_epi32(0x7FC00000));
  const __mmask16 number = _mm512_cmp_ps_mask(value, value, _CMP_ORD_Q);
  _mm512_storeu_ps(c, _mm512_mask_mov_ps(nan, number, value));
}

/// Writes NaN in one way, in a pass of its own over a tile because it is needed next to never: in the finish
/// of a short K it would be two of six instructions.
[[gnu::noinline, gnu::cold]] inline void make_canonical(float* c, std::ptrdiff_t ldc, int rows, int cols) {
  for (int r = 0; r < rows; ++r) {
    for (int j = 0; j < cols; j += 16) store_canonical(c + r * ldc + j, _mm512_loadu_ps(c + r * ldc + j));
  }
}

/// The bits of the greatest |scale| of a row; NaN is above infinity.
inline std::uint32_t greatest_row_scale(const GemmArgs& args) {
  std::uint32_t greatest = 0;
  for (int r = 0; r < args.m * row_block_count(args.k, args.format); ++r) {
    const std::uint32_t bits = __builtin_bit_cast(std::uint32_t, args.rows[r].scale) & 0x7FFFFFFFU;
    greatest = bits > greatest ? bits : greatest;
  }
  return greatest;
}

/// Whether a row's scale times a column's can be infinite or NaN: only then can fma(t, s_row·s_col, bias) be
/// NaN.
inline bool may_be_nan(std::uint32_t row_scale, const float* column_scale, int columns) {
  const __m512 row = _mm512_set1_ps(__builtin_bit_cast(float, row_scale));
  const __m512 infinity = _mm512_castsi512_ps(_mm512_set1_epi32(0x7F800000));
  __mmask16 finite = 0xFFFF;
  for (int j = 0; j < columns; j += 16) {
    const __m512 scale = _mm512_abs_ps(_mm512_loadu_ps(column_scale + j));
    finite &= _mm512_cmp_ps_mask(_mm512_mul_ps(row, scale), infinity, _CMP_LT_OQ);
  }
  return finite != 0xFFFF;
}

/// f = fma(t - zero·colsum, s_row·s_col, bias): rows of one K block, from sums that start_centred began. May
/// store any NaN.
template <int Rows, int Blocks>
[[gnu::always_inline]] inline void finish_single(const __m512i (&sum)[Rows][Blocks], const Strip& strip,
                                                 const RowBlock& rows, std::ptrdiff_t ldc) {
#pragma GCC unroll 4
  for (int j = 0; j < Blocks; ++j) {
    const __m512 scale = _mm512_loadu_ps(strip.panel.scale + j * 16);
    const __m512 bias = _mm512_loadu_ps(strip.panel.bias + j * 16);
    float* c = rows.c + j * 16;
    forget();
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r, c += ldc) {
      const __m512 both = _mm512_mul_ps(_mm512_set1_ps(rows.rows[r].scale), scale);
      _mm512_storeu_ps(c, _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[r][j]), both, bias));
    }
  }
}

/// A K block of several: f = fma(t_b - zero_b·colsum_b, s_b, f) in C, from 0 at the first, and after the last
/// f·s_col + bias. `row` stands at the block's parameters, `blocks` a row.
template <int Rows, int Blocks>
[[gnu::always_inline]] inline void finish_block(const __m512i (&sum)[Rows][Blocks], const Strip& strip,
                                                const RowScale* rows, int blocks, float* to,
                                                std::ptrdiff_t ldc, bool first, bool last) {
#pragma GCC unroll 4
  for (int j = 0; j < Blocks; ++j) {
    float* c = to + j * 16;
    const RowScale* row = rows;
    forget();
    if (last) {
      const __m512 scale = _mm512_loadu_ps(strip.panel.scale + j * 16);
      const __m512 bias = _mm512_loadu_ps(strip.panel.bias + j * 16);
#pragma GCC unroll 16
      for (int r = 0; r < Rows; ++r, c += ldc, row += blocks) {
        const __m512 row_scale = _mm512_set1_ps(row->scale);
        const __m512 f = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[r][j]), row_scale, _mm512_loadu_ps(c));
        store_canonical(c, _mm512_fmadd_ps(f, scale, bias));
      }
    } else {
#pragma GCC unroll 16
      for (int r = 0; r < Rows; ++r, c += ldc, row += blocks) {
        const __m512 before = first ? _mm512_setzero_ps() : _mm512_loadu_ps(c);
        const __m512 row_scale = _mm512_set1_ps(row->scale);
        _mm512_storeu_ps(c, _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[r][j]), row_scale, before));
      }
    }
  }
}

/// What stands for the zero codes of a product per channel, and whether a type is that of one in groups.
template <class Zero>
inline constexpr bool kHasGroups = __is_same(Zero, const std::int8_t*);

/// Group `group` ended: h = fma(t, scale, h).
template <int Rows, int Blocks>
[[gnu::always_inline]] inline void add_group(const __m512i (&sum)[Rows][Blocks], const Strip& strip,
                                             int group, __m512 (&h)[Rows][Blocks]) {
#pragma GCC unroll 4
  for (int j = 0; j < Blocks; ++j) {
    const __m512 scale = _mm512_loadu_ps(strip.panel.scale + group * kPanelColumns + j * 16);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) h[r][j] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[r][j]), scale, h[r][j]);
  }
}

/// The end of a block of row parameters: h = fma(-zero, W, h), f = fma(h, s_row, f). `row` stands at the
/// block's parameters, `blocks` a row.
template <int Rows, int Blocks>
[[gnu::always_inline]] inline void add_row_block(const __m512 (&h)[Rows][Blocks], const Strip& strip,
                                                 const RowScale* row, int block, int blocks,
                                                 __m512 (&f)[Rows][Blocks]) {
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r, row += blocks) {
    const __m512 zero = _mm512_cvtepi32_ps(_mm512_set1_epi32(row->zero)), scale = _mm512_set1_ps(row->scale);
#pragma GCC unroll 4
    for (int j = 0; j < Blocks; ++j) {
      const __m512 weight_sum = _mm512_loadu_ps(strip.panel.weight_sum + block * kPanelColumns + j * 16);
      f[r][j] = _mm512_fmadd_ps(_mm512_fnmadd_ps(zero, weight_sum, h[r][j]), scale, f[r][j]);
    }
  }
}

template <int Rows, int Blocks>
[[gnu::always_inline]] inline void store_tile(const __m512 (&f)[Rows][Blocks], float* c, std::ptrdiff_t ldc) {
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (int j = 0; j < Blocks; ++j) store_canonical(c + r * ldc + j * 16, f[r][j]);
  }
}

/// Every row of f: the columns' values at `from`, or zeros.
template <int Rows, int Blocks>
[[gnu::always_inline]] inline void start_floats(const float* from, __m512 (&f)[Rows][Blocks]) {
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (int j = 0; j < Blocks; ++j)
      f[r][j] = from == nullptr ? _mm512_setzero_ps() : _mm512_loadu_ps(from + j * 16);
  }
}

/// One tile of C. `Product` says how sums are made:
///   void sums(a, lda, strip, begin, end, nullptr or the zero codes of the group, sum)
/// which adds the products over [begin, end), begin a multiple of 32; both sides are padded to 64 with
/// products of 0; and kRows, the rows of a tile of 32 columns, with kFewRows, up to which a strip is 64
/// columns wide, and the same for ShortTiles. `strip` and `rows` are copied, because after each store through
/// a vector type a reference would have to be read again; and by the tile itself, since passing them by value
/// was no faster (-0.1 to +0.7 points of the peak for this form). Never inlined into each other: g++ 12 would
/// move sums from register to register for the sake of the other forms.
template <class Product, int Rows, int Blocks>
[[gnu::noinline]] inline void tile_single(const GemmArgs& args, const Strip& strip_at,
                                          const RowBlock& rows_at) {
  // The copies come after the sums: g++ would carry them there in vector registers.
  __m512i sum[Rows][Blocks];
  start_centred(strip_at, rows_at.rows, 0, 1, sum);
  Product::sums(rows_at.a, args.lda, strip_at, 0, args.k, nullptr, sum);
  forget();
  const Strip strip = strip_at;
  const RowBlock rows = rows_at;
  const std::ptrdiff_t ldc = args.ldc;
  finish_single(sum, strip, rows, ldc);
}

template <class Product, int Rows, int Blocks>
[[gnu::noinline]] inline void tile_blocks(const GemmArgs& args, const Strip& strip_at,
                                          const RowBlock& rows_at) {
  const Strip strip = strip_at;
  const RowBlock rows = rows_at;
  const int blocks = row_block_count(args.k, args.format), depth = row_block_depth(args.k, args.format);
  for (int block = 0; block < blocks; ++block) {
    const int begin = block * depth, end = block + 1 < blocks ? begin + depth : args.k;
    __m512i sum[Rows][Blocks];
    start_centred(strip, rows.rows + block, block, blocks, sum);
    Product::sums(rows.a, args.lda, strip, begin, end, nullptr, sum);
    finish_block(sum, strip, rows.rows + block, blocks, rows.c, args.ldc, block == 0, block + 1 == blocks);
  }
}

/// The rest are tiles for groups and for short blocks of row parameters: half as many sums, because as many
/// registers hold floats.

/// In groups: h in registers, f in C from one block of row parameters to the next.
template <class Product, int Rows, int Blocks>
[[gnu::noinline]] inline void tile_groups(const GemmArgs& args, const Strip& strip_at,
                                          const RowBlock& rows_at) {
  const Strip strip = strip_at;
  const RowBlock rows = rows_at;
  const int blocks = row_block_count(args.k, args.format), depth = row_block_depth(args.k, args.format);
  for (int block = 0; block < blocks; ++block) {
    const int begin = block * depth, end = block + 1 < blocks ? begin + depth : args.k;
    __m512 h[Rows][Blocks], f[Rows][Blocks];
    start_floats<Rows, Blocks>(nullptr, h);
    for (int from = begin, group = begin / args.format.group; from < end;
         from += args.format.group, ++group) {
      const int to = from + args.format.group < end ? from + args.format.group : end;
      __m512i sum[Rows][Blocks];
      start_at_zero(sum);
      Product::sums(rows.a, args.lda, strip, from, to, strip.panel.zero + group * kPanelColumns, sum);
      add_group(sum, strip, group, h);
    }
    start_floats<Rows, Blocks>(strip.panel.bias, f);
    for (int r = 0; block > 0 && r < Rows; ++r) {
      for (int j = 0; j < Blocks; ++j) f[r][j] = _mm512_loadu_ps(rows.c + r * args.ldc + j * 16);
    }
    add_row_block(h, strip, rows.rows + block, block, blocks, f);
    store_tile(f, rows.c, args.ldc);
  }
}

/// In groups that are also the blocks of row parameters: f in registers.
template <class Product, int Rows, int Blocks>
[[gnu::noinline]] inline void tile_equal_groups(const GemmArgs& args, const Strip& strip_at,
                                                const RowBlock& rows_at) {
  const Strip strip = strip_at;
  const RowBlock rows = rows_at;
  const int blocks = row_block_count(args.k, args.format), depth = row_block_depth(args.k, args.format);
  __m512 f[Rows][Blocks];
  start_floats<Rows, Blocks>(strip.panel.bias, f);
  for (int block = 0; block < blocks; ++block) {
    const int begin = block * depth, end = block + 1 < blocks ? begin + depth : args.k;
    __m512i sum[Rows][Blocks];
    start_at_zero(sum);
    Product::sums(rows.a, args.lda, strip, begin, end, strip.panel.zero + block * kPanelColumns, sum);
    __m512 h[Rows][Blocks];
    start_floats<Rows, Blocks>(nullptr, h);
    add_group(sum, strip, block, h);
    add_row_block(h, strip, rows.rows + block, block, blocks, f);
  }
  store_tile(f, rows.c, args.ldc);
}

/// Per channel with short blocks of row parameters: f in registers.
template <class Product, int Rows, int Blocks>
[[gnu::noinline]] inline void tile_short_blocks(const GemmArgs& args, const Strip& strip_at,
                                                const RowBlock& rows_at) {
  const Strip strip = strip_at;
  const RowBlock rows = rows_at;
  const int blocks = row_block_count(args.k, args.format), depth = row_block_depth(args.k, args.format);
  __m512 f[Rows][Blocks];
  start_floats<Rows, Blocks>(nullptr, f);
  for (int block = 0; block < blocks; ++block) {
    const int begin = block * depth, end = block + 1 < blocks ? begin + depth : args.k;
    __m512i sum[Rows][Blocks];
    start_centred(strip, rows.rows + block, block, blocks, sum);
    Product::sums(rows.a, args.lda, strip, begin, end, nullptr, sum);
    const RowScale* row = rows.rows + block;
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r, row += blocks) {
      const __m512 scale = _mm512_set1_ps(row->scale);
#pragma GCC unroll 4
      for (int j = 0; j < Blocks; ++j)
        f[r][j] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[r][j]), scale, f[r][j]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (int j = 0; j < Blocks; ++j) {
      f[r][j] = _mm512_fmadd_ps(f[r][j], _mm512_loadu_ps(strip.panel.scale + j * 16),
                                _mm512_loadu_ps(strip.panel.bias + j * 16));
    }
  }
  store_tile(f, rows.c, args.ldc);
}

/// The rows of a tile of 64 columns where `Product` has such beside those of few rows; else 0.
template <class Product>
constexpr int wide_rows() {
  if constexpr (requires { Product::kWideRows; }) return Product::kWideRows;
  return 0;
}

/// Tiles of which all registers hold sums: one scale a channel, few blocks of row parameters.
template <class Product>
struct DeepTiles {
  static constexpr int kRows = Product::kRows;
  static constexpr int kFewRows = Product::kFewRows;
  static constexpr int kWideRows = wide_rows<Product>();

  template <int Rows, int Blocks>
  static void run(const GemmArgs& args, const Strip& strip, const RowBlock& rows) {
    if (row_block_count(args.k, args.format) == 1) {
      tile_single<Product, Rows, Blocks>(args, strip, rows);
      if (strip.may_be_nan) make_canonical(rows.c, args.ldc, Rows, Blocks * 16);
    } else {
      tile_blocks<Product, Rows, Blocks>(args, strip, rows);
    }
  }
};

/// Tiles of which half the registers hold floats.
template <class Product>
struct ShortTiles {
  static constexpr int kRows = Product::kShortRows;
  static constexpr int kFewRows = Product::kShortFewRows;
  static constexpr int kWideRows = 0;

  template <int Rows, int Blocks>
  static void run(const GemmArgs& args, const Strip& strip, const RowBlock& rows) {
    if (args.format.group == 0) {
      tile_short_blocks<Product, Rows, Blocks>(args, strip, rows);
    } else if (args.format.row_block != 0) {
      tile_equal_groups<Product, Rows, Blocks>(args, strip, rows);
    } else {
      tile_groups<Product, Rows, Blocks>(args, strip, rows);
    }
  }
};

/// The tile of `Rows` or fewer rows.
template <class Tiles, int Rows, int Blocks>
inline void tile_of_rows(const GemmArgs& args, const Strip& strip, const RowBlock& rows) {
  if constexpr (Rows > 1) {
    if (rows.count < Rows) return tile_of_rows<Tiles, Rows - 1, Blocks>(args, strip, rows);
  }
  Tiles::template run<Rows, Blocks>(args, strip, rows);
  finish(args, rows, Blocks * 16);
}

/// Lines of the next panel that a pair of quads fetches at most in tiles of 64 columns: of the eight that it
/// uses, so that three passes fetch all. All in one pass would ask L3 for 21 bytes a cycle, more than it
/// gives.
inline constexpr int kSharedLines = 3;

/// Shares the fetching of the next panel among the row blocks that pass over a strip. A fetch costs as much
/// as a load that misses L1, 3 points of the peak where all passes do it, so that none is done twice.
class FarShare {
 public:
  /// A pair of quads of the strip is `pair_lines`; a pair of a pass fetches one line where there are passes
  /// enough, else up to `most`.
  FarShare(const GemmArgs& args, int blocks, int pair_lines, int most)
      : lines_(blocks >= pair_lines ? 1 : most),
        passes_((pair_lines + lines_ - 1) / lines_),
        pass_bytes_((args.k + 7) / 8 * lines_ * 64) {}

  void begin(Strip& strip, int block) const {
    strip.far_step = block < passes_ ? lines_ * 64 : 0;
    if (block > 0) strip.far += pass_bytes_;
  }

 private:
  int lines_, passes_;
  std::ptrdiff_t pass_bytes_;
};

/// All rows of a strip of Blocks · 16 columns, in nearly equal row blocks of up to Rows.
template <class Tiles, int Rows, int Blocks>
inline void strip_of_rows(const GemmArgs& args, int p, Strip& strip, int first_row) {
  const int blocks = (args.m + Rows - 1) / Rows;
  constexpr int kBytesLines = 2 * Blocks;
  const int lines = args.format.bits == 4 ? kBytesLines / 2 : kBytesLines;
  const FarShare share(args, blocks, lines, lines);
  for (int i = 0; i < blocks; ++i) {
    RowBlock rows = row_block(args, p, i, blocks);
    rows.c += strip.column, rows.column += strip.column, rows.row += first_row;
    share.begin(strip, i);
    tile_of_rows<Tiles, Rows, Blocks>(args, strip, rows);
  }
}

/// All rows of a strip of 64 columns in tiles of several passes (SharedWeights).
template <class Tiles>
inline void wide_strip_of_rows(const GemmArgs& args, int p, Strip& strip, int first_row) {
  const int blocks = (args.m + Tiles::kWideRows - 1) / Tiles::kWideRows;
  const FarShare share(args, blocks, 8, kSharedLines);
  for (int i = 0; i < blocks; ++i) {
    RowBlock rows = row_block(args, p, i, blocks);
    rows.row += first_row;
    share.begin(strip, i);
    tile_of_rows<Tiles, Tiles::kWideRows, 4>(args, strip, rows);
  }
}

/// Always inlined, and what calls it: g++ drops calls that have no result and no effect but on caches.
template <auto Level>
[[gnu::always_inline]] inline void fetch_lines(const std::byte* from, std::ptrdiff_t bytes) {
  for (std::ptrdiff_t at = 0; at < bytes; at += 64) {
    _mm_prefetch(reinterpret_cast<const char*>(from + at), Level);
  }
}

/// Before a panel of which the weights run past once: fetches those that the panel before, looking ahead
/// across its own trailer, left out, and the next panel's trailer, which would be waited for; that of groups,
/// a tenth of a panel, only into L2. `panel_bytes`: from one panel to the next.
[[gnu::always_inline]] inline void fetch_stream(const Panel& panel, std::ptrdiff_t panel_bytes,
                                                std::ptrdiff_t trailer, bool grouped) {
  fetch_lines<_MM_HINT_T0>(panel.weights + kStreamAhead - trailer, trailer);
  const std::byte* next = panel.weights + 2 * panel_bytes - trailer;
  grouped ? fetch_lines<_MM_HINT_T1>(next, trailer) : fetch_lines<_MM_HINT_T0>(next, trailer);
}

/// Whether tiles of 64 columns pass over a panel: all of them full or a row short. Two passes fetch too
/// little of the next panel (12 tokens of MiniLM: 2 % slower).
template <class Tiles>
constexpr bool fits_wide(const GemmArgs& args) {
  constexpr int kRows = Tiles::kWideRows;
  if constexpr (kRows > 0) {
    if (args.m > kRows && args.m <= 2 * kRows) return false;
    return args.m / ((args.m + kRows - 1) / kRows) >= kRows - 1;
  }
  return false;
}

template <class Tiles>
inline void panels(const GemmArgs& args, int first_row) {
  const std::uint32_t row_scale = greatest_row_scale(args);
  const auto panel_bytes = static_cast<std::ptrdiff_t>(panel_offset(args.k, 1, args.format));
  const auto trailer = static_cast<std::ptrdiff_t>(panel_trailer_bytes(args.k, args.format));
  for (int p = args.panel_begin; p < args.panel_end; ++p) {
    const Panel panel = panel_of(args, p);
    const bool nan = args.format.group == 0 && may_be_nan(row_scale, panel.scale, panel.width);
    for (int column = 0; column < panel.width;) {
      Strip strip = strip_of(panel, column);
      strip.may_be_nan = nan;
      const std::ptrdiff_t column_bytes = (panel_bytes - trailer) / kPanelColumns;
      strip.far = panel.weights + panel_bytes + column * column_bytes;
      if (args.m <= Tiles::kFewRows && panel.width == kPanelColumns) {
        fetch_stream(panel, panel_bytes, trailer, args.format.group != 0);
        strip_of_rows<Tiles, Tiles::kFewRows, 4>(args, p, strip, first_row);
        column += 64;
      } else if (fits_wide<Tiles>(args) && panel.width == kPanelColumns) {
        if constexpr (Tiles::kWideRows > 0) wide_strip_of_rows<Tiles>(args, p, strip, first_row);
        column += 64;
      } else if (panel.width - column >= 32) {
        strip_of_rows<Tiles, Tiles::kRows, 2>(args, p, strip, first_row);
        column += 32;
      } else {
        strip_of_rows<Tiles, Tiles::kRows / 2, 1>(args, p, strip, first_row);
        column += 16;
      }
    }
  }
}

/// `first_row`: the row of C at which args.c stands.
template <class Product>
inline void gemm(const GemmArgs& args, int first_row = 0) noexcept {
  const bool short_blocks = args.format.row_block != 0 && row_block_count(args.k, args.format) > 1;
  if (args.format.group != 0 || short_blocks) {
    panels<ShortTiles<Product>>(args, first_row);
  } else {
    panels<DeepTiles<Product>>(args, first_row);
  }
}

}  // namespace nybble::kernels::avx512
