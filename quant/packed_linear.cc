#include "quant/packed_linear.h"

#include <algorithm>
#include <cmath>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "nybble/error.h"

namespace nybble::quant {
namespace {

[[noreturn]] void fail_not_finite(std::span<const SourceRows> sources, std::string_view what,
                                  std::size_t row) {
  std::string label = "a linear";
  for (const SourceRows& source : sources) {
    label = source.label;
    if (row < static_cast<std::size_t>(source.rows)) break;
    row -= static_cast<std::size_t>(source.rows);
  }
  throw Error(ErrorCode::unsupported_model, label + ": expected finite " + std::string(what) +
                                                ", found NaN or infinity in row " + std::to_string(row));
}

/// Scale of a row: absmax / 127, or 0 where that would be subnormal, which is too coarse to keep codes
/// within ±127 (docs/numerics.md, weights).
float channel_scale(const kernels::KernelSet& kernels, std::span<const float> w, std::size_t row, int k,
                    std::span<const SourceRows> sources) {
  const float absmax = kernels.absmax(w.data() + row * static_cast<std::size_t>(k), k);
  if (!std::isfinite(absmax)) fail_not_finite(sources, "weights", row);
  const float scale = absmax / 127.0f;
  return std::isnormal(scale) ? scale : 0.0f;
}

}  // namespace

PackedLinear::PackedLinear(const kernels::KernelSet& kernels, std::span<const float> w, int n, int k,
                           std::span<const float> bias, std::span<const SourceRows> weight_sources,
                           std::span<const SourceRows> bias_sources)
    : n_(n), k_(k) {
  for (std::size_t i = 0; i < bias.size(); ++i) {
    if (!std::isfinite(bias[i])) fail_not_finite(bias_sources, "biases", i);
  }
  std::vector<float> scales(static_cast<std::size_t>(n));
  data_.reset(static_cast<std::byte*>(::operator new[](bytes(), std::align_val_t{64})));
  // Panel by panel, so that rows are packed out of the cache into which the search for their scale brought
  // them.
  std::size_t row = 0;
  for (int panel = 0; panel < kernels::panel_count(n); ++panel) {
    const int end = std::min(n, (panel + 1) * kernels::kPanelColumns);
    for (; row < static_cast<std::size_t>(end); ++row)
      scales[row] = channel_scale(kernels, w, row, k, weight_sources);
    kernels.pack({.w = w.data(),
                  .ldw = k,
                  .n = n,
                  .k = k,
                  .scale = scales.data(),
                  .zero = nullptr,
                  .bias = bias.empty() ? nullptr : bias.data(),
                  .pack = data_.get()},
                 panel);
  }
}

}  // namespace nybble::quant
