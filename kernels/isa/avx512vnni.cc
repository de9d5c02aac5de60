// AVX-512 (F, BW, DQ, VL) with VNNI.
#include "kernels/portable/attention_f32.h"
#include "kernels/portable/quantize.h"
#include "kernels/portable/rows.h"
#include "kernels/x86/f32x16_avx512.h"
#include "kernels/x86/gemm_u8s8_avx512vnni.h"

namespace nybble::kernels {

extern const KernelSet kAvx512VnniSet;
const KernelSet kAvx512VnniSet = {
    .name = "avx512vnni",
    .gemm_u8s8 = avx512vnni::gemm_u8s8,
    .quantize_rows_u8 = quantize_rows_u8<F32x16Avx512>,
    .absmax = absmax<F32x16Avx512>,
    .pack_s8 = pack_s8<F32x16Avx512>,
    .gelu_erf = each<F32x16Avx512, gelu_erf<F32x16Avx512>>,
    .gelu_erf_q = each<F32x16Avx512, gelu_erf_q<F32x16Avx512>>,
    .gelu_tanh = each<F32x16Avx512, gelu_tanh<F32x16Avx512>>,
    .relu = each<F32x16Avx512, relu<F32x16Avx512>>,
    .layernorm = layernorm<F32x16Avx512>,
    .attention_f32 = attention_f32<F32x16Avx512>,
    .embed_sum = embed_sum<F32x16Avx512>,
    .mean_pool = mean_pool<F32x16Avx512>,
    .l2_normalize = l2_normalize<F32x16Avx512>,
};

}  // namespace nybble::kernels
