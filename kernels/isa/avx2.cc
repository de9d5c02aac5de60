// AVX2 with FMA, F16C and BMI2.
#include "kernels/portable/attention_f32.h"
#include "kernels/portable/quantize.h"
#include "kernels/portable/rows.h"
#include "kernels/x86/f32x16_avx2.h"
#include "kernels/x86/gemm_u8s8_avx2.h"

namespace nybble::kernels {

extern const KernelSet kAvx2Set;
const KernelSet kAvx2Set = {
    .name = "avx2",
    .gemm_u8s8 = avx2::gemm_u8s8,
    .quantize_rows_u8 = quantize_rows_u8<F32x16Avx2>,
    .absmax = absmax<F32x16Avx2>,
    .pack_s8 = pack_s8<F32x16Avx2>,
    .gelu_erf = each<F32x16Avx2, gelu_erf<F32x16Avx2>>,
    .gelu_erf_q = each<F32x16Avx2, gelu_erf_q<F32x16Avx2>>,
    .gelu_tanh = each<F32x16Avx2, gelu_tanh<F32x16Avx2>>,
    .relu = each<F32x16Avx2, relu<F32x16Avx2>>,
    .layernorm = layernorm<F32x16Avx2>,
    .attention_f32 = attention_f32<F32x16Avx2>,
    .embed_sum = embed_sum<F32x16Avx2>,
    .mean_pool = mean_pool<F32x16Avx2>,
    .l2_normalize = l2_normalize<F32x16Avx2>,
};

}  // namespace nybble::kernels
