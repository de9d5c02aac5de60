#include "test/kernels/bench.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "bench/peak.h"

namespace nybble::kernels::test {
namespace {

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double time_once(const std::function<void()>& call, int repeats) {
  const double start = seconds_now();
  for (int i = 0; i < repeats; ++i) call();
  return (seconds_now() - start) / repeats;
}

}  // namespace

Timing time_call(const KernelSet& set, const std::function<void()>& call) {
  constexpr double kRound = 1e-3;
  const bench::PeakLoop clock = bench::clock_cycles(), multiply = bench::integer_peak(set.name),
                        fma = bench::float_peak(set.name);
  call();
  const double estimate = std::max(time_once(call, 1), 1e-9);
  const int repeats = std::clamp(static_cast<int>(kRound / estimate), 1, 1000000);
  double best = 1e9, best_multiply = 1e9, best_fma = 1e9, best_clock = 1e9;
  for (int round = 0; round < 15; ++round) {
    best_clock = std::min(best_clock, bench::seconds_of(clock));
    best_multiply = std::min(best_multiply, bench::seconds_of(multiply));
    best = std::min(best, time_once(call, repeats));
    best_fma = std::min(best_fma, bench::seconds_of(fma));
  }
  const double hertz = clock.operations / best_clock;
  return {best, best * hertz, multiply.operations / best_multiply, fma.operations / best_fma};
}

void print_per_element(const std::string& what, const Timing& t, double elements) {
  std::printf("  %-34s %7.3f cycles/element  %6.2f GB/s of FP32\n", what.c_str(), t.cycles / elements,
              elements * 4e-9 / t.seconds);
}

}  // namespace nybble::kernels::test
