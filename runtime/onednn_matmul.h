// FP32 linear layers on oneDNN. The one file that touches its API; compiles against 2.6 and 3.x.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace nybble::runtime {

/// y = x·Wᵀ + bias by oneDNN matmul primitives, on the calling thread alone. Immutable after construction;
/// any number of threads may call run().
class OnednnMatmul {
 public:
  /// w [n][k] row-major, bias [n]; both are copied. ldx, ldy: strides of the rows given to run().
  OnednnMatmul(std::span<const float> w, std::span<const float> bias, int n, int k, std::ptrdiff_t ldx,
               std::ptrdiff_t ldy);
  ~OnednnMatmul();
  OnednnMatmul(OnednnMatmul&&) noexcept;

  void run(const float* x, int m, float* y) const;

  std::size_t bytes() const;        ///< of the weights as oneDNN holds them
  const std::string& name() const;  ///< of the primitive's implementation, e.g. "onednn:brg:avx512_core"

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace nybble::runtime
