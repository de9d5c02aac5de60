// A tile of the integer products of sixteen ymm registers: where it stands, and what becomes of its sums.
// Core: see product_ymm.h.
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
                     : "r"(base), "i"(Offset), "m"(*reinterpret_cast<const char(*)[1 << 20]>(base)));
  } else {
    __asm__ volatile("vpbroadcastd %c2(%1, %3, %c4), %0"
                     : "=x"(quad)
                     : "r"(base), "i"(Offset), "r"(stride), "i"(Row % 3),
                       "m"(*reinterpret_cast<const char(*)[1 << 20]>(base)));
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

/// A core whose sums are t - zero·colsum already says so by a member of this name.
template <class Core>
inline constexpr bool kSumsAreCentred = requires {
  Core::kSumsAreCentred;
};

/// float(t - zero·colsum) of one row and vector. Where t is a whole number below 2^24 (7 bits: 1024 · 255 ·
/// 64; 8 bits: 512 · 255 · 128) one fma gives the same float as the integer subtraction does, and no vpmulld
/// (two or three instructions' time) is needed.
template <class Core>
[[gnu::always_inline]] inline __m256 centred(__m256i sum, std::int32_t zero, float middle,
                                             const std::int32_t* colsum, bool small) {
  if constexpr (kSumsAreCentred<Core>) return _mm256_cvtepi32_ps(sum);
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

}  // namespace nybble::kernels::ymm
