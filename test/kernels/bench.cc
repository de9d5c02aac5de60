#include "test/kernels/check.h"

namespace nybble::kernels::test {

void bench_gemm_u8s8(const KernelSet&) {}
void bench_quantize_rows_u8(const KernelSet&) {}
void bench_absmax(const KernelSet&) {}
void bench_pack_s8(const KernelSet&) {}
void bench_gelu_erf(const KernelSet&) {}
void bench_gelu_erf_q(const KernelSet&) {}
void bench_gelu_tanh(const KernelSet&) {}
void bench_relu(const KernelSet&) {}
void bench_layernorm(const KernelSet&) {}
void bench_attention_f32(const KernelSet&) {}
void bench_embed_sum(const KernelSet&) {}
void bench_mean_pool(const KernelSet&) {}
void bench_l2_normalize(const KernelSet&) {}

}  // namespace nybble::kernels::test
