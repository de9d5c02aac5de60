// The entries of avx512vnni, which amx has too but for the products that it takes to its tiles.
#pragma once

#include "kernels/portable/entries.h"
#include "kernels/scalar/gemm.h"
#include "kernels/x86/attention_s8.h"
#include "kernels/x86/f32x16_avx512.h"
#include "kernels/x86/gemm_u8s8_avx512vnni.h"
#include "kernels/x86/lanes_avx512.h"

namespace nybble::kernels {

constexpr KernelSet avx512vnni_entries(const char* name) {
  KernelSet set = portable_entries<F32x16Avx512>(name);
  set.gemm_u8s8 = avx512vnni::gemm_u8s8;
  set.gemm_u8s7 = avx512vnni::gemm_u8s8;
  set.gemm_u8s6 = avx512vnni::gemm_u8s8;
  set.gemm_u8s5 = scalar::gemm<8>;
  set.gemm_u8s4 = scalar::gemm<8>;
  set.gemm_u4s4 = scalar::gemm<4>;
  set.attention_s8 = attention_s8<LanesAvx512Vnni, F32x16Avx512>;
  return set;
}

}  // namespace nybble::kernels
