// AMX tiles for the products of 8-bit rows with weights of a byte each; the rest is avx512vnni's.
#include "kernels/isa/avx512vnni_entries.h"
#include "kernels/x86/gemm_u8s8_amx.h"

namespace nybble::kernels {

extern const KernelSet kAmxSet;
constinit const KernelSet kAmxSet = [] {
  KernelSet set = avx512vnni_entries("amx");
  set.gemm_u8s8 = amx::gemm_u8s8;
  set.gemm_u8s7 = amx::gemm_u8s8;
  set.gemm_u8s6 = amx::gemm_u8s8;
  return set;
}();

}  // namespace nybble::kernels
