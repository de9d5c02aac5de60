// The floating-point environment that numerics.md asks for.
#pragma once

#include <xmmintrin.h>

namespace nybble::kernels {

/// Sets MXCSR to 0x1F80 (round to nearest, no flush-to-zero, no denormals-are-zero, exceptions masked) while
/// alive, and restores the caller's on leaving. Every task that calls kernels holds one.
class FloatEnvironment {
 public:
  FloatEnvironment() : saved_(_mm_getcsr()) { _mm_setcsr(0x1F80); }
  ~FloatEnvironment() { _mm_setcsr(saved_); }
  FloatEnvironment(const FloatEnvironment&) = delete;
  FloatEnvironment& operator=(const FloatEnvironment&) = delete;

 private:
  unsigned saved_;
};

}  // namespace nybble::kernels
