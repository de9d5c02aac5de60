// How far the functions of portable/functions.h are from the true ones, in long double, over dense grids. The
// widths of the kernels compute the same bits (check_kernels), so one float at a time is enough.
#include "kernels/portable/functions.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "kernels/log1p.h"
#include "kernels/scalar/attention_s8.h"
#include "kernels/scalar/f32x1.h"

namespace nybble::kernels {
namespace {

using scalar::F32x1;

/// The distance between floats at the magnitude of x.
long double ulp_at(long double x) {
  const float magnitude = std::max(static_cast<float>(std::fabs(x)), std::numeric_limits<float>::min());
  return std::nextafter(magnitude, std::numeric_limits<float>::infinity()) - magnitude;
}

/// The largest of error(x) for floats from `low` to `high`, about a million of them and every power of two.
template <class Error>
long double worst(float low, float high, Error error) {
  long double largest = 0;
  constexpr int kSteps = 1 << 20;
  for (int i = 0; i <= kSteps; ++i) {
    const float x = low + (high - low) * (static_cast<float>(i) / kSteps);
    if (x >= low && x <= high) largest = std::max(largest, error(x));
  }
  for (int e = -126; e < 128; ++e) {
    for (const float x : {std::ldexp(1.0F, e), -std::ldexp(1.0F, e)}) {
      if (x >= low && x <= high) largest = std::max(largest, error(x));
    }
  }
  return largest;
}

long double true_gelu_erf(long double x) { return 0.5L * x * std::erfc(-x / std::sqrt(2.0L)); }

long double true_gelu_tanh(long double x) {
  const long double u = std::sqrt(2 / std::acos(-1.0L)) * (x + 0.044715L * x * x * x);
  return x / (1 + std::exp(-2 * u));
}

TEST_CASE("exp is within 1 ulp where its result is a normal float") {
  const auto error = [](float x) {
    const long double truth = std::exp(static_cast<long double>(x));
    return std::fabs(exp(F32x1{x}).value - truth) / ulp_at(truth);
  };
  const long double ulps = std::max(worst(-87.32F, 88.72F, error), worst(-1.0F, 1.0F, error));
  INFO("exp: " << ulps << " ulp");
  CHECK(ulps < 1.0L);
}

TEST_CASE("exp is 0 far below, infinite far above, NaN for NaN") {
  CHECK(exp(F32x1{-87.33F}).value == 0);
  CHECK(exp(F32x1{-std::numeric_limits<float>::infinity()}).value == 0);
  CHECK(exp(F32x1{89.0F}).value == std::numeric_limits<float>::infinity());
  CHECK(exp(F32x1{std::numeric_limits<float>::infinity()}).value == std::numeric_limits<float>::infinity());
  CHECK(std::isnan(exp(F32x1{std::numeric_limits<float>::quiet_NaN()}).value));
}

TEST_CASE("gelu_erf is within 1 ulp of x, and within 3e-8 where x is negative") {
  const auto in_ulps = [](float x) {
    return std::fabs(gelu_erf(F32x1{x}).value - true_gelu_erf(x)) / ulp_at(x);
  };
  const auto absolute = [](float x) { return std::fabs(gelu_erf(F32x1{x}).value - true_gelu_erf(x)); };
  const long double ulps = std::max(worst(-30.0F, 30.0F, in_ulps), worst(-1.0F, 1.0F, in_ulps));
  const long double negative = worst(-6.0F, 0.0F, absolute);
  INFO("gelu_erf: " << ulps << " ulp of x; " << negative << " for x < 0");
  CHECK(ulps < 1.0L);
  CHECK(negative < 3e-8L);
}

TEST_CASE("gelu_erf_q is within 2.4e-4") {
  const auto error = [](float x) { return std::fabs(gelu_erf_q(F32x1{x}).value - true_gelu_erf(x)); };
  const long double largest = worst(-12.0F, 12.0F, error);
  INFO("gelu_erf_q: " << largest);
  CHECK(largest < 2.4e-4L);
}

TEST_CASE("gelu_tanh is within 2 ulp of x") {
  const auto error = [](float x) {
    return std::fabs(gelu_tanh(F32x1{x}).value - true_gelu_tanh(x)) / ulp_at(x);
  };
  const long double ulps = std::max(worst(-30.0F, 30.0F, error), worst(-1.0F, 1.0F, error));
  INFO("gelu_tanh: " << ulps << " ulp of x");
  CHECK(ulps < 2.0L);
}

TEST_CASE("sigmoid and silu are within 3 ulp of themselves where they are normal floats") {
  const auto sigmoid_error = [](float x) {
    const long double truth = 1 / (1 + std::exp(-static_cast<long double>(x)));
    return std::fabs(sigmoid(F32x1{x}).value - truth) / ulp_at(truth);
  };
  const auto silu_error = [](float x) {
    const long double truth = x / (1 + std::exp(-static_cast<long double>(x)));
    return std::fabs(silu(F32x1{x}).value - truth) / ulp_at(truth);
  };
  const long double sigmoids =
      std::max(worst(-87.0F, 30.0F, sigmoid_error), worst(-1.0F, 1.0F, sigmoid_error));
  const long double silus = std::max(worst(-87.0F, 30.0F, silu_error), worst(-1.0F, 1.0F, silu_error));
  INFO("sigmoid: " << sigmoids << " ulp, silu: " << silus << " ulp");
  CHECK(sigmoids < 3.0L);
  CHECK(silus < 3.0L);
}

TEST_CASE("tanh is within 3 ulp of itself") {
  const auto error = [](float x) {
    const long double truth = std::tanh(static_cast<long double>(x));
    return std::fabs(tanh(F32x1{x}).value - truth) / ulp_at(truth);
  };
  const long double ulps =
      std::max({worst(-12.0F, 12.0F, error), worst(-1.0F, 1.0F, error), worst(-0.01F, 0.01F, error)});
  INFO("tanh: " << ulps << " ulp");
  CHECK(ulps < 3.0L);
  CHECK(tanh(F32x1{std::numeric_limits<float>::infinity()}).value == 1);
  CHECK(tanh(F32x1{-std::numeric_limits<float>::infinity()}).value == -1);
}

TEST_CASE("log1p_relu is within 2 ulp, 0 for what is not positive, and canonical for NaN") {
  const auto error = [](float x) {
    const long double truth = std::log1p(static_cast<long double>(x));
    return std::fabs(log1p_relu(x) - truth) / ulp_at(truth);
  };
  const long double ulps =
      std::max({worst(0.0F, 1.0F, error), worst(0.9F, 40.0F, error), worst(0.0F, 1e-3F, error),
                worst(1.0F, std::numeric_limits<float>::max() / 2, error)});
  INFO("log1p_relu: " << ulps << " ulp");
  CHECK(ulps < 2.0L);
  for (const float x : {0.0F, -0.0F, -1.0F, -1e30F, -std::numeric_limits<float>::infinity()})
    CHECK(scalar::to_bits(log1p_relu(x)) == 0);
  CHECK(log1p_relu(std::numeric_limits<float>::infinity()) == std::numeric_limits<float>::infinity());
  CHECK(scalar::to_bits(log1p_relu(-std::numeric_limits<float>::quiet_NaN())) == 0x7FC00000);
}

TEST_CASE("erf, as gelu_erf holds it in its normal tail, is within 1 ulp of 1") {
  const auto error = [](float a) {
    const long double erf = 1 - 2 * static_cast<long double>(normal_tail(F32x1{a}).value);
    return std::fabs(erf - std::erf(a / std::sqrt(2.0L)));
  };
  const long double largest = worst(0.0F, 5.9F, error);
  INFO("erf: " << largest);
  CHECK(largest < 0x1p-23L);
}

template <int N>
long double worst_weight(const float (&c)[N], long double levels) {
  const auto error = [&](float z) {
    const long double truth = levels * std::exp2(static_cast<long double>(z));
    return std::fabs(scalar::unrounded_weight(c, z) / truth - 1);
  };
  return std::max({worst(-20.0F, 0.0F, error), worst(-1.0F, 0.0F, error), worst(-63.0F, -20.0F, error)});
}

TEST_CASE("weights of integer attention are within 1e-4 of 2^z in 8 bits, and within 3e-6 in 16") {
  const long double narrow = worst_weight(kExp2Of255, 255), wide = worst_weight(kExp2Of65535, 65535);
  INFO("8 bits: " << narrow << ", 16 bits: " << wide);
  CHECK(narrow < 1e-4L);
  CHECK(wide < 3e-6L);
}

TEST_CASE("the greatest weight of integer attention is the greatest level, whatever is near it") {
  for (float z = 0; z > -1e-3F; z = std::nextafter(z, -1.0F) * 1.01F) {
    CHECK(scalar::weight_of(kExp2Of255, z) <= 255);
    CHECK(scalar::weight_of(kExp2Of65535, z) <= 65535);
  }
  CHECK(scalar::weight_of(kExp2Of255, 0.0F) == 255);
  CHECK(scalar::weight_of(kExp2Of65535, 0.0F) == 65535);
  CHECK(scalar::weight_of(kExp2Of65535, -17.1F) == 0);
  CHECK(scalar::weight_of(kExp2Of65535, -std::numeric_limits<float>::infinity()) == 0);
}

TEST_CASE("activations of NaN are the canonical NaN and keep the limits at infinity") {
  const F32x1 nan{scalar::from_bits(0xFFC12345)}, infinity{std::numeric_limits<float>::infinity()};
  for (auto* function : {gelu_erf<F32x1>, gelu_erf_q<F32x1>, gelu_tanh<F32x1>, relu<F32x1>, silu<F32x1>}) {
    CHECK(scalar::to_bits(function(nan).value) == 0x7FC00000);
    CHECK(function(infinity).value == infinity.value);
  }
  CHECK(gelu_erf(F32x1{-infinity.value}).value == 0);
  CHECK(scalar::to_bits(tanh(nan).value) == 0x7FC00000);
  CHECK(scalar::to_bits(sigmoid(nan).value) == 0x7FC00000);
  CHECK(relu(F32x1{-infinity.value}).value == 0);
}

}  // namespace
}  // namespace nybble::kernels
