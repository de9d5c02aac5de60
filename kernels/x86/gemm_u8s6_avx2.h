// 6-bit weights on AVX2: two vpmaddubsw add up in 16 bits (255 · 32 · 2 · 2 = 32,640). 4 rows × 16 columns,
// as at 7 bits. 64 products cost three multiplications: 42.7 a cycle.
#pragma once

#include "kernels/x86/pairs_avx2.h"

namespace nybble::kernels::avx2 {
inline void gemm_u8s6(const GemmArgs& args) noexcept { ymm::gemm<ShallowPairs<2>, false>(args); }
}  // namespace nybble::kernels::avx2
