// A config.json of any bytes, beside the tensors that its importer asks for or none at all, becomes a sound
// graph of the config's sizes or is refused in one sentence.
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <string>

#include "graph/import/importer.h"
#include "graph/passes/passes.h"
#include "graph/text.h"
#include "graph/verify.h"
#include "nybble/error.h"
#include "test/fuzz/one_sentence.h"

namespace {

using namespace nybble;

constexpr std::size_t kMostTensors = 120;  // of a synthetic table: some layers of any family
constexpr std::size_t kMostNodes = 400;    // of a graph that the passes run over

using Imported = std::optional<graph::ImportedModel>;

graph::ImportTarget embedding(bool per_token) {
  graph::ImportTarget target;
  target.pooling = {graph::PoolMode::cls};
  target.normalize = true;
  target.per_token = per_token;
  return target;
}

graph::ImportTarget task(graph::Head head) {
  graph::ImportTarget target;
  target.head = head;
  target.labels = 3;
  return target;
}

Imported import_with(const nlohmann::json& config, const graph::TensorTable& tensors,
                     const graph::ImportTarget& target) {
  Imported model;
  fuzz::fails_in_one_sentence("x: ", [&] {
    model = graph::import_model({config, "x", tensors, "x"}, target);
  });
  return model;
}

/// The tensor that an import says it lacks: "x: tensor NAME: expected shape [1, 2], found no such tensor".
std::optional<std::pair<std::string, graph::TensorInfo>> lacking(const std::string& sentence) {
  const std::string start = "x: tensor ", middle = ": expected shape [", end = "], found no such tensor";
  const std::size_t at = sentence.find(middle);
  if (!sentence.starts_with(start) || !sentence.ends_with(end) || at == std::string::npos) return {};
  graph::TensorInfo info;
  info.dtype = graph::DType::bf16;
  std::istringstream shape(sentence.substr(at + middle.size()));
  char comma = ',';
  for (std::int64_t extent = 0; comma == ',' && shape >> extent; shape >> comma) info.shape.push_back(extent);
  return {{sentence.substr(start.size(), at - start.size()), info}};
}

/// `tensors` and those that the importer of this config asks for beside them, found by giving it one after
/// the other; so many as a graph of a few layers has.
graph::TensorTable tensors_of(const nlohmann::json& config, const graph::ImportTarget& target,
                              graph::TensorTable tensors) {
  while (tensors.size() < kMostTensors) {
    std::string sentence;
    try {
      graph::import_model({config, "x", tensors, "x"}, target);
      break;
    } catch (const Error& error) {
      sentence = error.what();
    }
    const auto next = lacking(sentence);
    if (!next) break;
    fuzz::require(tensors.insert(*next).second);
  }
  return tensors;
}

graph::TensorTable prefixed(const graph::TensorTable& tensors, const std::string& prefix) {
  graph::TensorTable result;
  for (const auto& [name, info] : tensors) result[prefix + name] = info;
  return result;
}

void check(const graph::Graph& graph) {
  graph::verify(graph);
  const std::string text = graph::print(graph);
  fuzz::require(graph::print(graph::parse(text)) == text);
  for (const auto format : {graph::WeightFormat::f32, graph::WeightFormat::int8}) {
    graph::Graph changed = graph;
    graph::run_passes(changed, {{format}, {}, {}});
  }
}

void check(const graph::ImportedModel& model) {
  const graph::EncoderSizes& sizes = model.sizes;
  fuzz::require(sizes.layers >= 0 && sizes.positions > 0 && sizes.vocabulary > 0 &&
                sizes.first_position >= 0);
  check(model.graph);
  if (model.decoder) check(*model.decoder);
}

void check_embedding(const graph::ImportedModel& model) {
  const graph::ValueId rows = model.graph.outputs.at(0).value;
  fuzz::require(model.graph.values.at(static_cast<std::size_t>(rows)).shape.at(1).size == model.sizes.hidden);
  check(model);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const nlohmann::json config = nlohmann::json::parse(data, data + size, nullptr, false);
  if (config.is_discarded()) return 0;
  import_with(config, {}, embedding(false));
  const graph::TensorTable tensors = tensors_of(config, {}, {});
  for (const char* prefix : {"", "bert.", "roberta.", "distilbert.", "deberta.", "model.", "new."}) {
    for (const bool per_token : {false, true}) {
      const Imported model = import_with(config, prefixed(tensors, prefix), embedding(per_token));
      if (model && model->graph.nodes.size() > kMostNodes) return 0;  // shared layers need few tensors
      if (model) check_embedding(*model);
    }
  }
  using enum graph::Head;
  for (const graph::Head head : {sequence_classification, token_classification, masked_lm}) {
    const Imported model = import_with(config, tensors_of(config, task(head), tensors), task(head));
    if (model) check(*model);
  }
  return 0;
}
