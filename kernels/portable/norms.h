// LayerNorm and RMSNorm, with residual and row quantization, on vectors of 16 floats.
#pragma once

#include "kernels/kernel_set.h"
#include "kernels/portable/functions.h"
#include "kernels/portable/quantize.h"
#include "kernels/portable/vectors.h"

namespace nybble::kernels {

// A norm takes Rows rows side by side, which hide the latency of each other's chains. Its steps of 16 columns
// are always inlined and unrolled over the rows, and the rows' addresses are locals, so that all of it lives
// in registers.

/// What a norm does. The plain form (no sum, no ranges) takes 25 % longer where it does the others' work too.
template <bool Centred, bool KeepsSum, bool FindsRanges>
struct NormKind {
  static constexpr bool kCentred = Centred;          ///< LayerNorm, else RMSNorm
  static constexpr bool kKeepsSum = KeepsSum;        ///< h stays, and is canonical
  static constexpr bool kFindsRanges = FindsRanges;  ///< of y, which is quantized next
};

/// Rows side by side: the address of the first, and how far the next one is. Few enough for the registers of
/// all that a pass reads and writes, as four addresses each are not.
template <class Float>
struct RowsAt {
  Float* at;
  std::ptrdiff_t ld;

  [[gnu::always_inline]] Float* row(int r) const { return at + r * ld; }
  [[gnu::always_inline]] void advance() {
    at += 16;
    __asm__ volatile("" : "+r"(at));  // or g++ keeps an address a row
  }
};

/// What the passes of a norm read and write of some rows.
struct NormRows {
  RowsAt<const float> x, residual;
  RowsAt<float> h;  ///< x + residual: in `sum`, or in y until that is known
  RowsAt<float> y;
};

[[gnu::always_inline]] inline NormRows norm_rows(const NormArgs& args, std::ptrdiff_t row) {
  const RowsAt<float> y{args.y + row * args.ldy, args.ldy};
  return {{args.x + row * args.ldx, args.ldx},
          {args.residual == nullptr ? nullptr : args.residual + row * args.ldr, args.ldr},
          args.sum == nullptr ? y : RowsAt<float>{args.sum + row * args.lds, args.lds},
          y};
}

/// h = x + residual, added to the sums; of RMSNorm its square.
template <class V, class Kind, bool HasResidual, bool Whole, int Rows>
[[gnu::always_inline]] inline void add_residual(const NormRows& rows, int left, V (&sum)[Rows]) {
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
    V value = load_part<V, Whole>(rows.x.row(r), left);
    if constexpr (HasResidual) value = value + load_part<V, Whole>(rows.residual.row(r), left);
    store_part<V, Whole>(Kind::kKeepsSum ? canonical(value) : value, rows.h.row(r), left);
    sum[r] = Kind::kCentred ? sum[r] + value : V::fma(value, value, sum[r]);
  }
}

template <class V, class Kind, bool HasResidual, int Rows>
[[gnu::always_inline]] inline void add_residuals(NormRows rows, int n, V (&sum)[Rows]) {
  for (; n >= 16; n -= 16) {
    add_residual<V, Kind, HasResidual, true>(rows, 16, sum);
    rows.x.advance(), rows.h.advance();
    if constexpr (HasResidual) rows.residual.advance();
  }
  if (n > 0) add_residual<V, Kind, HasResidual, false>(rows, n, sum);
}

/// (h - mean)², added to the sums.
template <class V, bool Whole, int Rows>
[[gnu::always_inline]] inline void add_squares(const RowsAt<float>& h, int left, const V (&mean)[Rows],
                                               V (&sum)[Rows]) {
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
    V d = load_part<V, Whole>(h.row(r), left) - mean[r];
    if constexpr (!Whole) {  // lanes beyond the row add 0, not the square of the mean
      float part[16] = {};
      d.store_first(part, left);
      d = V::load(part);
    }
    sum[r] = V::fma(d, d, sum[r]);
  }
}

/// What turns h into y: of Rows rows, and of 16 columns.
template <class V, int Rows>
struct NormScales {
  V mean[Rows], inverse[Rows];
};
template <class V>
struct NormColumns {
  V gamma, beta;
};

/// y = (h - mean) · inverse · gamma + beta, widening the rows' ranges.
template <class V, class Kind, bool Whole, int Rows>
[[gnu::always_inline]] inline void scale_columns(const RowsAt<float>& hs, const RowsAt<float>& ys, int left,
                                                 const NormScales<V, Rows>& scales,
                                                 const NormColumns<V>& columns,
                                                 RangeLanes<V> (&ranges)[Rows]) {
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
    const V h = load_part<V, Whole>(hs.row(r), left);
    V y;
    if constexpr (Kind::kCentred) {
      y = canonical(V::fma((h - scales.mean[r]) * scales.inverse[r], columns.gamma, columns.beta));
    } else {
      y = canonical(h * scales.inverse[r] * columns.gamma);
    }
    store_part<V, Whole>(y, ys.row(r), left);
    if constexpr (Kind::kFindsRanges) ranges[r].widen(Whole ? y : load_part<V, Whole>(ys.row(r), left));
  }
}

