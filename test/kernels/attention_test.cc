// The scalar attentions and softmax against plain definitions in long double, and how far integer attention
// is from them.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/float_environment.h"
#include "kernels/registry.h"
#include "test/kernels/check.h"

namespace nybble::kernels {
namespace {

using test::Random;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// One head's operands, [length][head_dim] each, and what a call needs.
struct Head {
  Head(int length, int head_dim, std::uint64_t seed)
      : q(static_cast<std::size_t>(length) * head_dim),
        k(q.size()),
        v(q.size()),
        out(q.size()),
        scratch(std::max(attention_scratch_floats(length, head_dim),
                         attention_s8_scratch_bytes(length, head_dim) / sizeof(float))) {
    Random random(seed);
    for (auto* values : {&q, &k, &v}) {
      for (float& x : *values) x = random.normal();
    }
    args = {q.data(),
            k.data(),
            v.data(),
            head_dim,
            head_dim,
            head_dim,
            length,
            head_dim,
            0,
            length,
            1 / std::sqrt(static_cast<float>(head_dim)),
            out.data(),
            head_dim,
            scratch.data()};
  }
  Head(const Head&) = delete;

  const std::vector<float>& run(void (*entry)(const AttentionArgs&) noexcept) {
    const FloatEnvironment environment;
    entry(args);
    return out;
  }

