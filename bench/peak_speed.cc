// Prints what this machine could do, as often as asked: for rivals that are timed by another program.
//
//   peak_speed [THREADS]
//
// Each line of stdin, whatever it holds, is answered after some ten milliseconds with one JSON object:
// {"isa":"avx512vnni","instruction":"vpdpbusd zmm","threads":1,"integer_gmac_s":…,"float_gmac_s":…}:
// multiply-adds a second of all threads together, each the best of many short loops of nothing but the
// instruction (bench/peak.h).
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "bench/peak.h"
#include "kernels/registry.h"

namespace {

constexpr int kLoops = 100;  // some 30 µs each

struct Speed {
  double integers = 0, floats = 0;
};

Speed speed_of_this_thread(std::string_view isa) {
  const auto integers = nybble::bench::integer_peak(isa), floats = nybble::bench::float_peak(isa);
  Speed best;
  for (int i = 0; i < kLoops; ++i) {
    best.integers = std::max(best.integers, integers.operations / nybble::bench::seconds_of(integers));
    best.floats = std::max(best.floats, floats.operations / nybble::bench::seconds_of(floats));
  }
  return best;
}

Speed speed_of_all(std::string_view isa, int threads) {
  std::vector<Speed> speeds(static_cast<std::size_t>(threads));
  {
    std::vector<std::jthread> running;
    for (Speed& speed : speeds) running.emplace_back([&speed, isa] { speed = speed_of_this_thread(isa); });
  }
  Speed sum;
  for (const Speed& speed : speeds) {
    sum.integers += speed.integers;
    sum.floats += speed.floats;
  }
  return sum;
}

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::max(1, std::atoi(argv[1])) : 1;
  const std::string_view isa = nybble::kernels::default_set().name;
  for (std::string line; std::getline(std::cin, line);) {
    const Speed speed = speed_of_all(isa, threads);
    fmt::print(
        "{{\"isa\":\"{}\",\"instruction\":\"{}\",\"threads\":{},\"integer_gmac_s\":{:.2f},\"float_gmac_s\":{:"
        ".2f}}}\n",
        isa, nybble::bench::integer_peak(isa).instruction, threads, speed.integers / 1e9, speed.floats / 1e9);
    std::fflush(stdout);
  }
  return 0;
}
