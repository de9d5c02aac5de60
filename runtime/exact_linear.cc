#include "runtime/exact_linear.h"

namespace nybble::runtime {

ExactLinear::ExactLinear(std::span<const float> w, std::span<const float> bias, int n, int k)
    : n_(n), k_(k), panels_(kernels::linear_floats(n, k)), bias_(bias.begin(), bias.end()) {
  const auto depth = static_cast<std::size_t>(k);
  for (std::size_t column = 0; column < static_cast<std::size_t>(n); ++column) {
    float* panel = panels_.data() + column / 16 * 16 * depth + column % 16;
    for (std::size_t i = 0; i < depth; ++i) panel[i * 16] = w[column * depth + i];
  }
}

kernels::LinearArgs ExactLinear::args() const noexcept {
  kernels::LinearArgs args{};
  args.w = panels_.data();
  args.bias = bias_.empty() ? nullptr : bias_.data();
  args.n = n_;
  args.k = k_;
  return args;
}

}  // namespace nybble::runtime
