// Where each value of a graph lies while its plan runs.
#pragma once

#include <vector>

#include "graph/ir.h"
#include "runtime/plan.h"

namespace nybble::runtime {

/// Nodes [begin, end) of the graph, which one stage runs.
struct StageNodes {
  StageKind kind = StageKind::rows;
  std::size_t begin = 0, end = 0;
};

/// Groups the nodes: attention stands alone; what works on rows, or on sequences, stands together.
std::vector<StageNodes> group_stages(const graph::Graph& graph);

/// A value's rows: as floats, as codes with their scales, or (f32_u8_rows) both.
struct ValueHome {
  Location data;
  Location codes;
  Location scales;
};

/// Whether `node` reads its input `i` as codes.
bool reads_codes(const graph::Graph& graph, const graph::Node& node, std::size_t i);

struct ValueHomes {
  std::vector<ValueHome> homes;       ///< by ValueId; unused for ids and weights
  std::size_t row_bytes = 0;          ///< of a workspace, for each row
  std::size_t scratch_row_bytes = 0;  ///< of scratch, for each row
  int block_rows = 0;
};

/// Rows that only one stage sees lie in the scratch of the task that makes them, `block_rows` at a time;
/// others in the workspace; the graph's output in the caller's rows. A block is as large as `l2_bytes`
/// allows.
ValueHomes place_values(const graph::Graph& graph, const std::vector<StageNodes>& stages,
                        std::size_t l2_bytes);

}  // namespace nybble::runtime
