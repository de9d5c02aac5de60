#include "runtime/value_homes.h"

#include <algorithm>

#include "kernels/kernel_set.h"
#include "runtime/memory_plan.h"

namespace nybble::runtime {
namespace {

// A block's tile has 6 rows, and a group of 128 tokens is a block: 42 rows of a BERT-base, whose scratch
// would leave L2 room for the panels, take 5 % longer, for weights come from L3 or memory once a block. 174
// rows are no faster than 132.
constexpr int kTileRows = 6;
constexpr int kMostBlockRows = 132;
// The scratch of a block, of which a step needs a part. 132 rows of a BERT-base are 1.6 MB.
constexpr double kL2Share = 2;

StageKind kind_of(const graph::Graph& graph, const graph::Node& node) {
  if (node.op == graph::Op::attention) return StageKind::attention;
  const graph::Value& result = graph.values[static_cast<std::size_t>(node.output)];
  return result.shape[0].kind == graph::Extent::Kind::sequences ? StageKind::sequences : StageKind::rows;
}

/// Stages in which rows are made and read, and nodes likewise.
struct Life {
  int first_stage = -1, last_stage = -1;
  int first_node = -1, last_node = -1;
};

/// The floats of a value and its codes are read by different nodes.
struct ValueLife {
  Life data, codes;
};

std::vector<ValueLife> lives_of(const graph::Graph& graph, const std::vector<StageNodes>& stages) {
  std::vector<ValueLife> lives(graph.values.size());
  for (std::size_t stage = 0; stage < stages.size(); ++stage) {
    for (std::size_t i = stages[stage].begin; i < stages[stage].end; ++i) {
      const graph::Node& node = graph.nodes[i];
      const Life made{static_cast<int>(stage), static_cast<int>(stage), static_cast<int>(i),
                      static_cast<int>(i)};
      lives[static_cast<std::size_t>(node.output)] = {made, made};
      for (std::size_t input = 0; input < node.inputs.size(); ++input) {
        ValueLife& read = lives[static_cast<std::size_t>(node.inputs[input])];
        Life& part = reads_codes(graph, node, input) ? read.codes : read.data;
        part.last_stage = static_cast<int>(stage);
        part.last_node = static_cast<int>(i);
      }
    }
  }
  return lives;
}

/// What a value keeps a row of: at `location`, `bytes` a row.
struct Part {
  Location ValueHome::*location;
  std::size_t bytes;
  Life life;
  std::size_t value;
};

/// The parts of value `i`.
std::vector<Part> parts_of(const graph::Value& value, const ValueLife& life, std::size_t i) {
  const int columns = static_cast<int>(value.shape[1].size);
  std::vector<Part> parts;
  if (reads_as(value.type, graph::ElementType::f32)) {
    const auto bytes = sizeof(float) * static_cast<std::size_t>(kernels::padded_columns(columns));
    parts.push_back({&ValueHome::data, bytes, life.data, i});
  }
  if (reads_as(value.type, graph::ElementType::u8_rows)) {
    const auto blocks = static_cast<std::size_t>(kernels::row_block_count(columns));
    parts.push_back(
        {&ValueHome::codes, static_cast<std::size_t>(kernels::padded_depth(columns)), life.codes, i});
    parts.push_back({&ValueHome::scales, sizeof(kernels::RowScale) * blocks, life.codes, i});
  }
  return parts;
}

/// Sets the homes of `parts` to places in one block; returns the bytes of the block for each row that it has
/// room for. kRowUnit rows of any part fill whole cache lines, so that offsets grow with the rows.
std::size_t place(const std::vector<Part>& parts, Location::Home home, std::vector<ValueHome>& homes) {
  const bool by_node = home == Location::Home::scratch;
  std::vector<Lifetime> lifetimes;
  for (const Part& part : parts) {
    const Life& life = part.life;
    lifetimes.push_back({part.bytes * kRowUnit, by_node ? life.first_node : life.first_stage,
                         by_node ? life.last_node : life.last_stage, 0});
  }
  const std::size_t total = place_buffers(lifetimes);
  for (std::size_t i = 0; i < parts.size(); ++i)
    homes[parts[i].value].*parts[i].location = {home, lifetimes[i].offset / kRowUnit, parts[i].bytes};
  return total / kRowUnit;
}

int choose_block_rows(std::size_t bytes_per_row, std::size_t l2_bytes) {
  if (bytes_per_row == 0) return kMostBlockRows;
  const double fit = kL2Share * static_cast<double>(l2_bytes) / static_cast<double>(bytes_per_row);
  const int rows =
      static_cast<int>(std::min(fit, static_cast<double>(kMostBlockRows))) / kTileRows * kTileRows;
  return std::max(rows, 2 * kTileRows);
}

/// By value: the one whose rows it takes over, since the node between works in place and nobody else reads
/// them; -1 for others.
std::vector<graph::ValueId> rows_taken_over(const graph::Graph& graph) {
  std::vector<int> reads(graph.values.size());
  for (const graph::Node& node : graph.nodes) {
    for (const graph::ValueId input : node.inputs) ++reads[static_cast<std::size_t>(input)];
  }
  std::vector<graph::ValueId> from(graph.values.size(), -1);
  for (const graph::Node& node : graph.nodes) {
    if (node.op != graph::Op::rotary) continue;
    const graph::ValueId x = node.inputs[0];
    const bool is_result = graph.values[static_cast<std::size_t>(x)].kind == graph::ValueKind::result;
    const bool kept = is_output(graph, x) || is_output(graph, node.output);
    if (is_result && !kept && reads[static_cast<std::size_t>(x)] == 1)
      from[static_cast<std::size_t>(node.output)] = x;
  }
  return from;
}

/// The floats of `x` live on as those of `result`.
void join(ValueLife& x, const ValueLife& result) {
  x.data.last_stage = std::max(x.data.last_stage, result.data.last_stage);
  x.data.last_node = std::max(x.data.last_node, result.data.last_node);
}

}  // namespace

bool reads_codes(const graph::Graph& graph, const graph::Node& node, std::size_t i) {
  const graph::Value& value = graph.values[static_cast<std::size_t>(node.inputs[i])];
  if (value.type == graph::ElementType::u8_rows) return true;
  return value.type == graph::ElementType::f32_u8_rows && node.op == graph::Op::linear && i == 0 &&
         graph::is_integer(node);
}

namespace {

/// Whether `node` reads other tokens' rows that nodes from `first` on make.
bool reads_rows_of_stage(const graph::Graph& graph, const graph::Node& node, std::size_t first) {
  if (node.op != graph::Op::unfold) return false;
  const std::ptrdiff_t made_by = graph::maker(graph, node.inputs[0]);
  return made_by >= static_cast<std::ptrdiff_t>(first);
}

}  // namespace

std::vector<StageNodes> group_stages(const graph::Graph& graph) {
  std::vector<StageNodes> stages;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const StageKind kind = kind_of(graph, graph.nodes[i]);
    if (stages.empty() || stages.back().kind != kind || kind == StageKind::attention ||
        reads_rows_of_stage(graph, graph.nodes[i], stages.back().begin))
      stages.push_back({kind, i, i});
    stages.back().end = i + 1;
  }
  return stages;
}

