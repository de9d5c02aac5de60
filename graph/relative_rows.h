// Attention with `position` = "disentangled": DeBERTa's scores by content and relative position (He et al.
// 2021, arXiv:2006.03654, equation 4), with the buckets of DeBERTa-v2.
//
// Behind q, k and v the node has, in this order: a table f32[2·span,hidden] with a row for each relative
// position; where there is `norm_epsilon`, gamma and beta f32[hidden] of a LayerNorm of these rows; where
// `c2p` = 1, the weight f32[hidden,hidden] and the bias f32[hidden] that make keys of them; where `p2c` = 1,
// the same for queries. To scale · q_i·k_j are added, with r = relative_row(i - j),
//   scale · q_i · key_r      where `c2p` = 1 (content to position), and
//   scale · k_j · query_r    where `p2c` = 1 (position to content), head by head.
// span is `buckets` where that is not 0, else `max_distance`.
#pragma once

#include <cstddef>
#include <cstdint>

#include "graph/ir.h"

namespace nybble::graph {

/// Where these inputs stand among the node's; 0: not there. gamma is followed by beta, a weight by its bias.
struct RelativeInputs {
  std::size_t table = 0, gamma = 0, key_weight = 0, query_weight = 0;
};

/// How many inputs they are.
std::size_t relative_input_count(const Node& attention);
RelativeInputs relative_inputs(const Node& attention);

/// How distances become rows of the table.
struct RelativeBuckets {
  std::int64_t buckets = 0;       ///< 0: a row for each distance; else ≥ 2, half of them for each sign
  std::int64_t max_distance = 1;  ///< those from here on share a row; more than buckets / 2 + 1

  std::int64_t span() const { return buckets > 0 ? buckets : max_distance; }
};
RelativeBuckets relative_buckets(const Node& attention);

/// The row of a key that stands `distance` before its query: 0..2·span-1, growing with the distance.
/// Distances up to buckets / 2 have a row each, larger ones share rows by their logarithm, rounded as the
/// reference implementation does in f32. The same on every machine.
std::int64_t relative_row(const RelativeBuckets& by, std::int64_t distance);

}  // namespace nybble::graph
