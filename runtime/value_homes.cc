#include "runtime/value_homes.h"

#include <algorithm>

#include "kernels/kernel_set.h"
#include "runtime/memory_plan.h"

namespace nybble::runtime {
namespace {

// A block's tile has 6 rows; 192 rows already read each weight panel 32 times from the cache.
constexpr int kTileRows = 6;
constexpr int kMostBlockRows = 192;
// The scratch of a block shares L2 with the panels that stream through it.
constexpr double kL2Share = 0.6;

StageKind kind_of(const graph::Graph& graph, const graph::Node& node) {
  if (node.op == graph::Op::attention) return StageKind::attention;
  const graph::Value& result = graph.values[static_cast<std::size_t>(node.output)];
  return result.shape[0].kind == graph::Extent::Kind::sequences ? StageKind::sequences : StageKind::rows;
}

/// Stages in which a value is made and read, and nodes likewise.
struct Life {
  int first_stage = -1, last_stage = -1;
  int first_node = -1, last_node = -1;
};

std::vector<Life> lives_of(const graph::Graph& graph, const std::vector<StageNodes>& stages) {
  std::vector<Life> lives(graph.values.size());
  for (std::size_t stage = 0; stage < stages.size(); ++stage) {
    for (std::size_t i = stages[stage].begin; i < stages[stage].end; ++i) {
      Life& made = lives[static_cast<std::size_t>(graph.nodes[i].output)];
      made = {static_cast<int>(stage), static_cast<int>(stage), static_cast<int>(i), static_cast<int>(i)};
      for (const graph::ValueId input : graph.nodes[i].inputs) {
        Life& read = lives[static_cast<std::size_t>(input)];
        read.last_stage = static_cast<int>(stage);
        read.last_node = static_cast<int>(i);
      }
    }
  }
  return lives;
}

struct RowBytes {
  std::size_t data = 0, scales = 0;
};

RowBytes row_bytes(const graph::Value& value) {
  const int columns = static_cast<int>(value.shape[1].size);
  if (value.type == graph::ElementType::u8_rows) {
    return {static_cast<std::size_t>(kernels::padded_depth(columns)),
            sizeof(kernels::RowScale) * static_cast<std::size_t>(kernels::row_block_count(columns))};
  }
  return {sizeof(float) * static_cast<std::size_t>(kernels::padded_columns(columns)), 0};
}

/// Sets the homes of `values` to places in one block; returns the bytes of the block for each row that it has
/// room for. kRowUnit rows of any value fill whole cache lines, so that offsets grow with the rows.
std::size_t place(const graph::Graph& graph, const std::vector<graph::ValueId>& values, Location::Home home,
                  const std::vector<std::pair<int, int>>& spans, std::vector<ValueHome>& homes) {
  std::vector<Lifetime> lifetimes;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const RowBytes bytes = row_bytes(graph.values[static_cast<std::size_t>(values[i])]);
    for (const std::size_t row : {bytes.data, bytes.scales}) {
      lifetimes.push_back({row * kRowUnit, spans[i].first, spans[i].second, 0});
    }
  }
  const std::size_t total = place_buffers(lifetimes);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const RowBytes bytes = row_bytes(graph.values[static_cast<std::size_t>(values[i])]);
    homes[static_cast<std::size_t>(values[i])] = {
        {home, lifetimes[2 * i].offset / kRowUnit, bytes.data},
        {home, lifetimes[2 * i + 1].offset / kRowUnit, bytes.scales}};
  }
  return total / kRowUnit;
}

int choose_block_rows(std::size_t bytes_per_row, std::size_t l2_bytes) {
  if (bytes_per_row == 0) return kMostBlockRows;
  const double fit = kL2Share * static_cast<double>(l2_bytes) / static_cast<double>(bytes_per_row);
  const int rows =
      static_cast<int>(std::min(fit, static_cast<double>(kMostBlockRows))) / kTileRows * kTileRows;
  return std::max(rows, 2 * kTileRows);
}

}  // namespace

std::vector<StageNodes> group_stages(const graph::Graph& graph) {
  std::vector<StageNodes> stages;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const StageKind kind = kind_of(graph, graph.nodes[i]);
    if (stages.empty() || stages.back().kind != kind || kind == StageKind::attention)
      stages.push_back({kind, i, i});
    stages.back().end = i + 1;
  }
  return stages;
}

ValueHomes place_values(const graph::Graph& graph, const std::vector<StageNodes>& stages,
                        std::size_t l2_bytes) {
  const std::vector<Life> lives = lives_of(graph, stages);
  std::vector<graph::ValueId> shared, local;
  std::vector<std::pair<int, int>> shared_spans, local_spans;
  ValueHomes result;
  result.homes.resize(graph.values.size());
  for (std::size_t i = 0; i < graph.values.size(); ++i) {
    if (graph.values[i].kind != graph::ValueKind::result) continue;
    const auto id = static_cast<graph::ValueId>(i);
    const Life& life = lives[i];
    if (graph::is_output(graph, id)) {
      const auto columns = static_cast<std::size_t>(graph.values[i].shape[1].size);
      result.homes[i].data = {Location::Home::output, 0, columns * sizeof(float)};
    } else if (life.first_stage == life.last_stage) {
      local.push_back(id);
      local_spans.emplace_back(life.first_node, life.last_node);
    } else {
      shared.push_back(id);
      shared_spans.emplace_back(life.first_stage, life.last_stage);
    }
  }
  result.scratch_row_bytes = place(graph, local, Location::Home::scratch, local_spans, result.homes);
  result.block_rows = choose_block_rows(result.scratch_row_bytes, l2_bytes);
  result.row_bytes = place(graph, shared, Location::Home::workspace, shared_spans, result.homes);
  return result;
}

}  // namespace nybble::runtime
