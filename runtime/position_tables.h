// What positions mean to a plan, made at load: the angles of rotary embeddings and the biases of attention.
#pragma once

#include <cstddef>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "graph/ir.h"

namespace nybble::runtime {

/// cos and sin of position · frequency[i] for each position of a sequence whose theta is the node's own,
/// [position][rotary_dim / 2].
struct RotaryTable {
  std::vector<float> cos, sin;
};

/// How the theta of an Op::rotary grows with the length of a sequence.
struct RotaryStretch {
  explicit RotaryStretch(const graph::Node& node);

  int trained = std::numeric_limits<int>::max();  ///< longer sequences have another theta
  double stretch = 1;

  /// theta · (stretch · length / trained - (stretch - 1))^(dim / (dim - 2)) where length > trained: NTK-aware
  /// scaling by the length at hand, as Hugging Face's "dynamic" type has it.
  double theta(double theta, int length, int dim) const;
};

/// 1 / theta^(i / n) / factor for each of n pairs of values, in floats as `transformers` has them.
void rotary_frequencies(double theta, double factor, std::span<float> frequencies);
/// cos and sin of position · frequency, for each frequency.
void rotary_angles(int position, std::span<const float> frequencies, float* cos, float* sin);

/// Biases of attention that depend on key - query alone: `of(head)` is a row of 2·longest - 1 values whose
/// middle is distance 0, so that with a row stride of -1 it is the bias of every query and key.
struct DistanceBias {
  int longest = 0;
  std::vector<float> values;  ///< [head][2·longest - 1]

  /// What AttentionArgs::bias takes with ld_bias = -1.
  const float* of(int head) const {
    const auto row = static_cast<std::size_t>(2 * longest - 1);
    return values.data() + static_cast<std::size_t>(head) * row + static_cast<std::size_t>(longest) - 1;
  }
};

/// Each table is made once, for all layers that have it. Not thread-safe while it grows; what it gave out
/// stays where it is and may be read by any thread.
class PositionTables {
 public:
  explicit PositionTables(int longest) : longest_(longest) {}

  /// The table of an Op::rotary. Frequencies and angles are floats as in `transformers`; cos and sin of them
  /// are correctly rounded but for one in about a million, on every machine the same.
  const RotaryTable& rotary(const graph::Node& node);
  /// Relative positions by the buckets of T5 (Raffel et al. 2020; as MPNet has them, in both directions):
  /// `table` is [buckets][heads].
  const DistanceBias& buckets(const std::string& name, std::span<const float> table, int heads,
                              int max_distance);
  /// -slope · |key - query| (Press et al. 2022), the slopes a geometric sequence over the heads.
  const DistanceBias& alibi(int heads);

  std::size_t bytes() const;

 private:
  int longest_;
  std::map<std::tuple<double, double, int, int>, RotaryTable> rotary_;
  std::map<std::string, DistanceBias> biases_;
};

/// The bucket of a distance key - query among `buckets`, half of them for keys behind the query: exact up to
/// half of those, then by the logarithm up to max_distance.
int relative_bucket(int distance, int buckets, int max_distance);

/// The slope of a head among `heads`.
double alibi_slope(int head, int heads);

/// sin and cos of 0 ≤ x < 2^20, to 1e-13, by the same operations everywhere.
struct SinCos {
  double sin, cos;
};
SinCos sin_cos(double x);

}  // namespace nybble::runtime
