// The reference set: baseline x86-64, the definition of every entry's bits.
#include "kernels/scalar/attention_f32.h"
#include "kernels/scalar/epilogues.h"
#include "kernels/scalar/gemm_u8s8.h"
#include "kernels/scalar/norms.h"
#include "kernels/scalar/quantize.h"
#include "kernels/scalar/rows.h"

namespace nybble::kernels {

extern const KernelSet kScalarSet;
const KernelSet kScalarSet = {
    .name = "scalar",
    .gemm_u8s8 = scalar::gemm_u8s8,
    .quantize_rows_u8 = scalar::quantize_rows_u8,
    .quantize_ranged_u8 = scalar::quantize_ranged_u8,
    .gelu_quantize_rows_u8 = scalar::activate_quantize_rows_u8<gelu_erf_q<scalar::F32x1>>,
    .absmax = scalar::absmax,
    .pack_s8 = scalar::pack_s8,
    .gelu_erf = scalar::each<gelu_erf<scalar::F32x1>>,
    .gelu_erf_q = scalar::each<gelu_erf_q<scalar::F32x1>>,
    .gelu_tanh = scalar::each<gelu_tanh<scalar::F32x1>>,
    .relu = scalar::each<relu<scalar::F32x1>>,
    .layernorm = scalar::norm<scalar::layernorm_row>,
    .rmsnorm = scalar::norm<scalar::rmsnorm_row>,
    .attention_f32 = scalar::attention_f32,
    .embed_sum = scalar::embed_sum,
    .mean_pool = scalar::mean_pool,
    .l2_normalize = scalar::l2_normalize,
};

}  // namespace nybble::kernels
