#include "graph/import/encoder_builder.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "graph/import/embedding_head.h"
#include "graph/import/heads.h"
#include "graph/verify.h"

namespace nybble::graph {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 10> kActivations = {{
    {"gelu", "gelu_erf"},
    {"gelu_python", "gelu_erf"},
    {"gelu_new", "gelu_tanh"},
    {"gelu_fast", "gelu_tanh"},
    {"gelu_pytorch_tanh", "gelu_tanh"},
    {"relu", "relu"},
    {"silu", "silu"},
    {"swish", "silu"},
    {"sigmoid", "sigmoid"},
    {"tanh", "tanh"},
}};

}  // namespace

std::string activation_kind(const ConfigReader& config, std::string_view key, std::string_view found) {
  std::array<std::string_view, kActivations.size()> known;
  for (std::size_t i = 0; i < known.size(); ++i) {
    if (kActivations[i].first == found) return std::string(kActivations[i].second);
    known[i] = kActivations[i].first;
  }
  config.fail_one_of(key, known, found);
}

std::string gate_kind(const ConfigReader& config, std::string_view key, std::string_view found) {
  constexpr std::array<std::string_view, 5> kGates = {"gelu", "gelu_new", "gelu_pytorch_tanh", "silu",
                                                      "swish"};
  if (std::find(kGates.begin(), kGates.end(), found) == kGates.end()) config.fail_one_of(key, kGates, found);
  return activation_kind(config, key, found);
}

void require_string(const ConfigReader& config, std::string_view key, std::string_view expected) {
  const std::string found = config.string_or(key, expected);
  if (found != expected) config.fail_one_of(key, {&expected, 1}, found);
}

void refuse_decoders(const ConfigReader& config) {
  if (config.boolean_or("is_decoder", false))
    config.fail("is_decoder", "false (Nybble runs encoders)", "true");
  if (config.boolean_or("add_cross_attention", false)) config.fail("add_cross_attention", "false", "true");
}

EncoderSizes read_sizes(const ConfigReader& config, std::string family) {
  EncoderSizes sizes;
  sizes.family = std::move(family);
  sizes.hidden = config.integer("hidden_size", 1, 65536);
  sizes.layers = config.integer("num_hidden_layers", 0, 1000);
  sizes.heads = config.integer("num_attention_heads", 1, 65536);
  sizes.intermediate = config.integer("intermediate_size", 1, 1 << 20);
  sizes.vocabulary = config.integer("vocab_size", 1, 1 << 24);
  sizes.positions = config.integer("max_position_embeddings", 1, 1 << 20);
  sizes.activation = config.string_or("hidden_act", "gelu");
  check_heads(config, sizes);
  return sizes;
}

void check_heads(const ConfigReader& config, const EncoderSizes& sizes, std::string_view heads_key,
                 std::string_view hidden_key) {
  if (sizes.hidden % sizes.heads == 0) return;
  config.fail(heads_key, "a divisor of " + std::string(hidden_key) + " " + std::to_string(sizes.hidden),
              std::to_string(sizes.heads));
}

EncoderBuilder::EncoderBuilder(const ImportSource& import_source, EncoderSizes encoder_sizes)
    : source(import_source),
      config(source),
      weights(source, graph),
      sizes(std::move(encoder_sizes)),
      ids(add_input(graph, "ids", ElementType::i32, {Extent::tokens()})),
      positions(add_input(graph, "positions", ElementType::i32, {Extent::tokens()})),
      types(add_input(graph, "types", ElementType::i32, {Extent::tokens()})) {
  graph.name = sizes.family;
}

void EncoderBuilder::choose_prefix(std::string_view marker, std::string_view candidate) {
  const std::string prefixed = std::string(candidate) + std::string(marker);
  if (!weights.contains_prefix(marker) && weights.contains_prefix(prefixed)) prefix = candidate;
}

ValueId EncoderBuilder::embed(const std::string& name, std::vector<ValueId> indices,
                              const std::vector<ValueId>& tables) {
  indices.insert(indices.end(), tables.begin(), tables.end());
  return add_node(graph, Op::embed_sum, name, std::move(indices));
}

