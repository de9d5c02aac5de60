#include "bench/peak.h"

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace nybble::bench {
namespace {

constexpr int kIterations = 20000;

// Twelve independent accumulators an iteration cover a latency of 4 cycles at three instructions a cycle. The
// inputs are zeros: no denormal slows an FMA.
#define NYBBLE_TWELVE(INSTRUCTION, REGISTER)                                                          \
  asm volatile(".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13\nvpxor %%xmm\\n, %%xmm\\n, %%xmm\\n\n.endr" :: \
                   : NYBBLE_CLOBBERED);                                                               \
  for (int i = 0; i < kIterations; ++i) {                                                             \
    asm volatile(".irp n,0,1,2,3,4,5,6,7,8,9,10,11\n" INSTRUCTION " %%" REGISTER "13, %%" REGISTER    \
                 "12, %%" REGISTER "\\n\n.endr" ::                                                    \
                     : NYBBLE_CLOBBERED);                                                             \
  }                                                                                                   \
  asm volatile("vzeroupper" ::: NYBBLE_CLOBBERED);
#define NYBBLE_CLOBBERED                                                                                     \
  "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", \
      "xmm13"

void vpdpbusd_zmm() { NYBBLE_TWELVE("vpdpbusd", "zmm") }
void vpdpbusd_ymm() { NYBBLE_TWELVE("%{vex%} vpdpbusd", "ymm") }
void vpmaddwd_zmm() { NYBBLE_TWELVE("vpmaddwd", "zmm") }
void vpmaddwd_ymm() { NYBBLE_TWELVE("vpmaddwd", "ymm") }
void vpmaddubsw_zmm() { NYBBLE_TWELVE("vpmaddubsw", "zmm") }
void vpmaddubsw_ymm() { NYBBLE_TWELVE("vpmaddubsw", "ymm") }
void fma_zmm() { NYBBLE_TWELVE("vfmadd231ps", "zmm") }
void fma_ymm() { NYBBLE_TWELVE("vfmadd231ps", "ymm") }

#undef NYBBLE_TWELVE
#undef NYBBLE_CLOBBERED

/// Three cycles each on every x86-64 core with AVX2.
void dependent_multiplications() {
  std::uint64_t x = 1;
  for (int i = 0; i < kIterations; ++i)
    asm volatile("imul %0, %0\nimul %0, %0\nimul %0, %0\nimul %0, %0" : "+r"(x));
}

constexpr int kAdditions = 16;

/// One cycle each. Not of a constant: recent cores add those while they rename registers, in no time.
void dependent_additions() {
  std::uint64_t x = 1, y = 1;
  asm volatile("" : "+r"(y));
  for (int i = 0; i < kIterations / 4; ++i)
    asm volatile(".rept %c2\nadd %1, %0\n.endr" : "+r"(x) : "r"(y), "i"(kAdditions));
}

constexpr PeakLoop twelve(void (*run)(), double operations, std::string_view instruction) {
  return {run, operations * 12 * kIterations, instruction};
}

bool is_avx512(std::string_view isa) { return isa == "avx512" || isa == "avx512vnni" || isa == "amx"; }

}  // namespace

std::optional<PeakLoop> product_peak(std::string_view isa, Multiplier multiplier) {
  const bool words = multiplier == Multiplier::words;
  if (isa == "avx512vnni") return twelve(vpdpbusd_zmm, 64, "vpdpbusd zmm");
  if (isa == "avxvnni") return twelve(vpdpbusd_ymm, 32, "vpdpbusd ymm");
  if (isa == "avx512") {
    return words ? twelve(vpmaddwd_zmm, 32, "vpmaddwd zmm") : twelve(vpmaddubsw_zmm, 64, "vpmaddubsw zmm");
  }
  if (isa == "avx2") {
    return words ? twelve(vpmaddwd_ymm, 16, "vpmaddwd ymm") : twelve(vpmaddubsw_ymm, 32, "vpmaddubsw ymm");
  }
  return std::nullopt;
}

PeakLoop integer_peak(std::string_view isa, Multiplier multiplier) {
  return product_peak(isa == "amx" ? "avx512vnni" : isa, multiplier)
      .value_or(PeakLoop{dependent_multiplications, 4.0 * kIterations, "imul"});
}

PeakLoop float_peak(std::string_view isa) {
  if (is_avx512(isa)) return twelve(fma_zmm, 16, "vfmadd231ps zmm");
  if (isa == "avx2" || isa == "avxvnni") return twelve(fma_ymm, 8, "vfmadd231ps ymm");
  return {dependent_multiplications, 4.0 * kIterations, "imul"};
}

PeakLoop clock_cycles() { return {dependent_additions, 1.0 * kAdditions * (kIterations / 4), "add"}; }

double seconds_of(const PeakLoop& loop) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  loop.run();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void BestPeak::sample(int runs) {
  for (int i = 0; i < runs; ++i) best_ = std::max(best_, loop_.operations / seconds_of(loop_));
}

}  // namespace nybble::bench
