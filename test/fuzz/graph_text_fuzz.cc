// Any text is a sound graph that prints and parses stably and goes through the passes, or is refused in one
// sentence with its place.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "graph/passes/passes.h"
#include "graph/text.h"
#include "graph/verify.h"
#include "test/fuzz/one_sentence.h"

namespace {

using namespace nybble;

void prints_and_parses(const graph::Graph& graph) {
  const std::string text = graph::print(graph);
  fuzz::require(graph::print(graph::parse(text)) == text);
}

void goes_through_passes(graph::Graph graph, graph::WeightFormat format) {
  graph::PassRun run;
  run.settings.weights = format;
  run.observer = [](std::string_view, const graph::Graph& made) { prints_and_parses(made); };
  graph::run_passes(graph, run);
  const graph::Graph once = graph;
  run.observer = nullptr;
  graph::run_passes(graph, run);
  fuzz::require(graph == once);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  graph::Graph graph;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (fuzz::fails_in_one_sentence("graph text, line ", [&] { graph = graph::parse(text); })) return 0;
  graph::verify(graph);
  prints_and_parses(graph);
  goes_through_passes(graph, graph::WeightFormat::f32);
  goes_through_passes(graph, graph::WeightFormat::int8);
  return 0;
}
