#include "quant/packed_linear.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <new>
#include <string>
#include <string_view>

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

/// Scale of a row of weights: absmax / 127, or 0 where that would be subnormal, which is too coarse to keep
/// codes within ±127 (docs/numerics.md, weights). `row` names it in errors.
float channel_scale(const kernels::KernelSet& kernels, std::span<const float> w, int row,
                    std::span<const SourceRows> sources) {
  const float absmax = kernels.absmax(w.data(), static_cast<std::ptrdiff_t>(w.size()));
  if (!std::isfinite(absmax)) fail_not_finite(sources, "weights", static_cast<std::size_t>(row));
  const float scale = absmax / 127.0f;
  return std::isnormal(scale) ? scale : 0.0f;
}

}  // namespace

PackedLinear::PackedLinear(const kernels::KernelSet& kernels, const RowReader& rows, int n, int k,
                           std::span<const float> bias, std::span<const SourceRows> weight_sources,
                           std::span<const SourceRows> bias_sources, std::byte* memory)
    : n_(n), k_(k), data_(memory) {
  for (std::size_t i = 0; i < bias.size(); ++i) {
    if (!std::isfinite(bias[i])) fail_not_finite(bias_sources, "biases", i);
  }
  if (data_ == nullptr) {
    owned_.reset(static_cast<std::byte*>(::operator new[](bytes(), std::align_val_t{64})));
    data_ = owned_.get();
  }
  // Panel by panel, each packed as a layer of its own, out of the cache into which the search for its scales
  // brought it.
  for (int panel = 0; panel < kernels::panel_count(n); ++panel) {
    const int begin = panel * kernels::kPanelColumns, end = std::min(n, begin + kernels::kPanelColumns);
    const std::span<const float> w = rows(begin, end);
    std::array<float, kernels::kPanelColumns> scales{};
    const auto depth = static_cast<std::size_t>(k);
    for (int row = begin; row < end; ++row) {
      const auto index = static_cast<std::size_t>(row - begin);
      scales[index] = channel_scale(kernels, w.subspan(index * depth, depth), row, weight_sources);
    }
    kernels.pack({.w = w.data(),
                  .ldw = k,
                  .n = end - begin,
                  .k = k,
                  .scale = scales.data(),
                  .zero = nullptr,
                  .bias = bias.empty() ? nullptr : bias.data() + begin,
                  .pack = data_ + kernels::panel_offset(k, panel)},
                 0);
  }
}

PackedLinear::PackedLinear(const kernels::KernelSet& kernels, std::span<const float> w, int n, int k,
                           std::span<const float> bias, std::span<const SourceRows> weight_sources,
                           std::span<const SourceRows> bias_sources)
    : PackedLinear(
          kernels,
          [w, k](int begin, int end) {
            const auto depth = static_cast<std::size_t>(k);
            return w.subspan(static_cast<std::size_t>(begin) * depth,
                             static_cast<std::size_t>(end - begin) * depth);
          },
          n, k, bias, weight_sources, bias_sources) {}

}  // namespace nybble::quant
