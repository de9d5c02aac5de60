#pragma once
#include "kernels/x86/pairs_avx2.h"
namespace nybble::kernels::avx2 {
inline void gemm_u8s7(const GemmArgs& args) noexcept { ymm::gemm<ShallowPairs<1>, false>(args); }
}  // namespace nybble::kernels::avx2