ValueId EncoderBuilder::table(const std::string& name, const std::string& tensor, std::int64_t rows,
                              std::int64_t columns) {
  return weights.weight(name, prefix + tensor + ".weight", {rows, columns});
}

ValueId EncoderBuilder::linear(const std::string& name, const std::string& tensor, ValueId x, std::int64_t n,
                               Bias bias) {
  return linear(name, std::vector<std::string>{tensor}, x, n, bias);
}

ValueId EncoderBuilder::linear(const std::string& name, const std::vector<std::string>& tensors, ValueId x,
                               std::int64_t n, Bias bias) {
  std::vector<std::string> names, bias_names;
  for (const std::string& tensor : tensors) {
    names.push_back(prefix + tensor + ".weight");
    bias_names.push_back(prefix + tensor + ".bias");
  }
  const ValueId weight = weights.stacked(name + ".weight", names, {n, width(x)});
  if (bias == Bias::none) return add_node(graph, Op::linear, name, {x, weight});
  const ValueId vector = weights.stacked(name + ".bias", bias_names, {n});
  const ValueId product = add_node(graph, Op::linear, name + ".product", {x, weight});
  return add_node(graph, Op::add_bias, name, {product, vector});
}

ValueId EncoderBuilder::layernorm(const std::string& name, const std::string& tensor, ValueId x, Bias bias) {
  const std::string full = prefix + tensor;
  std::vector<ValueId> inputs = {
      x, weights.weight(name + ".gamma", full + ".weight", full + ".gamma", {width(x)})};
  if (bias == Bias::with)
    inputs.push_back(weights.weight(name + ".beta", full + ".bias", full + ".beta", {width(x)}));
  return add_node(graph, Op::layernorm, name, std::move(inputs), {{"epsilon", epsilon}});
}

ValueId EncoderBuilder::add_and_norm(const std::string& name, const std::string& tensor, ValueId x,
                                     ValueId shortcut, Bias bias) {
  return layernorm(name, tensor, add(name + ".sum", x, shortcut), bias);
}

ValueId EncoderBuilder::add(const std::string& name, ValueId x, ValueId y) {
  return add_node(graph, Op::add, name, {x, y});
}

ValueId EncoderBuilder::activation(const std::string& name, ValueId x, const std::string& kind) {
  return add_node(graph, Op::activation, name, {x}, {{"kind", kind}});
}

ValueId EncoderBuilder::gate(const std::string& name, ValueId both, const std::string& kind,
                             GateOrder order) {
  return add_node(graph, Op::gate, name, {both},
                  {{"kind", kind}, {"up_first", std::int64_t{order == GateOrder::up_first}}});
}

ValueId EncoderBuilder::attention(const std::string& name, std::vector<ValueId> inputs, std::int64_t window,
                                  const Attributes& extra) {
  const std::int64_t head_dim = sizes.hidden / sizes.heads;
  Attributes attributes = extra;
  attributes.insert({{"heads", sizes.heads},
                     {"head_dim", head_dim},
                     {"scale", 1.0 / std::sqrt(static_cast<double>(head_dim))},
                     {"position", std::string("none")},
                     {"window", window}});
  return add_node(graph, Op::attention, name, std::move(inputs), std::move(attributes));
}

std::int64_t EncoderBuilder::width(ValueId rows) const {
  return graph.values[static_cast<std::size_t>(rows)].shape[1].size;
}

ImportedModel EncoderBuilder::finish_head(const ImportTarget& target, ValueId x) {
  x = add_head(*this, target, x);
  const bool is_masked = target.head == Head::masked_lm;
  graph.outputs.push_back({is_masked ? "predictions" : "logits", x});
  verify(graph);
  std::optional<Graph> decoder;
  if (is_masked) decoder = masked_lm_decoder(source, *this, width(x));
  return {std::move(graph), std::move(sizes), std::move(decoder)};
}

ImportedModel EncoderBuilder::finish(const ImportTarget& target, ValueId x) {
  if (target.head != Head::none) return finish_head(target, x);
  x = embedding_head(*this, target, x);
  graph.outputs.push_back({target.per_token ? "tokens" : "embedding", x});
  verify(graph);
  return {std::move(graph), std::move(sizes), {}};
}

}  // namespace nybble::graph
