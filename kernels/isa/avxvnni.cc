// AVX2 with VNNI in VEX encoding: sixteen ymm registers, no AVX-512.
#include "kernels/portable/entries.h"
#include "kernels/scalar/gemm.h"
#include "kernels/x86/attention_s8.h"
#include "kernels/x86/f32x16_avx2.h"
#include "kernels/x86/gemm_u8s8_avx2.h"
#include "kernels/x86/lanes_avx2.h"

namespace nybble::kernels {

extern const KernelSet kAvxVnniSet;
constinit const KernelSet kAvxVnniSet = [] {
  KernelSet set = portable_entries<F32x16Avx2>("avxvnni");
  set.gemm_u8s8 = avx2::gemm_u8s8;
  set.gemm_u8s7 = avx2::gemm_u8s8;
  set.gemm_u8s6 = avx2::gemm_u8s8;
  set.gemm_u8s5 = scalar::gemm<8>;
  set.gemm_u8s4 = scalar::gemm<8>;
  set.gemm_u4s4 = scalar::gemm<4>;
  set.attention_s8 = attention_s8<LanesAvxVnni, F32x16Avx2>;
  return set;
}();

}  // namespace nybble::kernels
