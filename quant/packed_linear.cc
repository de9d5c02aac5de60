#include "quant/packed_linear.h"

#include <algorithm>
#include <cmath>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "nybble/error.h"
#include "quant/weight_scales.h"

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

/// The scales and zero codes of the rows of a panel.
class PanelScales {
 public:
  PanelScales(const kernels::KernelSet& kernels, const IntegerFormat& format)
      : kernels_(kernels), format_(format) {}

  /// Adds those of row `row`, which names it in errors.
  void fit(std::span<const float> w, int row, std::span<const SourceRows> sources) {
    const float absmax = kernels_.absmax(w.data(), static_cast<std::ptrdiff_t>(w.size()));
    if (!std::isfinite(absmax)) fail_not_finite(sources, "weights", static_cast<std::size_t>(row));
    if (format_.pack.group == 0) return add(channel_scale(format_, w, absmax));
    while (!w.empty()) {
      const std::size_t length = std::min(w.size(), static_cast<std::size_t>(format_.pack.group));
      add(group_scale(format_, w.first(length)));
      w = w.subspan(length);
    }
  }
  void clear() {
    scales_.clear();
    zeros_.clear();
  }
  const float* scales() const { return scales_.data(); }
  const std::int8_t* zeros() const { return format_.pack.group == 0 ? nullptr : zeros_.data(); }

 private:
  void add(const WeightScale& found) {
    scales_.push_back(found.scale);
    zeros_.push_back(found.zero);
  }

  const kernels::KernelSet& kernels_;
  const IntegerFormat& format_;
  std::vector<float> scales_;
  std::vector<std::int8_t> zeros_;
};

}  // namespace

PackedLinear::PackedLinear(const kernels::KernelSet& kernels, const IntegerFormat& format,
                           const RowReader& rows, int n, int k, std::span<const float> bias,
                           std::span<const SourceRows> weight_sources,
                           std::span<const SourceRows> bias_sources, std::byte* memory)
    : format_(format), n_(n), k_(k), data_(memory) {
  for (std::size_t i = 0; i < bias.size(); ++i) {
    if (!std::isfinite(bias[i])) fail_not_finite(bias_sources, "biases", i);
  }
  if (data_ == nullptr) {
    owned_.reset(static_cast<std::byte*>(::operator new[](bytes(), std::align_val_t{64})));
    data_ = owned_.get();
  }
  // Panel by panel, each packed as a layer of its own, out of the cache into which the search for its scales
  // brought it.
  PanelScales scales(kernels, format_);
  for (int panel = 0; panel < kernels::panel_count(n); ++panel) {
    const int begin = panel * kernels::kPanelColumns, end = std::min(n, begin + kernels::kPanelColumns);
    const std::span<const float> w = rows(begin, end);
    scales.clear();
    const auto depth = static_cast<std::size_t>(k);
    for (int row = begin; row < end; ++row) {
      const auto index = static_cast<std::size_t>(row - begin);
      scales.fit(w.subspan(index * depth, depth), row, weight_sources);
    }
    kernels.pack({.w = w.data(),
                  .ldw = k,
                  .n = end - begin,
                  .k = k,
                  .scale = scales.scales(),
                  .zero = scales.zeros(),
                  .bias = bias.empty() ? nullptr : bias.data() + begin,
                  .pack = data_ + kernels::panel_offset(k, panel, format_.pack),
                  .format = format_.pack},
                 0);
  }
}

PackedLinear::PackedLinear(const kernels::KernelSet& kernels, const IntegerFormat& format,
                           std::span<const float> w, int n, int k, std::span<const float> bias,
                           std::span<const SourceRows> weight_sources,
                           std::span<const SourceRows> bias_sources)
    : PackedLinear(
          kernels, format,
          [w, k](int begin, int end) {
            const auto depth = static_cast<std::size_t>(k);
            return w.subspan(static_cast<std::size_t>(begin) * depth,
                             static_cast<std::size_t>(end - begin) * depth);
          },
          n, k, bias, weight_sources, bias_sources) {}

}  // namespace nybble::quant
