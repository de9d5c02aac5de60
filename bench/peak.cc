#include "bench/peak.h"

#include <chrono>
#include <cstdint>

namespace nybble::bench {
namespace {

constexpr int kIterations = 20000;

// Twelve independent accumulators an iteration cover a latency of 4 cycles at three instructions a cycle.
#define NYBBLE_TWELVE(INSTRUCTION, REGISTER)                                                           \
  for (int i = 0; i < kIterations; ++i) {                                                              \
    asm volatile(".irp n,0,1,2,3,4,5,6,7,8,9,10,11\n" INSTRUCTION " %%" REGISTER "13, %%" REGISTER     \
                 "12, %%" REGISTER "\\n\n.endr" ::                                                     \
                     : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", \
                       "xmm10", "xmm11");                                                              \
  }

void vpdpbusd_zmm() { NYBBLE_TWELVE("vpdpbusd", "zmm") }
void vpdpbusd_ymm() { NYBBLE_TWELVE("%{vex%} vpdpbusd", "ymm") }
void vpmaddwd_zmm() { NYBBLE_TWELVE("vpmaddwd", "zmm") }
void vpmaddwd_ymm() { NYBBLE_TWELVE("vpmaddwd", "ymm") }
void fma_zmm() { NYBBLE_TWELVE("vfmadd231ps", "zmm") }
void fma_ymm() { NYBBLE_TWELVE("vfmadd231ps", "ymm") }

/// Three cycles each on every x86-64 core with AVX2.
void dependent_multiplications() {
  std::uint64_t x = 1;
  for (int i = 0; i < kIterations; ++i)
    asm volatile("imul %0, %0\nimul %0, %0\nimul %0, %0\nimul %0, %0" : "+r"(x));
}

/// The plain set multiplies one pair after the other.
constexpr PeakLoop kScalarPeak = {dependent_multiplications, 4.0 * kIterations};

}  // namespace

PeakLoop integer_peak(std::string_view isa) {
  if (isa == "avx512vnni" || isa == "amx") return {vpdpbusd_zmm, 64.0 * 12 * kIterations};
  if (isa == "avx512") return {vpmaddwd_zmm, 32.0 * 12 * kIterations};
  if (isa == "avxvnni") return {vpdpbusd_ymm, 32.0 * 12 * kIterations};
  if (isa == "avx2") return {vpmaddwd_ymm, 16.0 * 12 * kIterations};
  return kScalarPeak;
}

PeakLoop float_peak(std::string_view isa) {
  if (isa == "amx" || isa == "avx512vnni" || isa == "avx512") return {fma_zmm, 16.0 * 12 * kIterations};
  if (isa == "avx2" || isa == "avxvnni") return {fma_ymm, 8.0 * 12 * kIterations};
  return kScalarPeak;
}

PeakLoop clock_cycles() { return {dependent_multiplications, 12.0 * kIterations}; }

double seconds_of(const PeakLoop& loop) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  loop.run();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace nybble::bench
