// AVX2 with FMA, F16C and BMI2.
#include "kernels/portable/entries.h"
#include "kernels/x86/attention_s8.h"
#include "kernels/x86/f32x16_avx2.h"
#include "kernels/x86/gemm_u4s4_avx2.h"
#include "kernels/x86/gemm_u8s4_avx2.h"
#include "kernels/x86/gemm_u8s5_avx2.h"
#include "kernels/x86/gemm_u8s6_avx2.h"
#include "kernels/x86/gemm_u8s7_avx2.h"
#include "kernels/x86/gemm_u8s8_avx2.h"
#include "kernels/x86/lanes_avx2.h"

namespace nybble::kernels {

extern const KernelSet kAvx2Set;
constinit const KernelSet kAvx2Set = [] {
  KernelSet set = portable_entries<F32x16Avx2>("avx2");
  set.gemm_u8s8 = avx2::gemm_u8s8;
  set.gemm_u8s7 = avx2::gemm_u8s7;
  set.gemm_u8s6 = avx2::gemm_u8s6;
  set.gemm_u8s5 = avx2::gemm_u8s5;
  set.gemm_u8s4 = avx2::gemm_u8s4;
  set.gemm_u4s4 = avx2::gemm_u4s4;
  set.attention_s8 = attention_s8<LanesAvx2, F32x16Avx2>;
  return set;
}();

}  // namespace nybble::kernels