template <class V, class Kind, int Rows>
[[gnu::always_inline]] inline NormScales<V, Rows> norm_scales(const NormRows& rows, int n, float epsilon) {
  const float count = static_cast<float>(n);
  NormScales<V, Rows> scales;
  V sum[Rows];
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) sum[r] = V::set(0.0F);
  if (rows.residual.at != nullptr) {
    add_residuals<V, Kind, true>(rows, n, sum);
  } else {
    add_residuals<V, Kind, false>(rows, n, sum);
  }
  if constexpr (Kind::kCentred) {
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      scales.mean[r] = V::set(V::sum(sum[r]) / count);
      sum[r] = V::set(0.0F);
    }
    RowsAt<float> h = rows.h;
    int left = n;
    for (; left >= 16; left -= 16, h.advance()) add_squares<V, true>(h, 16, scales.mean, sum);
    if (left > 0) add_squares<V, false>(h, left, scales.mean, sum);
  }
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
    scales.inverse[r] = V::set(1 / __builtin_sqrtf(V::sum(sum[r]) / count + epsilon));
  }
  return scales;
}

template <class V, bool HasBeta, bool Whole>
[[gnu::always_inline]] inline NormColumns<V> norm_columns(const float* gamma, const float* beta, int left) {
  NormColumns<V> columns{load_part<V, Whole>(gamma, left), V::set(0.0F)};
  if constexpr (HasBeta) columns.beta = load_part<V, Whole>(beta, left);
  return columns;
}

template <class V, class Kind, bool HasBeta, int Rows>
[[gnu::always_inline]] inline void scale_rows(const NormRows& rows, int n, const float* gamma,
                                              const float* beta, const NormScales<V, Rows>& scales,
                                              RangeLanes<V> (&ranges)[Rows]) {
  RowsAt<float> h = rows.h, y = rows.y;
  for (; n >= 16; n -= 16, gamma += 16, h.advance()) {
    scale_columns<V, Kind, true>(h, y, 16, scales, norm_columns<V, HasBeta, true>(gamma, beta, 16), ranges);
    y.advance();
    if constexpr (HasBeta) beta += 16;
  }
  if (n == 0) return;
  scale_columns<V, Kind, false>(h, y, n, scales, norm_columns<V, HasBeta, false>(gamma, beta, n), ranges);
}

/// Rows row..row + Rows - 1; their ranges, each of a whole row, go to ranges[at..].
template <class V, class Kind, int Rows>
inline void norm_group(const NormArgs& args, std::ptrdiff_t row, int at, BlockRanges& ranges) {
  const NormRows rows = norm_rows(args, row);
  const NormScales<V, Rows> scales = norm_scales<V, Kind, Rows>(rows, args.n, args.epsilon);
  RangeLanes<V> lanes[Rows];
  if (Kind::kCentred && args.beta != nullptr) {
    scale_rows<V, Kind, true>(rows, args.n, args.gamma, args.beta, scales, lanes);
  } else {
    scale_rows<V, Kind, false>(rows, args.n, args.gamma, args.beta, scales, lanes);
  }
  if constexpr (!Kind::kFindsRanges) return;
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) ranges.set<V>(at + r, lanes[r]);
}

/// Rows row..row + count - 1; where ranges are found, `count` ≤ kBlocksTogether.
template <class V, class Kind>
inline void norm_chunk(const NormArgs& args, std::ptrdiff_t row, int count, BlockRanges& ranges) {
  constexpr int kGroup = V::kRowsTogether;
  int i = 0;
  for (; i + kGroup <= count; i += kGroup) norm_group<V, Kind, kGroup>(args, row + i, i, ranges);
  for (; i < count; ++i) norm_group<V, Kind, 1>(args, row + i, i, ranges);
}

template <class V, bool Centred, bool KeepsSum>
inline void norm_rows_u8(const NormArgs& args) {
  const int blocks = row_block_count(args.n);
  const BlockWalk<const float> walk{args.y, args.ldy, args.m, args.n, 0, blocks, args.q, args.ldq, args.rows};
  if (blocks == 1) {
    quantize_blocks<V>(walk, [&](auto& next, int count, BlockRanges& ranges) {
      norm_chunk<V, NormKind<Centred, KeepsSum, true>>(args, next.row, count, ranges);
      next.row += count;
    });
    return;
  }
  BlockRanges unused;
  for (int row = 0; row < args.m; row += kBlocksTogether) {
    const int count = args.m - row < kBlocksTogether ? args.m - row : kBlocksTogether;
    norm_chunk<V, NormKind<Centred, KeepsSum, false>>(args, row, count, unused);
    quantize_by_passes<V, Unchanged<V>>(walk.rows_of(row, count));
  }
}

template <class V, bool Centred, bool KeepsSum>
inline void norm_of(const NormArgs& args) {
  if (args.q != nullptr) return norm_rows_u8<V, Centred, KeepsSum>(args);
  BlockRanges unused;
  norm_chunk<V, NormKind<Centred, KeepsSum, false>>(args, 0, args.m, unused);
}

template <class V, bool Centred>
void norm(const NormArgs& args) noexcept {
  args.sum == nullptr ? norm_of<V, Centred, false>(args) : norm_of<V, Centred, true>(args);
}

}  // namespace nybble::kernels
