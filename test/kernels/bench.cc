#include "test/kernels/bench.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string_view>

namespace nybble::kernels::test {
namespace {

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

constexpr int kIterations = 20000;

// Twelve independent accumulators an iteration cover a latency of 4 cycles at three instructions a cycle.
#define NYBBLE_TWELVE(INSTRUCTION, REGISTER)                                                           \
  for (int i = 0; i < kIterations; ++i) {                                                              \
    asm volatile(".irp n,0,1,2,3,4,5,6,7,8,9,10,11\n" INSTRUCTION " %%" REGISTER "13, %%" REGISTER     \
                 "12, %%" REGISTER "\\n\n.endr" ::                                                     \
                     : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", \
                       "xmm10", "xmm11");                                                              \
  }

void peak_vpdpbusd() { NYBBLE_TWELVE("vpdpbusd", "zmm") }
void peak_vpmaddwd() { NYBBLE_TWELVE("vpmaddwd", "ymm") }
void peak_fma_zmm() { NYBBLE_TWELVE("vfmadd231ps", "zmm") }
void peak_fma_ymm() { NYBBLE_TWELVE("vfmadd231ps", "ymm") }

/// A chain of dependent multiplications: three cycles each on every x86-64 core with AVX2.
void clock_chain() {
  std::uint64_t x = 1;
  for (int i = 0; i < kIterations; ++i)
    asm volatile("imul %0, %0\nimul %0, %0\nimul %0, %0\nimul %0, %0" : "+r"(x));
}

/// A loop of one instruction and how many products it makes.
struct Peak {
  void (*loop)();
  double products;
};

Peak multiply_peak(std::string_view isa) {
  if (isa == "avx512vnni") return {peak_vpdpbusd, 64.0 * 12 * kIterations};
  if (isa == "avx2") return {peak_vpmaddwd, 16.0 * 12 * kIterations};
  return {clock_chain, 1.0 / 3 * 12 * kIterations};
}

Peak fma_peak(std::string_view isa) {
  if (isa == "avx512vnni") return {peak_fma_zmm, 16.0 * 12 * kIterations};
  if (isa == "avx2") return {peak_fma_ymm, 8.0 * 12 * kIterations};
  return {clock_chain, 1.0 / 3 * 12 * kIterations};
}

double time_once(const std::function<void()>& call, int repeats) {
  const double start = seconds_now();
  for (int i = 0; i < repeats; ++i) call();
  return (seconds_now() - start) / repeats;
}

}  // namespace

Timing time_call(const KernelSet& set, const std::function<void()>& call) {
  constexpr double kRound = 1e-3;
  const Peak multiply = multiply_peak(set.name), fma = fma_peak(set.name);
  call();
  const double estimate = std::max(time_once(call, 1), 1e-9);
  const int repeats = std::clamp(static_cast<int>(kRound / estimate), 1, 1000000);
  double best = 1e9, best_multiply = 1e9, best_fma = 1e9, best_clock = 1e9;
  for (int round = 0; round < 15; ++round) {
    best_clock = std::min(best_clock, time_once(clock_chain, 1));
    best_multiply = std::min(best_multiply, time_once(multiply.loop, 1));
    best = std::min(best, time_once(call, repeats));
    best_fma = std::min(best_fma, time_once(fma.loop, 1));
  }
  const double hertz = 12.0 * kIterations / best_clock;
  return {best, best * hertz, multiply.products / best_multiply, fma.products / best_fma};
}

}  // namespace nybble::kernels::test
