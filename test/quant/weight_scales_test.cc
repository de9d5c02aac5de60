#include "quant/weight_scales.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

using namespace nybble;
using quant::IntegerFormat;
using quant::kIntegerFormats;
using quant::ScaleRule;
using quant::WeightScale;

namespace {

std::vector<float> normals(int count, float deviation, std::mt19937& random) {
  std::normal_distribution<float> normal(0.0f, deviation);
  std::vector<float> values;
  for (int i = 0; i < count; ++i) values.push_back(normal(random));
  return values;
}

/// As a pack has it.
WeightScale fit_scale(const IntegerFormat& format, const std::vector<float>& w) {
  if (format.pack.group != 0) return quant::group_scale(format, w);
  float absmax = 0;
  for (const float weight : w) absmax = std::max(absmax, std::fabs(weight));
  return quant::channel_scale(format, w, absmax);
}

/// Σ (w - scale · code)² of the nearest codes, in double.
double squared_error(const IntegerFormat& format, const std::vector<float>& w, double scale, int zero) {
  const double least = kernels::least_code(format.pack) - zero,
               greatest = kernels::greatest_code(format.pack) - zero;
  double sum = 0;
  for (const float weight : w) {
    const double code = std::clamp(std::nearbyint(weight / scale), least, greatest);
    sum += (weight - scale * code) * (weight - scale * code);
  }
  return sum;
}

/// The scale by which nothing is cut off.
float whole_scale(const IntegerFormat& format, const std::vector<float>& w) {
  const float low = std::min(0.0f, *std::min_element(w.begin(), w.end())),
              high = std::max(0.0f, *std::max_element(w.begin(), w.end()));
  if (format.pack.group != 0) return (high - low) / 15;
  return std::max(high, -low) / static_cast<float>((1 << (format.pack.bits - 1)) - 1);
}

const IntegerFormat& format_of(const char* name) { return *quant::find_integer_format(name); }

}  // namespace

TEST_CASE("int8 has the scale at which the largest weight has the largest code") {
  std::mt19937 random(1);
  for (const int count : {1, 7, 384, 1536}) {
    const std::vector<float> w = normals(count, 0.05f, random);
    const WeightScale fit = fit_scale(format_of("int8"), w);
    float largest = 0;
    for (const float weight : w) largest = std::max(largest, std::fabs(weight));
    REQUIRE(fit.scale == largest / 127.0f);
    REQUIRE(fit.zero == 0);
  }
}

TEST_CASE("of the scales that are tried least squares takes the one with the least error") {
  const unsigned seed = 77;
  INFO("seed " << seed);
  std::mt19937 random(seed);
  int smaller = 0;
  for (const IntegerFormat& format : kIntegerFormats) {
    if (format.scales != ScaleRule::least_squares) continue;
    for (const int count : {1, 2, 15, 33, 64, 384}) {
      for (int round = 0; round < 10; ++round) {
        const std::vector<float> w = normals(count, 0.05f, random);
        const WeightScale fit = fit_scale(format, w);
        const float whole = whole_scale(format, w);
        const double error = squared_error(format, w, fit.scale, fit.zero);
        bool is_one_of_them = false;
        for (int step = 0; step < quant::kScaleSteps; ++step) {
          const float scale = whole * (1.0f - static_cast<float>(step) / 32.0f);
          is_one_of_them |= std::fabs(fit.scale / scale - 1) < 1e-6f;
          INFO(format.name << ", " << count << " weights, step " << step);
          REQUIRE(error <= squared_error(format, w, scale, fit.zero) * 1.0001 + 1e-12);
        }
        REQUIRE(is_one_of_them);
        smaller += fit.scale < 0.99f * whole;
      }
    }
  }
  REQUIRE(smaller > 50);
}

TEST_CASE("a scale is in proportion to its weights, to the last bit for powers of two") {
  std::mt19937 random(3);
  for (const IntegerFormat& format : kIntegerFormats) {
    std::vector<float> w = normals(64, 1.0f, random);
    const WeightScale fit = fit_scale(format, w);
    for (const float factor : {0x1p-100f, 0x1p-20f, 0x1p30f, 0x1p120f}) {
      std::vector<float> scaled = w;
      for (float& weight : scaled) weight *= factor;
      const WeightScale other = fit_scale(format, scaled);
      INFO(format.name << ", " << factor);
      REQUIRE(other.scale == fit.scale * factor);
      REQUIRE(other.zero == fit.zero);
    }
  }
}

TEST_CASE("groups of weights of one sign have all codes for it") {
  const IntegerFormat& format = format_of("int4");
  REQUIRE(format.pack.group == 64);
  std::vector<float> w(64);
  for (std::size_t i = 0; i < w.size(); ++i) w[i] = 1.0f + static_cast<float>(i) / 16;
  REQUIRE(fit_scale(format, w).zero == 0);
  REQUIRE(fit_scale(format, w).scale <= (1.0f + 63.0f / 16) / 15);
  for (float& weight : w) weight = -weight;
  REQUIRE(fit_scale(format, w).zero == 15);
  w[0] = 5;
  REQUIRE(fit_scale(format, w).zero == 7);
}

TEST_CASE("zeros, and weights whose scale would be subnormal, have scale 0 and the code that stands for 0") {
  const float smallest = std::numeric_limits<float>::denorm_min();
  for (const IntegerFormat& format : kIntegerFormats) {
    for (const std::vector<float>& w :
         {std::vector<float>{0, 0, 0}, {-0.0f}, {smallest, -smallest}, {1e-39f}}) {
      const WeightScale fit = fit_scale(format, w);
      INFO(format.name);
      REQUIRE(fit.scale == 0);
      REQUIRE(fit.zero == kernels::middle_code(format.pack));
    }
  }
}

TEST_CASE("the largest floats there are have a finite scale") {
  const float largest = std::numeric_limits<float>::max();
  for (const IntegerFormat& format : kIntegerFormats) {
    for (const std::vector<float>& w : {std::vector<float>{largest, -largest, 1}, {largest}, {-largest, 0}}) {
      const WeightScale fit = fit_scale(format, w);
      INFO(format.name);
      REQUIRE(std::isnormal(fit.scale));
      REQUIRE(fit.zero >= kernels::least_code(format.pack));
      REQUIRE(fit.zero <= kernels::greatest_code(format.pack));
    }
  }
}