  std::vector<float> q, k, v, out, scratch;
  AttentionArgs args;
};

bool sees(const AttentionArgs& args, int row, int key) {
  return args.window < 0 || std::abs(row - key) <= args.window;
}

/// softmax(scale · Q·Kᵀ + bias) · V by its definition.
std::vector<long double> definition(const AttentionArgs& args) {
  std::vector<long double> out(static_cast<std::size_t>(args.length) * args.head_dim);
  for (int row = 0; row < args.length; ++row) {
    std::vector<long double> e(args.length, -INFINITY);
    for (int key = 0; key < args.length; ++key) {
      if (!sees(args, row, key)) continue;
      long double sum = 0;
      for (int d = 0; d < args.head_dim; ++d) {
        sum += static_cast<long double>(args.q[row * args.ldq + d]) * args.k[key * args.ldk + d];
      }
      e[key] = sum * args.scale + (args.bias == nullptr ? 0 : args.bias[row * args.ld_bias + key]);
    }
    const long double most = *std::max_element(e.begin(), e.end());
    long double mass = 0;
    for (long double& x : e) mass += x = std::exp(x - most);
    for (int d = 0; d < args.head_dim; ++d) {
      long double sum = 0;
      for (int key = 0; key < args.length; ++key) sum += e[key] * args.v[key * args.ldv + d];
      out[static_cast<std::size_t>(row) * args.head_dim + d] = sum / mass;
    }
  }
  return out;
}

/// The root of the mean square of the difference, as a share of the values' own.
double relative_error(const std::vector<float>& found, const std::vector<long double>& truth) {
  long double error = 0, power = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    error += (found[i] - truth[i]) * (found[i] - truth[i]);
    power += truth[i] * truth[i];
  }
  return static_cast<double>(std::sqrt(error / power));
}

std::vector<float> biases(int length) {
  std::vector<float> bias(static_cast<std::size_t>(length) * length);
  Random random(7);
  for (float& x : bias) x = random.integer(0, 9) == 0 ? -kInfinity : random.normal();
  return bias;
}

TEST_CASE("attention in floats computes the definition, windows and biases included") {
  const auto entry = find_set("scalar").attention_f32;
  for (const int window : {-1, 0, 5, 40}) {
    Head head(50, 24, 3);
    const std::vector<float> bias = biases(50);
    head.args.window = window;
    CHECK(relative_error(head.run(entry), definition(head.args)) < 3e-7);
    if (window == 0) continue;  // a bias may leave such a row without a key
    head.args.bias = bias.data(), head.args.ld_bias = 50;
    CHECK(relative_error(head.run(entry), definition(head.args)) < 3e-7);
  }
}

TEST_CASE("integer attention stays near the definition") {
  const auto entry = find_set("scalar").attention_s8;
  for (const int length : {16, 17, 128, 300}) {
    for (const float sharpness : {1.0F, 4.0F}) {
      Head head(length, 32, 5);
      for (float& x : head.q) x *= sharpness;
      const double error = relative_error(head.run(entry), definition(head.args));
      INFO("length " << length << ", sharpness " << sharpness << ": " << error);
      CHECK(error < (sharpness == 1 ? 0.015 : 0.025));
      head.args.window = 20;
      CHECK(relative_error(head.run(entry), definition(head.args)) < (sharpness == 1 ? 0.015 : 0.025));
      const std::vector<float> bias = biases(length);
      head.args.bias = bias.data(), head.args.ld_bias = length;
      CHECK(relative_error(head.run(entry), definition(head.args)) < (sharpness == 1 ? 0.015 : 0.025));
    }
  }
}

TEST_CASE("integer attention averages equal keys to the last level of V") {
  Head head(200, 8, 9);
  std::fill(head.k.begin(), head.k.end(), 1.0F);
  std::fill(head.v.begin(), head.v.end(), -3.0F);
  for (const float x : head.run(find_set("scalar").attention_s8)) CHECK(x == Approx(-3.0F).epsilon(1e-6));
}

TEST_CASE("integer attention says NaN where a score is, or a column of V") {
  const auto entry = find_set("scalar").attention_s8;
  const auto nans = [&](Head& head) {
    const std::vector<float>& out = head.run(entry);
    return std::count_if(out.begin(), out.end(), [](float x) { return std::isnan(x); });
  };
  Head query(20, 8, 1), key(20, 8, 1), value(20, 8, 1), infinite(20, 8, 1);
  query.q[3 * 8] = kNan;
  CHECK(nans(query) == 8);  // one row
  key.k[3 * 8] = kNan;
  CHECK(nans(key) == 20 * 8);
  key.args.window = 2;
  CHECK(nans(key) == 5 * 8);  // the rows that see the key
  value.v[3 * 8 + 2] = -kInfinity;
  CHECK(nans(value) == 20);  // one column
  infinite.q[3 * 8] = kInfinity;
  CHECK(nans(infinite) == 8);
}

TEST_CASE("a query whose keys are all masked gets zeros") {
  for (const auto entry : {find_set("scalar").attention_s8, find_set("scalar").attention_f32}) {
    Head head(20, 8, 1);
    std::vector<float> bias(20 * 20, 0.0F);
    std::fill(bias.begin() + 40, bias.begin() + 60, -kInfinity);  // row 2
    head.args.bias = bias.data(), head.args.ld_bias = 20;
    const std::vector<float>& out = head.run(entry);
    for (int d = 0; d < 8; ++d) CHECK(out[16 + d] == 0);
    CHECK(out[24] != 0);
  }
}

TEST_CASE("integer attention takes queries, keys and values of zeros") {
  Head head(20, 8, 1);
  std::fill(head.q.begin(), head.q.end(), 0.0F);
  CHECK(relative_error(head.run(find_set("scalar").attention_s8), definition(head.args)) < 0.01);
  std::fill(head.v.begin(), head.v.end(), -0.0F);
  for (const float x : head.run(find_set("scalar").attention_s8)) CHECK(x == 0);
}

std::vector<float> softmax(std::vector<float> x, SoftmaxArgs args) {
  const FloatEnvironment environment;
  args.x = x.data(), args.ld = args.n = static_cast<int>(x.size()), args.m = 1;
  if (args.length == 0) args.length = args.n;
  find_set("scalar").softmax(args);
  return x;
}

TEST_CASE("softmax gives shares of the keys, and zeros elsewhere") {
  SoftmaxArgs args{};
  const std::vector<float> all = softmax({0.0F, std::log(2.0F), 0.0F, 0.0F}, args);
  CHECK(all[0] == Approx(0.2F));
  CHECK(all[1] == Approx(0.4F));
  args.length = 2;
  CHECK(softmax({1.0F, 1.0F, 5.0F, kNan}, args) == std::vector<float>{0.5F, 0.5F, 0.0F, 0.0F});
  args.length = 4, args.window = 1, args.first_position = 3;
  CHECK(softmax({kNan, 7.0F, 1.0F, 1.0F}, args) == std::vector<float>{0.0F, 0.0F, 0.5F, 0.5F});
  args.first_position = 9;
  CHECK(softmax({kNan, 7.0F, 1.0F, 1.0F}, args) == std::vector<float>(4, 0.0F));
  const float bias[] = {0.0F, -kInfinity, 0.0F, 0.0F};
  args = {}, args.bias = bias, args.ld_bias = 4;
  CHECK(softmax({1.0F, 1.0F, 1.0F, -kInfinity}, args) == std::vector<float>{0.5F, 0.0F, 0.5F, 0.0F});
}

TEST_CASE("softmax of a row without a finite score: zeros for -infinity, NaN for +infinity and NaN") {
  const SoftmaxArgs args{};
  CHECK(softmax({-kInfinity, -kInfinity}, args) == std::vector<float>(2, 0.0F));
  for (const float bad : {kInfinity, kNan}) {
    for (const float x : softmax({1.0F, bad, -kInfinity}, args)) CHECK(std::isnan(x));
  }
}

TEST_CASE("rotary keeps lengths and turns by the angle of the position") {
  const float cos[] = {1.0F, 0.6F}, sin[] = {0.0F, 0.8F};  // positions 0 and 1
  for (const bool interleaved : {false, true}) {
    std::vector<float> x = {2.0F, 1.0F, 7.0F, 2.0F, 1.0F, 7.0F};  // two rows of one head of 3
    find_set("scalar").rotary({x.data(), 3, 2, 1, 3, 2, interleaved, nullptr, 0, cos, sin});
    CHECK(x == std::vector<float>{2.0F, 1.0F, 7.0F, 2 * 0.6F - 0.8F, 0.6F + 2 * 0.8F, 7.0F});
  }
}

}  // namespace
}  // namespace nybble::kernels
