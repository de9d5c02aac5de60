#include "graph/import/rope_config.h"

#include <algorithm>
#include <array>

#include "graph/power.h"

namespace nybble::graph {
namespace {

constexpr double kMostTheta = 1e12, kLeastFactor = 1e-3, kMostFactor = 1e6;

/// Refuses what would give other angles than the types here.
void refuse_options(const ConfigReader& scaling) {
  constexpr std::array<std::string_view, 2> kOptions = {"mixed_b", "attention_factor"};
  for (const std::string_view option : kOptions) {
    if (scaling.contains(option)) scaling.fail(option, "nothing", "a value");
  }
  if (const double part = scaling.number_or("partial_rotary_factor", 1, 0, 1); part != 1)
    scaling.fail("partial_rotary_factor", "1", std::to_string(part));
}

std::string read_type(const ConfigReader& scaling, std::span<const std::string_view> types) {
  const std::string_view key = scaling.contains("rope_type") ? "rope_type" : "type";
  std::string type = scaling.string_or(key, "default");
  if (std::find(types.begin(), types.end(), type) == types.end()) scaling.fail_one_of(key, types, type);
  return type;
}

/// The factor of a type that has one.
double read_factor(const ConfigReader& scaling) {
  if (!scaling.contains("factor")) scaling.fail("factor", "a number", "nothing");
  return scaling.number_or("factor", 1, kLeastFactor, kMostFactor);
}

}  // namespace

Rope read_rope(const ConfigReader& config, const RopeKeys& keys, std::int64_t dim) {
  Rope rope;
  rope.theta = config.number_or(keys.theta, keys.default_theta, 1, kMostTheta);
  if (keys.parameters) rope.theta = keys.parameters->number_or("rope_theta", rope.theta, 1, kMostTheta);
  const auto scaling = keys.parameters ? keys.parameters : config.object("rope_scaling");
  if (!scaling) return rope;
  const std::string type = read_type(*scaling, keys.types);
  refuse_options(*scaling);
  if (type == "linear") rope.factor = read_factor(*scaling);
  if (type == "ntk") {
    const double factor = read_factor(*scaling);
    rope.theta *= factor;
    rope.factor = power(factor, 2.0 / static_cast<double>(dim));
  }
  return rope;
}

Attributes rotary_attributes(const Rope& rope, std::int64_t heads, std::int64_t head_dim,
                             std::int64_t rotary_dim, bool interleaved) {
  Attributes attributes = {{"heads", heads},
                           {"head_dim", head_dim},
                           {"rotary_dim", rotary_dim},
                           {"interleaved", std::int64_t{interleaved}},
                           {"theta", rope.theta}};
  if (rope.factor != 1) attributes.insert({"factor", rope.factor});
  if (rope.trained > 0) attributes.insert({{"trained", rope.trained}, {"stretch", rope.stretch}});
  return attributes;
}

}  // namespace nybble::graph
