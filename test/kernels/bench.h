// Timing beside a calibrated peak: rounds of the kernel and of a loop of nothing but the multiply
// instruction, interleaved, so that both see the same clock; the best of each counts.
#pragma once

#include <functional>

#include "kernels/kernel_set.h"

namespace nybble::kernels::test {

/// Seconds of one call, the best of several rounds, and what the machine could do in that time.
struct Timing {
  double seconds;
  double cycles;               ///< of the core's clock, by a chain of dependent multiplications
  double multiply_per_second;  ///< peak: u8×s8 products (vpdpbusd, vpmaddwd) a second of this set
  double fma_per_second;       ///< peak: float FMAs (lanes) a second of this set
};

Timing time_call(const KernelSet& set, const std::function<void()>& call);

}  // namespace nybble::kernels::test
