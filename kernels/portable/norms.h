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

/// The addresses of Rows rows.
template <int Rows>
struct NormRows {
  const float* x[Rows];
  const float* residual[Rows];  ///< null: none
  float* h[Rows];               ///< x + residual: in `sum`, or in y until that is known
  float* y[Rows];
};

template <int Rows>
[[gnu::always_inline]] inline NormRows<Rows> norm_rows(const NormArgs& args, std::ptrdiff_t row) {
  NormRows<Rows> rows;
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
    rows.x[r] = args.x + (row + r) * args.ldx;
    rows.residual[r] = args.residual == nullptr ? nullptr : args.residual + (row + r) * args.ldr;
    rows.y[r] = args.y + (row + r) * args.ldy;
    rows.h[r] = args.sum == nullptr ? rows.y[r] : args.sum + (row + r) * args.lds;
  }
  return rows;
}

/// h = x + residual, added to the sums; of RMSNorm its square.
template <class V, class Kind, bool Whole, int Rows>
[[gnu::always_inline]] inline void add_residual(const NormRows<Rows>& rows, int i, int left, V (&sum)[Rows]) {
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
    V value = load_part<V, Whole>(rows.x[r] + i, left);
    if (rows.residual[r] != nullptr) value = value + load_part<V, Whole>(rows.residual[r] + i, left);
    store_part<V, Whole>(Kind::kKeepsSum ? canonical(value) : value, rows.h[r] + i, left);
    sum[r] = Kind::kCentred ? sum[r] + value : V::fma(value, value, sum[r]);
  }
}

/// (h - mean)², added to the sums.
template <class V, bool Whole, int Rows>
[[gnu::always_inline]] inline void add_squares(const NormRows<Rows>& rows, int i, int left,
                                               const V (&mean)[Rows], V (&sum)[Rows]) {
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
    V d = load_part<V, Whole>(rows.h[r] + i, left) - mean[r];
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
[[gnu::always_inline]] inline void scale_columns(const NormRows<Rows>& rows, int i, int left,
                                                 const NormScales<V, Rows>& scales,
                                                 const NormColumns<V>& columns,
                                                 RangeLanes<V> (&ranges)[Rows]) {
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
    const V h = load_part<V, Whole>(rows.h[r] + i, left);
    V y;
    if constexpr (Kind::kCentred) {
      y = canonical(V::fma((h - scales.mean[r]) * scales.inverse[r], columns.gamma, columns.beta));
    } else {
      y = canonical(h * scales.inverse[r] * columns.gamma);
    }
    store_part<V, Whole>(y, rows.y[r] + i, left);
    if constexpr (Kind::kFindsRanges) ranges[r].widen(Whole ? y : load_part<V, Whole>(rows.y[r] + i, left));
  }
}

template <class V, class Kind, int Rows>
[[gnu::always_inline]] inline NormScales<V, Rows> norm_scales(const NormRows<Rows>& rows, int n,
                                                              float epsilon) {
  const int whole = n / 16 * 16, left = n - whole;
  const float count = static_cast<float>(n);
  NormScales<V, Rows> scales;
  V sum[Rows];
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) sum[r] = V::set(0.0F);
  for (int i = 0; i < whole; i += 16) add_residual<V, Kind, true>(rows, i, 16, sum);
  if (left > 0) add_residual<V, Kind, false>(rows, whole, left, sum);
  if constexpr (Kind::kCentred) {
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      scales.mean[r] = V::set(V::sum(sum[r]) / count);
      sum[r] = V::set(0.0F);
    }
    for (int i = 0; i < whole; i += 16) add_squares<V, true>(rows, i, 16, scales.mean, sum);
    if (left > 0) add_squares<V, false>(rows, whole, left, scales.mean, sum);
  }
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
    scales.inverse[r] = V::set(1 / __builtin_sqrtf(V::sum(sum[r]) / count + epsilon));
  }
  return scales;
}

/// Rows row..row + Rows - 1; their ranges, each of a whole row, go to ranges[at..].
template <class V, class Kind, int Rows>
inline void norm_group(const NormArgs& args, std::ptrdiff_t row, int at, BlockRanges& ranges) {
  const NormRows<Rows> rows = norm_rows<Rows>(args, row);
  const float *gamma = args.gamma, *beta = args.beta;
  const int n = args.n, whole = n / 16 * 16;
  const NormScales<V, Rows> scales = norm_scales<V, Kind>(rows, n, args.epsilon);
  RangeLanes<V> lanes[Rows];
  for (int i = 0; i < n; i += 16) {
    NormColumns<V> columns{load_at<V>(gamma, i, n), V::set(0.0F)};
    if (Kind::kCentred && beta != nullptr) columns.beta = load_at<V>(beta, i, n);
    if (i < whole) {
      scale_columns<V, Kind, true>(rows, i, 16, scales, columns, lanes);
    } else {
      scale_columns<V, Kind, false>(rows, i, n - whole, scales, columns, lanes);
    }
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
