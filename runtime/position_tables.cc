#include "runtime/position_tables.h"

#include <algorithm>
#include <cmath>

#include "graph/power.h"

namespace nybble::runtime {

SinCos sin_cos(double x) {
  // x = k·π/2 + r with |r| ≤ π/4; π/2 in three parts, of which k times the first two are exact below 2^20.
  constexpr double kHigh = 0x1.921fb544p+0, kMiddle = 0x1.0b4611a6p-34, kLow = 0x1.3198a2e037073p-69;
  const double k = std::floor(x * 0.63661977236758134308 + 0.5);
  const double r = ((x - k * kHigh) - k * kMiddle) - k * kLow, r2 = r * r;
  double sin = 0, cos = 0;  // Taylor, to 1/17! and 1/16!
  for (int n = 17; n >= 3; n -= 2) sin = (1 + sin) * -r2 / (n * (n - 1));
  for (int n = 16; n >= 2; n -= 2) cos = (1 + cos) * -r2 / (n * (n - 1));
  sin = r * (1 + sin);
  cos = 1 + cos;
  switch (static_cast<long>(k) & 3) {
    case 0:
      return {sin, cos};
    case 1:
      return {cos, -sin};
    case 2:
      return {-sin, -cos};
    default:
      return {-cos, sin};
  }
}

void rotary_frequencies(double theta, double factor, std::span<float> frequencies) {
  const double base = static_cast<double>(static_cast<float>(theta));
  for (std::size_t i = 0; i < frequencies.size(); ++i) {
    const float exponent = static_cast<float>(i) / static_cast<float>(frequencies.size());
    const float power = static_cast<float>(graph::power(base, static_cast<double>(exponent)));
    frequencies[i] = 1.0F / power / static_cast<float>(factor);
  }
}

void rotary_angles(int position, std::span<const float> frequencies, float* cos, float* sin) {
  for (std::size_t i = 0; i < frequencies.size(); ++i) {
    const SinCos value = sin_cos(static_cast<double>(static_cast<float>(position) * frequencies[i]));
    cos[i] = static_cast<float>(value.cos);
    sin[i] = static_cast<float>(value.sin);
  }
}

const RotaryTable& PositionTables::rotary(const graph::Node& node) {
  const RotaryStretch stretch(node);
  const double theta = graph::number(node, "theta");
  const double factor = graph::has(node, "factor") ? graph::number(node, "factor") : 1.0;
  const int dim = static_cast<int>(graph::integer(node, "rotary_dim"));
  const int positions = std::min(longest_, stretch.trained);
  const auto [made, is_new] = rotary_.try_emplace({theta, factor, dim, positions});
  RotaryTable& table = made->second;
  if (!is_new) return table;
  std::vector<float> frequencies(static_cast<std::size_t>(dim / 2));
  rotary_frequencies(theta, factor, frequencies);
  const std::size_t values = static_cast<std::size_t>(positions) * frequencies.size();
  table.cos.resize(values);
  table.sin.resize(values);
  for (int position = 0; position < positions; ++position) {
    const std::size_t at = static_cast<std::size_t>(position) * frequencies.size();
    rotary_angles(position, frequencies, table.cos.data() + at, table.sin.data() + at);
  }
  return table;
}

RotaryStretch::RotaryStretch(const graph::Node& node) {
  if (!graph::has(node, "trained")) return;
  trained = static_cast<int>(graph::integer(node, "trained"));
  stretch = graph::number(node, "stretch");
}

double RotaryStretch::theta(double theta, int length, int dim) const {
  if (length <= trained) return theta;
  const double base = stretch * length / trained - (stretch - 1);
  return theta * graph::power(base, static_cast<double>(dim) / (dim - 2));
}

int relative_bucket(int distance, int buckets, int max_distance) {
  const int half = buckets / 2, exact = half / 2;
  const int first = distance > 0 ? half : 0, away = std::abs(distance);
  if (away < exact) return first + away;
  // In floats, as the reference has it: a border may fall either way.
  const float ratio = static_cast<float>(away) / static_cast<float>(exact);
  const auto log = [](double value) { return static_cast<float>(graph::logarithm(value)); };
  const float range = log(static_cast<double>(max_distance) / exact);
  const float place = log(static_cast<double>(ratio)) / range * static_cast<float>(half - exact);
  return first + std::min(half - 1, exact + static_cast<int>(place));
}

const DistanceBias& PositionTables::buckets(const std::string& name, std::span<const float> table, int heads,
                                            int max_distance) {
  const auto [made, is_new] = biases_.try_emplace(name + "/" + std::to_string(max_distance));
  DistanceBias& bias = made->second;
  if (!is_new) return bias;
  bias.longest = longest_;
  const int count = static_cast<int>(table.size()) / heads;
  for (int head = 0; head < heads; ++head) {
    for (int distance = 1 - longest_; distance < longest_; ++distance) {
      const int bucket = relative_bucket(distance, count, max_distance);
      bias.values.push_back(table[static_cast<std::size_t>(bucket * heads + head)]);
    }
  }
  return bias;
}

double alibi_slope(int head, int heads) {
  int power = 1;
  while (power * 2 <= heads) power *= 2;
  // Where heads are no power of 2, those beyond one take every second slope of twice as many.
  const bool beyond = head >= power;
  const double step = 8.0 / (beyond ? 2 * power : power);
  const int place = beyond ? 2 * (head - power) + 1 : head + 1;
  // 2^-integer exactly, in whatever way the rest is computed.
  const double exponent = -step * place, whole = std::floor(exponent);
  return std::ldexp(graph::power(2, exponent - whole), static_cast<int>(whole));
}

const DistanceBias& PositionTables::alibi(int heads) {
  const auto [made, is_new] = biases_.try_emplace("alibi/" + std::to_string(heads));
  DistanceBias& bias = made->second;
  if (!is_new) return bias;
  bias.longest = longest_;
  for (int head = 0; head < heads; ++head) {
    const auto slope = static_cast<float>(alibi_slope(head, heads));
    for (int distance = 1 - longest_; distance < longest_; ++distance)
      bias.values.push_back(-slope * static_cast<float>(std::abs(distance)));
  }
  return bias;
}

std::size_t PositionTables::bytes() const {
  std::size_t floats = 0;
  for (const auto& [key, table] : rotary_) floats += table.cos.size() + table.sin.size();
  for (const auto& [key, bias] : biases_) floats += bias.values.size();
  return floats * sizeof(float);
}

}  // namespace nybble::runtime
