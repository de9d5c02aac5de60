#include "runtime/value_homes.h"

#include <catch2/catch.hpp>
#include <map>
#include <vector>

#include "../graph/tiny_bert.h"
#include "graph/passes/passes.h"
#include "kernels/kernel_set.h"

using namespace nybble;
using namespace nybble::graph;
using namespace nybble::runtime;

namespace {

Graph encoder(WeightFormat format, const std::set<std::string, std::less<>>& disabled = {},
              bool per_token = false, PoolMode pooling = PoolMode::mean) {
  const auto config = test::tiny_bert_config(3);
  ImportTarget target;
  target.normalize = true;
  target.per_token = per_token;
  target.pooling = {pooling};
  Graph graph = test::import_tiny(config, test::bert_tensors(config), target).graph;
  PassRun run;
  run.settings.weights = format;
  run.disabled = disabled;
  run_passes(graph, run);
  return graph;
}

std::vector<Graph> encoders() {
  return {
      encoder(WeightFormat::int8), encoder(WeightFormat::int8, {}, false, PoolMode::cls),
      encoder(WeightFormat::f32), encoder(WeightFormat::int8, {}, true),
      encoder(WeightFormat::f32, {"merge_qkv", "fuse_bias", "fuse_activation", "fuse_residual_layernorm"})};
}

std::size_t stage_of(const std::vector<StageNodes>& stages, std::ptrdiff_t node) {
  for (std::size_t i = 0; i < stages.size(); ++i) {
    if (static_cast<std::ptrdiff_t>(stages[i].begin) <= node &&
        node < static_cast<std::ptrdiff_t>(stages[i].end))
      return i;
  }
  return stages.size();
}

/// Bytes that a value occupies at a home, and when: nodes for scratch, stages for the workspace.
struct Use {
  std::size_t begin, end;
  std::size_t first, last;
  Location::Home home;
  bool overlaps(const Use& other) const {
    return home == other.home && begin < other.end && other.begin < end && first <= other.last &&
           other.first <= last;
  }
};

/// Floats or codes of a value, and the last node that reads them.
struct Part {
  std::vector<Location> locations;
  std::size_t row_bytes;
  std::ptrdiff_t made, read;
};

std::vector<Part> parts_of(const Graph& graph, const ValueHomes& places, std::size_t i) {
  const auto id = static_cast<ValueId>(i);
  const ValueHome& home = places.homes[i];
  const auto columns = static_cast<int>(graph.values[i].shape[1].size);
  const std::ptrdiff_t made = maker(graph, id);
  std::vector<Part> parts;
  for (const bool codes : {false, true}) {
    if (!reads_as(graph.values[i].type, codes ? ElementType::u8_rows : ElementType::f32)) continue;
    std::ptrdiff_t read = made;
    for (const std::size_t reader : readers(graph, id)) {
      const Node& node = graph.nodes[reader];
      for (std::size_t in = 0; in < node.inputs.size(); ++in) {
        const bool reads = node.inputs[in] == id && reads_codes(graph, node, in) == codes;
        if (reads) read = std::max(read, static_cast<std::ptrdiff_t>(reader));
      }
    }
    const int bytes = codes ? kernels::padded_depth(columns) : 4 * kernels::padded_columns(columns);
    parts.push_back(
        {codes ? std::vector<Location>{home.codes, home.scales} : std::vector<Location>{home.data},
         static_cast<std::size_t>(bytes), made, read});
  }
  return parts;
}

std::vector<Use> uses_of(const Graph& graph, const std::vector<StageNodes>& stages, const ValueHomes& places,
                         int rows) {
  std::vector<Use> uses;
  const auto room = static_cast<std::size_t>(padded_rows(rows));
  for (std::size_t i = 0; i < graph.values.size(); ++i) {
    if (graph.values[i].kind != ValueKind::result || is_output(graph, static_cast<ValueId>(i))) continue;
    for (const Part& part : parts_of(graph, places, i)) {
      for (const Location& location : part.locations) {
        const bool scratch = location.home == Location::Home::scratch;
        uses.push_back({location.offset * room, location.offset * room + room * location.row_bytes,
                        scratch ? static_cast<std::size_t>(part.made) : stage_of(stages, part.made),
                        scratch ? static_cast<std::size_t>(part.read) : stage_of(stages, part.read),
                        location.home});
      }
    }
  }
  return uses;
}

}  // namespace

