#include "quant/weight_scales.h"

#include <algorithm>
#include <cmath>

namespace nybble::quant {
namespace {

constexpr std::size_t kLanes = 16;  // as sums along a row have them (docs/numerics.md)

/// The codes that a weight may have, less the one that stands for 0.
struct CodeRange {
  float least, greatest;
};

/// rint, by an addition: exact below 2^22, where codes are, and a vector instruction everywhere.
float nearest(float x) {
  constexpr float kMagic = 0x1.8p23f;
  return x + kMagic - kMagic;
}

/// Σ (u - ratio · code)², code = clamp(rint(u / ratio)), in `scale` 1: u = w / scale.
float squared_error(std::span<const float> w, float inverse, float ratio, const CodeRange& codes) {
  float lanes[kLanes] = {};
  const float closer = inverse / ratio;
  std::size_t i = 0;
  const auto add = [&](std::size_t lane, float weight) {
    const float code = std::clamp(nearest(weight * closer), codes.least, codes.greatest);
    const float error = weight * inverse - ratio * code;
    lanes[lane] += error * error;
  };
  for (; i + kLanes <= w.size(); i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) add(lane, w[i + lane]);
  }
  for (; i < w.size(); ++i) add(i % kLanes, w[i]);
  for (std::size_t half = kLanes / 2; half > 0; half /= 2) {
    for (std::size_t lane = 0; lane < half; ++lane) lanes[lane] += lanes[lane + half];
  }
  return lanes[0];
}

/// The scale of those that least_squares tries which leaves the least error; of equal ones the largest.
float least_squares(std::span<const float> w, float scale, const CodeRange& codes) {
  const float inverse = 1.0f / scale;
  float best = scale, least = squared_error(w, inverse, 1.0f, codes);
  for (int step = 1; step < kScaleSteps; ++step) {
    const float ratio = 1.0f - static_cast<float>(step) / 32.0f;
    const float error = squared_error(w, inverse, ratio, codes);
    if (error >= least) continue;
    least = error;
    best = scale * ratio;
  }
  return best;
}

struct Range {
  float low, high;
};

/// From 0 to the least and to the greatest value.
Range range_of(std::span<const float> w) {
  float low[kLanes] = {}, high[kLanes] = {};
  const auto widen = [&](std::size_t lane, float weight) {
    low[lane] = weight < low[lane] ? weight : low[lane];
    high[lane] = weight > high[lane] ? weight : high[lane];
  };
  std::size_t i = 0;
  for (; i + kLanes <= w.size(); i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) widen(lane, w[i + lane]);
  }
  for (; i < w.size(); ++i) widen(i % kLanes, w[i]);
  return {*std::min_element(low, low + kLanes), *std::max_element(high, high + kLanes)};
}

/// `scale` is that by which no weight is cut off.
WeightScale fit(const IntegerFormat& format, std::span<const float> w, float scale, float zero) {
  if (format.scales == ScaleRule::least_squares) {
    const CodeRange codes{static_cast<float>(kernels::least_code(format.pack)) - zero,
                          static_cast<float>(kernels::greatest_code(format.pack)) - zero};
    scale = least_squares(w, scale, codes);
  }
  return {std::isnormal(scale) ? scale : 0.0f, static_cast<std::int8_t>(zero)};
}

}  // namespace

WeightScale channel_scale(const IntegerFormat& format, std::span<const float> w, float absmax) {
  const int middle = kernels::middle_code(format.pack);
  const float scale = absmax / static_cast<float>(kernels::greatest_code(format.pack) - middle);
  if (!std::isnormal(scale)) return {0.0f, static_cast<std::int8_t>(middle)};
  return fit(format, w, scale, static_cast<float>(middle));
}

WeightScale group_scale(const IntegerFormat& format, std::span<const float> w) {
  const auto first = static_cast<float>(kernels::least_code(format.pack)),
             last = static_cast<float>(kernels::greatest_code(format.pack));
  const auto [low, high] = range_of(w);
  const float scale = high / (last - first) - low / (last - first);
  if (!std::isnormal(scale)) return {0.0f, static_cast<std::int8_t>(kernels::middle_code(format.pack))};
  return fit(format, w, scale, std::clamp(first + nearest(-low / scale), first, last));
}

}  // namespace nybble::quant
