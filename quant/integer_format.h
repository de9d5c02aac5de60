// The integer formats of a linear layer's weights: the one table of what each name means.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

#include "kernels/kernel_set.h"

namespace nybble::quant {

/// How the scale of a channel or group follows from its weights (docs/numerics.md, weights).
enum class ScaleRule {
  absmax,         ///< the largest weight has the largest code
  least_squares,  ///< of kScaleSteps smaller ones too, that with the least squared error
};

struct IntegerFormat {
  std::string_view name;     ///< of --weights, the graph's `format` and `nybble explain`
  kernels::PackFormat pack;  ///< groups have zero codes of their own; channels are symmetric
  ScaleRule scales;
  std::string_view entry;  ///< of KernelSet: the product, by name and as pointer
  void (*kernels::KernelSet::*product)(const kernels::GemmArgs&) noexcept;
};

/// Best first. int5 has no groups: with them it is slower than int6 and less accurate. docs/accuracy.md has
/// what was measured.
inline constexpr std::array kIntegerFormats = {
    IntegerFormat{"int8", {.bits = 8}, ScaleRule::absmax, "gemm_u8s8", &kernels::KernelSet::gemm_u8s8},
    IntegerFormat{"int7", {.bits = 7}, ScaleRule::least_squares, "gemm_u8s7", &kernels::KernelSet::gemm_u8s7},
    IntegerFormat{"int6", {.bits = 6}, ScaleRule::least_squares, "gemm_u8s6", &kernels::KernelSet::gemm_u8s6},
    IntegerFormat{"int5", {.bits = 5}, ScaleRule::least_squares, "gemm_u8s5", &kernels::KernelSet::gemm_u8s5},
    IntegerFormat{"int4",
                  {.bits = 4, .group = 64},
                  ScaleRule::least_squares,
                  "gemm_u8s4",
                  &kernels::KernelSet::gemm_u8s4},
};

/// The format of that name, or null.
constexpr const IntegerFormat* find_integer_format(std::string_view name) {
  const auto found = std::find_if(kIntegerFormats.begin(), kIntegerFormats.end(),
                                  [&](const IntegerFormat& format) { return format.name == name; });
  return found == kIntegerFormats.end() ? nullptr : &*found;
}

}  // namespace nybble::quant
