// What a core could do: loops of nothing but one instruction, to be timed between the rounds of what is
// measured, so that both see the same clock. Cores are shared and change speed; only shares within one run
// mean something.
#pragma once

#include <string_view>

namespace nybble::bench {

/// A loop on the calling thread; takes some ten microseconds.
struct PeakLoop {
  void (*run)();
  double operations;  ///< of one run
};

/// u8 × s8 multiply-adds by the instruction that this set's products use: vpdpbusd, or vpmaddwd of AVX2.
PeakLoop integer_peak(std::string_view isa);
/// FP32 multiply-adds (lanes) by the widest FMA of this set.
PeakLoop float_peak(std::string_view isa);
/// Cycles of the core's clock, by a chain of dependent multiplications; the time-stamp counter is another
/// clock.
PeakLoop clock_cycles();

/// Seconds that one run takes now.
double seconds_of(const PeakLoop& loop);

}  // namespace nybble::bench