TEST_CASE("stages cover all nodes in order; attention stands alone, sequences apart from rows") {
  for (const Graph& graph : encoders()) {
    const std::vector<StageNodes> stages = group_stages(graph);
    std::size_t next = 0;
    for (const StageNodes& stage : stages) {
      REQUIRE(stage.begin == next);
      REQUIRE(stage.end > stage.begin);
      next = stage.end;
      for (std::size_t i = stage.begin; i < stage.end; ++i) {
        const Node& node = graph.nodes[i];
        const bool per_sequence =
            graph.values[static_cast<std::size_t>(node.output)].shape[0] == Extent::sequences();
        REQUIRE((node.op == Op::attention) == (stage.kind == StageKind::attention));
        if (stage.kind != StageKind::attention) REQUIRE(per_sequence == (stage.kind == StageKind::sequences));
      }
      if (stage.kind == StageKind::attention) REQUIRE(stage.end == stage.begin + 1);
    }
    REQUIRE(next == graph.nodes.size());
  }
}

TEST_CASE("an encoder layer has two stages: attention and all the rest") {
  const std::vector<StageNodes> stages = group_stages(encoder(WeightFormat::int8));
  REQUIRE(stages.size() == 1 + 3 * 2 + 1);
  // Under a cls pool the last layer has its queries, its attention and the rest, a row a sequence.
  REQUIRE(group_stages(encoder(WeightFormat::int8, {}, false, PoolMode::cls)).size() == 1 + 2 * 2 + 3);
}

TEST_CASE("only what one stage makes and reads lies in scratch, and the output in the caller's rows") {
  for (const Graph& graph : encoders()) {
    const std::vector<StageNodes> stages = group_stages(graph);
    const ValueHomes places = place_values(graph, stages, std::size_t{1} << 20);
    for (std::size_t i = 0; i < graph.values.size(); ++i) {
      if (graph.values[i].kind != ValueKind::result) continue;
      const auto id = static_cast<ValueId>(i);
      const Location& data = places.homes[i].data;
      REQUIRE((data.home == Location::Home::output) == is_output(graph, id));
      const auto columns = static_cast<int>(graph.values[i].shape[1].size);
      if (is_output(graph, id)) {
        REQUIRE(data.row_bytes == static_cast<std::size_t>(columns) * 4);
        continue;
      }
      for (const Part& part : parts_of(graph, places, i)) {
        const bool one_stage = stage_of(stages, part.made) == stage_of(stages, part.read);
        for (const Location& location : part.locations)
          REQUIRE((location.home == Location::Home::scratch) == one_stage);
        REQUIRE(part.locations[0].row_bytes == part.row_bytes);
      }
    }
  }
}

TEST_CASE(
    "no two values that live together share memory, and each begins on a cache line, whatever the rows and "
    "the cache") {
  for (const Graph& graph : encoders()) {
    const std::vector<StageNodes> stages = group_stages(graph);
    for (const int rows : {1, 7, 64, 1000}) {
      for (const std::size_t l2 :
           {std::size_t{1}, std::size_t{5000}, std::size_t{1} << 18, std::size_t{1} << 30}) {
        const ValueHomes places = place_values(graph, stages, l2);
        REQUIRE(places.block_rows >= 1);
        const std::vector<Use> uses = uses_of(graph, stages, places, rows);
        int overlaps = 0, outside = 0, unaligned = 0;
        for (std::size_t i = 0; i < uses.size(); ++i) {
          const std::size_t row_bytes =
              uses[i].home == Location::Home::scratch ? places.scratch_row_bytes : places.row_bytes;
          outside += uses[i].end > row_bytes * static_cast<std::size_t>(padded_rows(rows));
          unaligned += uses[i].begin % 64 != 0;
          for (std::size_t j = 0; j < i; ++j) overlaps += uses[i].overlaps(uses[j]);
        }
        INFO("rows " << rows << ", L2 " << l2 << ", block " << places.block_rows);
        REQUIRE(overlaps == 0);
        REQUIRE(outside == 0);
        REQUIRE(unaligned == 0);
      }
    }
  }
}

TEST_CASE("a larger cache gives blocks that are at least as large, and scratch of at most twice its size") {
  const Graph graph = encoder(WeightFormat::int8);
  const std::vector<StageNodes> stages = group_stages(graph);
  int before = 0;
  for (std::size_t l2 = 1 << 12; l2 <= (1 << 24); l2 *= 2) {
    const ValueHomes places = place_values(graph, stages, l2);
    REQUIRE(places.block_rows >= before);
    if (places.block_rows > 12)
      REQUIRE(places.scratch_row_bytes * static_cast<std::size_t>(places.block_rows) <= 2 * l2);
    before = places.block_rows;
  }
}
