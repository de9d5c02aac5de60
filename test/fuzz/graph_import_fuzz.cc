// A config.json of any bytes, beside the tensors that it asks for or none at all, becomes a sound graph of
// the config's sizes or is refused in one sentence.
#include <array>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "graph/passes/passes.h"
#include "graph/text.h"
#include "graph/verify.h"
#include "test/fuzz/one_sentence.h"
#include "test/graph/tiny_bert.h"

namespace {

using namespace nybble;

constexpr std::int64_t kMostLayers = 3;  // of a synthetic table; the other sizes are only numbers
constexpr std::array kSizes = {"hidden_size", "num_hidden_layers",       "intermediate_size",
                               "vocab_size",  "max_position_embeddings", "type_vocab_size"};

/// The tensors that the config asks for; none if it has no sizes to make them of.
graph::TensorTable tensors_of(const nlohmann::json& config, const std::string& prefix) {
  if (!config.is_object()) return {};
  for (const char* key : kSizes) {
    const auto found = config.find(key);
    if (found == config.end() || !found->is_number_integer()) return {};
  }
  if (config.at("num_hidden_layers").get<std::int64_t>() > kMostLayers) return {};
  return graph::test::bert_tensors(config, prefix, prefix.empty() ? graph::DType::f32 : graph::DType::bf16,
                                   !prefix.empty());
}

void check(const nlohmann::json& config, const graph::ImportedModel& model) {
  graph::verify(model.graph);
  const std::string text = graph::print(model.graph);
  fuzz::require(graph::print(graph::parse(text)) == text);
  fuzz::require(model.sizes.hidden == config.at("hidden_size").get<std::int64_t>());
  fuzz::require(model.sizes.layers == config.at("num_hidden_layers").get<std::int64_t>());
  for (const auto format : {graph::WeightFormat::f32, graph::WeightFormat::int8}) {
    graph::Graph graph = model.graph;
    graph::run_passes(graph, {{format}, {}, {}});
  }
}

/// Imports it for each target; "x" names both files.
void import_with(const nlohmann::json& config, const graph::TensorTable& tensors) {
  for (const bool per_token : {false, true}) {
    std::optional<graph::ImportedModel> model;
    const graph::ImportTarget target{.pooling = {graph::PoolMode::cls}, .normalize = true, .per_token = per_token};
    fuzz::fails_in_one_sentence("x: ", [&] {
      model = graph::import_model({config, "x", tensors, "x"}, target);
    });
    if (model) check(config, *model);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const nlohmann::json config = nlohmann::json::parse(data, data + size, nullptr, false);
  if (config.is_discarded()) return 0;
  import_with(config, {});
  import_with(config, tensors_of(config, ""));
  import_with(config, tensors_of(config, "bert."));
  return 0;
}
