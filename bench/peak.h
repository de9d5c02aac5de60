// What a core could do: loops of nothing but one instruction, to be timed between the rounds of what is
// measured, so that both see the same clock. Cores are shared and change speed; only shares within one run
// mean something.
#pragma once

#include <optional>
#include <string_view>

namespace nybble::bench {

/// A loop on the calling thread; takes some ten microseconds.
struct PeakLoop {
  void (*run)();
  double operations;             ///< of one run
  std::string_view instruction;  ///< "vpdpbusd zmm"
};

/// What a product multiplies with on a set that has no instruction for u8 × s8 sums of four.
enum class Multiplier {
  words,  ///< vpmaddwd on 16 bits; bytes of 8 bits, whose sums need vpmaddubsw and vpmaddwd, have the same
          ///< bound
  bytes   ///< vpmaddubsw: sums of two products must fit 16 bits
};

/// u8 × s8 multiply-adds by the instruction that this set's products use: vpdpbusd where the set has it, else
/// `multiplier`. None for a set without vectors, nor for amx, whose tiles no loop here measures.
std::optional<PeakLoop> product_peak(std::string_view isa, Multiplier multiplier);
/// The same for what is no product but multiplies integers: of amx vpdpbusd, and of a set without vectors a
/// chain of scalar multiplications.
PeakLoop integer_peak(std::string_view isa, Multiplier multiplier = Multiplier::words);
/// FP32 multiply-adds (lanes) by the widest FMA of this set.
PeakLoop float_peak(std::string_view isa);
/// Cycles of the core's clock, by a chain of dependent additions; the time-stamp counter is another clock.
PeakLoop clock_cycles();

/// Seconds that one run takes now.
double seconds_of(const PeakLoop& loop);

/// The best that a loop reached in any of its runs, which are to be spread over what is measured.
class BestPeak {
 public:
  explicit BestPeak(PeakLoop loop) : loop_(loop) {}
  void sample(int runs);
  /// Operations a second on one thread; 0 before sample().
  double per_second() const { return best_; }

 private:
  PeakLoop loop_;
  double best_ = 0;
};

}  // namespace nybble::bench