ValueHomes place_values(const graph::Graph& graph, const std::vector<StageNodes>& stages,
                        std::size_t l2_bytes) {
  std::vector<ValueLife> lives = lives_of(graph, stages);
  const std::vector<graph::ValueId> taken_over = rows_taken_over(graph);
  for (std::size_t i = graph.values.size(); i-- > 0;) {
    if (taken_over[i] >= 0) join(lives[static_cast<std::size_t>(taken_over[i])], lives[i]);
  }
  std::vector<Part> shared, local;
  ValueHomes result;
  result.homes.resize(graph.values.size());
  for (std::size_t i = 0; i < graph.values.size(); ++i) {
    const graph::Value& value = graph.values[i];
    if (value.kind == graph::ValueKind::input && value.type == graph::ElementType::f32) {
      const auto columns = static_cast<std::size_t>(value.shape[1].size);
      result.homes[i].data = {Location::Home::input, 0, columns * sizeof(float)};
    }
    if (value.kind != graph::ValueKind::result || taken_over[i] >= 0) continue;
    if (graph::is_output(graph, static_cast<graph::ValueId>(i))) {
      const auto columns = static_cast<std::size_t>(value.shape[1].size);
      result.homes[i].data = {Location::Home::output, 0, columns * sizeof(float)};
      continue;
    }
    for (const Part& part : parts_of(value, lives[i], i)) {
      (part.life.first_stage == part.life.last_stage ? local : shared).push_back(part);
    }
  }
  result.scratch_row_bytes = place(local, Location::Home::scratch, result.homes);
  result.block_rows = choose_block_rows(result.scratch_row_bytes, l2_bytes);
  result.row_bytes = place(shared, Location::Home::workspace, result.homes);
  for (std::size_t i = 0; i < graph.values.size(); ++i) {
    if (taken_over[i] >= 0) result.homes[i] = result.homes[static_cast<std::size_t>(taken_over[i])];
  }
  return result;
}

}  // namespace nybble::runtime
