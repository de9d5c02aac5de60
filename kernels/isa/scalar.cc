// The reference set: baseline x86-64, the definition of every entry's bits.
#include "kernels/scalar/attention_f32.h"
#include "kernels/scalar/attention_s8.h"
#include "kernels/scalar/epilogues.h"
#include "kernels/scalar/gemm.h"
#include "kernels/scalar/linear.h"
#include "kernels/scalar/norms.h"
#include "kernels/scalar/pack.h"
#include "kernels/scalar/quantize.h"
#include "kernels/scalar/relative.h"
#include "kernels/scalar/rows.h"
#include "kernels/scalar/softmax.h"

namespace nybble::kernels {

extern const KernelSet kScalarSet;
const KernelSet kScalarSet = {
    .name = "scalar",
    .gemm_u8s8 = scalar::gemm<8, 8>,
    .gemm_u8s7 = scalar::gemm<8, 8>,
    .gemm_u8s6 = scalar::gemm<8, 8>,
    .gemm_u8s5 = scalar::gemm<8, 8>,
    .gemm_u8s4 = scalar::gemm<8, 4>,
    .gemm_u4s4 = scalar::gemm<4, 4>,
    .linear_f32 = scalar::linear_f32,
    .quantize_rows_u8 = scalar::quantize_rows_u8,
    .quantize_rows_u4 = scalar::quantize_rows_u4,
    .quantize_ranged_u8 = scalar::quantize_ranged_u8,
    .gelu_quantize_rows_u8 = scalar::activate_quantize_rows_u8<gelu_erf_q<scalar::F32x1>>,
    .absmax = scalar::absmax,
    .pack = scalar::pack,
    .unpack = scalar::unpack,
    .gelu_erf = scalar::each<gelu_erf<scalar::F32x1>>,
    .gelu_erf_q = scalar::each<gelu_erf_q<scalar::F32x1>>,
    .gelu_tanh = scalar::each<gelu_tanh<scalar::F32x1>>,
    .relu = scalar::each<relu<scalar::F32x1>>,
    .silu = scalar::each<silu<scalar::F32x1>>,
    .sigmoid = scalar::each<sigmoid<scalar::F32x1>>,
    .tanh = scalar::each<tanh<scalar::F32x1>>,
    .add_residual = scalar::add_residual,
    .gate_silu = scalar::multiply_gate<silu<scalar::F32x1>>,
    .gate_gelu_erf = scalar::multiply_gate<gelu_erf<scalar::F32x1>>,
    .gate_gelu_tanh = scalar::multiply_gate<gelu_tanh<scalar::F32x1>>,
    .layernorm = scalar::norm<scalar::layernorm_row>,
    .rmsnorm = scalar::norm<scalar::rmsnorm_row>,
    .softmax = scalar::softmax,
    .rotary = scalar::rotary,
    .gather_relative = scalar::gather_relative,
    .attention_f32 = scalar::attention_f32,
    .attention_s8 = scalar::attention_s8,
    .embed_tables = scalar::embed_tables,
    .quantize_rows_s8 = scalar::quantize_rows_s8,
    .mean_pool = scalar::mean_pool,
    .max_pool = scalar::max_pool,
    .cls_pool = scalar::cls_pool,
    .l2_normalize = scalar::l2_normalize,
};

}  // namespace nybble::kernels
