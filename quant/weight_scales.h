// Scales and zero codes of weights, as docs/numerics.md says them.
#pragma once

#include <cstdint>
#include <span>

#include "quant/integer_format.h"

namespace nybble::quant {

/// How many scales least_squares tries: absmax's times 1, 1 - 1/32, … 1 - (kScaleSteps - 1)/32.
inline constexpr int kScaleSteps = 16;

struct WeightScale {
  float scale;
  std::int8_t zero;  ///< the stored code that stands for 0
};

/// Of the weights of a channel, none of them larger than `absmax`, which is finite. The bits are the same on
/// every machine.
WeightScale channel_scale(const IntegerFormat& format, std::span<const float> w, float absmax);
/// The same of the weights of a group, of a format that has groups.
WeightScale group_scale(const IntegerFormat& format, std::span<const float> w);

}  // namespace nybble::quant
