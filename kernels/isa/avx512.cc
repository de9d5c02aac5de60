// AVX-512 (F, BW, DQ, VL) without VNNI.
#include "kernels/portable/entries.h"
#include "kernels/scalar/gemm.h"
#include "kernels/x86/attention_s8.h"
#include "kernels/x86/f32x16_avx512.h"
#include "kernels/x86/gemm_u8s8_avx2.h"
#include "kernels/x86/lanes_avx512.h"

namespace nybble::kernels {

extern const KernelSet kAvx512Set;
constinit const KernelSet kAvx512Set = [] {
  KernelSet set = portable_entries<F32x16Avx512>("avx512");
  set.gemm_u8s8 = avx2::gemm_u8s8;
  set.gemm_u8s7 = avx2::gemm_u8s8;
  set.gemm_u8s6 = avx2::gemm_u8s8;
  set.gemm_u8s5 = scalar::gemm<8>;
  set.gemm_u8s4 = scalar::gemm<8>;
  set.gemm_u4s4 = scalar::gemm<4>;
  set.attention_s8 = attention_s8<LanesAvx512, F32x16Avx512>;
  return set;
}();

}  // namespace nybble::kernels
