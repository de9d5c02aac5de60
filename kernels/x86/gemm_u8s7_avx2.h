// 7-bit weights on AVX2: one vpmaddubsw fills 16 bits (255 · 64 · 2 = 32,640), so each is followed by
// vpmaddwd by ones and an addition. 4 rows × 16 columns: 8 sums, the ones, a broadcast and a product; weights
// are read from L1 where they are multiplied. 32 products cost two multiplications, at two a cycle: 32 a
// cycle.
#pragma once

#include "kernels/x86/pairs_avx2.h"

namespace nybble::kernels::avx2 {
inline void gemm_u8s7(const GemmArgs& args) noexcept { ymm::gemm<ShallowPairs<1>, false>(args); }
}  // namespace nybble::kernels::avx2
