#include "graph/relative_rows.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace nybble::graph {
namespace {

/// The natural logarithm of x ≥ 1 to 1e-15, by operations that round alike everywhere, as libm's do not:
/// x = 2^e · m, log m = 2·(t + t³/3 + t⁵/5 + …) with t = (m - 1) / (m + 1) ≤ 1/5.
double log_of(double x) {
  constexpr double kLog2 = 0x1.62e42fefa39efp-1;
  int exponent = 0;
  for (; x > 1.5; x *= 0.5) ++exponent;
  const double t = (x - 1) / (x + 1);
  double sum = 0;
  for (int power = 25; power > 0; power -= 2) sum = sum * t * t + 1.0 / power;
  return 2 * t * sum + exponent * kLog2;
}

/// Rounded where the reference rounds, since a quotient of logarithms may be a whole number but for that.
float float_log(float x) { return static_cast<float>(log_of(static_cast<double>(x))); }

/// Distances beyond `middle`: middle + ceil(log(distance / middle) / log((max - 1) / middle) · (middle - 1)).
std::int64_t log_bucket(std::int64_t distance, std::int64_t middle, std::int64_t max_distance) {
  const auto ratio = static_cast<float>(distance) / static_cast<float>(middle);
  const auto most = static_cast<float>(static_cast<double>(max_distance - 1) / static_cast<double>(middle));
  const float share = float_log(ratio) / float_log(most) * static_cast<float>(middle - 1);
  return static_cast<std::int64_t>(std::ceil(share)) + middle;
}

bool flag(const Node& node, std::string_view name) { return integer(node, name) != 0; }

}  // namespace

RelativeInputs relative_inputs(const Node& attention) {
  const std::size_t count = relative_input_count(attention);
  RelativeInputs at;
  std::size_t next = at.table = attention.inputs.size() - count;
  ++next;
  const auto take = [&](bool is_there) { return is_there ? (next += 2) - 2 : 0; };
  at.gamma = take(has(attention, "norm_epsilon"));
  at.key_weight = take(flag(attention, "c2p"));
  at.query_weight = take(flag(attention, "p2c"));
  return at;
}

std::size_t relative_input_count(const Node& attention) {
  const std::size_t pairs = std::size_t{has(attention, "norm_epsilon")} +
                            std::size_t{flag(attention, "c2p")} + std::size_t{flag(attention, "p2c")};
  return 1 + 2 * pairs;
}

RelativeBuckets relative_buckets(const Node& attention) {
  return {integer(attention, "buckets"), integer(attention, "max_distance")};
}

std::int64_t relative_row(const RelativeBuckets& by, std::int64_t distance) {
  const std::int64_t far = std::abs(distance), middle = by.buckets / 2, span = by.span();
  std::int64_t bucket = distance;
  if (by.buckets > 0 && far > middle) {
    const std::int64_t found = log_bucket(far, middle, by.max_distance);
    bucket = distance < 0 ? -found : found;
  }
  return std::clamp<std::int64_t>(bucket + span, 0, 2 * span - 1);
}

}  // namespace nybble::graph
