// AVX-512 (F, BW, DQ, VL) with VNNI.
#include "kernels/isa/avx512vnni_entries.h"

namespace nybble::kernels {

extern const KernelSet kAvx512VnniSet;
constinit const KernelSet kAvx512VnniSet = avx512vnni_entries("avx512vnni");

}  // namespace nybble::kernels
