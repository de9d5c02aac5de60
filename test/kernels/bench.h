// Timing beside a calibrated peak: rounds of the kernel and of a loop of nothing but the multiply
// instruction, interleaved, so that both see the same clock; the best of each counts.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "kernels/kernel_set.h"
#include "test/kernels/check.h"

namespace nybble::kernels::test {

/// Seconds of one call, the best of several rounds, and what the machine could do in that time.
struct Timing {
  double seconds;
  double cycles;               ///< of the core's clock, by a chain of dependent multiplications
  double multiply_per_second;  ///< peak: u8×s8 products (vpdpbusd, vpmaddwd) a second of this set
  double fma_per_second;       ///< peak: float FMAs (lanes) a second of this set
};

/// Prints a line of an entry that passes over `elements` floats.
void print_per_element(const std::string& what, const Timing& timing, double elements);

Timing time_call(const KernelSet& set, const std::function<void()>& call);

/// Floats at a 64-byte boundary.
class Floats {
 public:
  explicit Floats(std::size_t n, float spread = 1.0F) : memory_(n + 16) {
    Random random(1);
    for (float& x : memory_) x = random.normal() * spread;
  }
  float* data() {
    const auto address = reinterpret_cast<std::uintptr_t>(memory_.data());
    return memory_.data() + (64 - address % 64) % 64 / 4;
  }
  std::uint8_t* bytes() { return reinterpret_cast<std::uint8_t*>(data()); }

 private:
  std::vector<float> memory_;
};

}  // namespace nybble::kernels::test
