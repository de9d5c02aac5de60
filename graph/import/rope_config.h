// Rotary positions as config.json describes them, in the spellings that there are.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "graph/import/config_reader.h"
#include "graph/ir.h"

namespace nybble::graph {

/// The angles of rotary positions: position / (theta^(2i / dim) · factor).
struct Rope {
  double theta = 0;
  double factor = 1;
  std::int64_t trained = 0;  ///< tokens beyond which theta grows with the length, by `stretch`; 0: never
  double stretch = 1;
};

/// Where a config may say it: transformers 5 in an object `rope_parameters` (or one a kind of layer), with
/// `rope_theta`, `rope_type` and its numbers; others in a key of the config, with an object `rope_scaling`
/// beside it.
struct RopeKeys {
  std::optional<ConfigReader> parameters;   ///< the object of transformers 5, if there is one
  std::string_view theta;                   ///< else the key of the config
  double default_theta;                     ///< where neither names one
  std::span<const std::string_view> types;  ///< that the family has, of "default", "linear" and "ntk"
};

/// Reads it; `dim` values of each head are turned. Fails on another type, or an option that these do not
/// have.
Rope read_rope(const ConfigReader& config, const RopeKeys& keys, std::int64_t dim);

/// The attributes of Op::rotary for the first `heads` heads of a row.
Attributes rotary_attributes(const Rope& rope, std::int64_t heads, std::int64_t head_dim,
                             std::int64_t rotary_dim, bool interleaved = false);

}  // namespace nybble::graph
