// C = A (4 bits) × W (4 bits) with vpdpbusd on zmm: the product of gemm_u8s4 on rows made bytes.
#pragma once

#include "kernels/x86/gemm_u4s4_avx512.h"
#include "kernels/x86/gemm_u8s4_avx512vnni.h"

namespace nybble::kernels::avx512vnni {

inline void gemm_u4s4(const GemmArgs& args) noexcept { avx512::gemm_u4<Nibbles>(args); }

}  // namespace nybble::kernels::avx512vnni
