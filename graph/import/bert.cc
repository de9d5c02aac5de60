// BERT (Devlin et al. 2018): embeddings of word, position and token type, summed and normalized; then layers
// of self-attention and a feed-forward part, each with a residual and a LayerNorm after it.
//
// Reads the published names, with and without the "bert." prefix, and TensorFlow's gamma/beta for LayerNorm.
#include <array>
#include <cmath>
#include <utility>

#include "graph/import/config_reader.h"
#include "graph/import/importer.h"
#include "graph/verify.h"

namespace nybble::graph {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kActivations = {{
    {"gelu", "gelu_erf"},
    {"gelu_new", "gelu_tanh"},
    {"gelu_pytorch_tanh", "gelu_tanh"},
    {"relu", "relu"},
}};

/// The IR's name of config.json's hidden_act.
std::string activation_kind(const ConfigReader& config, std::string_view found) {
  std::array<std::string_view, kActivations.size()> known;
  for (std::size_t i = 0; i < known.size(); ++i) {
    if (kActivations[i].first == found) return std::string(kActivations[i].second);
    known[i] = kActivations[i].first;
  }
  config.fail_one_of("hidden_act", known, found);
}

/// Refuses what would silently compute something else than this file does.
void refuse_other_kinds(const ConfigReader& config) {
  constexpr std::array<std::string_view, 1> absolute = {"absolute"};
  const std::string position = config.string_or("position_embedding_type", "absolute");
  if (position != "absolute") config.fail_one_of("position_embedding_type", absolute, position);
  if (config.boolean_or("is_decoder", false))
    config.fail("is_decoder", "false (Nybble runs encoders)", "true");
  if (config.boolean_or("add_cross_attention", false)) config.fail("add_cross_attention", "false", "true");
}

EncoderSizes read_sizes(const ConfigReader& config) {
  EncoderSizes sizes;
  sizes.family = "bert";
  sizes.hidden = config.integer("hidden_size", 1, 65536);
  sizes.layers = config.integer("num_hidden_layers", 0, 1000);
  sizes.heads = config.integer("num_attention_heads", 1, 65536);
  sizes.intermediate = config.integer("intermediate_size", 1, 1 << 20);
  sizes.vocabulary = config.integer("vocab_size", 1, 1 << 24);
  sizes.positions = config.integer("max_position_embeddings", 1, 1 << 20);
  sizes.token_types = config.integer("type_vocab_size", 1, 1 << 20);
  sizes.activation = config.string_or("hidden_act", "gelu");
  if (sizes.hidden % sizes.heads != 0) {
    config.fail("num_attention_heads", "a divisor of hidden_size " + std::to_string(sizes.hidden),
                std::to_string(sizes.heads));
  }
  return sizes;
}

class BertBuilder {
 public:
  BertBuilder(const ImportSource& source)
      : config_(source), sizes_(read_sizes(config_)), weights_(source, graph_) {
    graph_.name = "bert";
    activation_ = activation_kind(config_, sizes_.activation);
    epsilon_ = config_.number_or("layer_norm_eps", 1e-12, 0, 1);
    if (!weights_.contains_prefix("embeddings.") && weights_.contains_prefix("bert.")) prefix_ = "bert.";
  }

  ImportedModel build(const ImportTarget& target) {
    ValueId x = embeddings();
    for (std::int64_t i = 0; i < sizes_.layers; ++i) x = layer(i, x);
    finish(target, x);
    verify(graph_);
    return {std::move(graph_), std::move(sizes_)};
  }

 private:
  ValueId embeddings() {
    const ValueId ids = add_input(graph_, "ids", ElementType::i32, {Extent::tokens()});
    const ValueId positions = add_input(graph_, "positions", ElementType::i32, {Extent::tokens()});
    const ValueId types = add_input(graph_, "types", ElementType::i32, {Extent::tokens()});
    const ValueId word = table("word", "word_embeddings", sizes_.vocabulary);
    const ValueId position = table("position", "position_embeddings", sizes_.positions);
    const ValueId type = table("type", "token_type_embeddings", sizes_.token_types);
    const ValueId sum =
        add_node(graph_, Op::embed_sum, "embeddings.sum", {ids, positions, types, word, position, type});
    return layernorm("embeddings", "embeddings.LayerNorm", sum);
  }

  ValueId layer(std::int64_t index, ValueId x) {
    const std::string name = "layer." + std::to_string(index);
    const std::string tensors = "encoder.layer." + std::to_string(index) + ".";
    const std::int64_t hidden = sizes_.hidden;

    const std::string self = tensors + "attention.self.";
    const ValueId q = linear(name + ".q", self + "query", x, hidden, hidden);
    const ValueId k = linear(name + ".k", self + "key", x, hidden, hidden);
    const ValueId v = linear(name + ".v", self + "value", x, hidden, hidden);
    const std::int64_t head_dim = hidden / sizes_.heads;
    const ValueId context = add_node(graph_, Op::attention, name + ".attention", {q, k, v},
                                     {{"heads", sizes_.heads},
                                      {"head_dim", head_dim},
                                      {"scale", 1.0 / std::sqrt(static_cast<double>(head_dim))},
                                      {"position", std::string("none")},
                                      {"window", std::int64_t{0}}});
    const ValueId attended =
        linear(name + ".output", tensors + "attention.output.dense", context, hidden, hidden);
    x = residual(name + ".attended", tensors + "attention.output.LayerNorm", attended, x);

    const ValueId inner =
        linear(name + ".ffn1", tensors + "intermediate.dense", x, sizes_.intermediate, hidden);
    const ValueId active = add_node(graph_, Op::activation, name + ".gelu", {inner}, {{"kind", activation_}});
    const ValueId outer =
        linear(name + ".ffn2", tensors + "output.dense", active, hidden, sizes_.intermediate);
    return residual(name, tensors + "output.LayerNorm", outer, x);
  }

  void finish(const ImportTarget& target, ValueId x) {
    if (!target.per_token) {
      const std::string mode = target.pooling == PoolMode::mean ? "mean" : "cls";
      x = add_node(graph_, Op::pool, "pooled", {x}, {{"mode", mode}});
    }
    if (target.normalize) x = add_node(graph_, Op::l2_normalize, "normalized", {x});
    graph_.outputs.push_back({target.per_token ? "tokens" : "embedding", x});
  }

  ValueId table(const std::string& name, const std::string& tensor, std::int64_t rows) {
    return weights_.weight("embeddings." + name, prefix_ + "embeddings." + tensor + ".weight",
                           {rows, sizes_.hidden});
  }

  ValueId linear(const std::string& name, const std::string& tensor, ValueId x, std::int64_t n,
                 std::int64_t k) {
    const ValueId weight = weights_.weight(name + ".weight", prefix_ + tensor + ".weight", {n, k});
    const ValueId bias = weights_.weight(name + ".bias", prefix_ + tensor + ".bias", {n});
    const ValueId product = add_node(graph_, Op::linear, name + ".product", {x, weight});
    return add_node(graph_, Op::add_bias, name, {product, bias});
  }

  ValueId layernorm(const std::string& name, const std::string& tensor, ValueId x) {
    const std::string full = prefix_ + tensor;
    const ValueId gamma =
        weights_.weight(name + ".gamma", full + ".weight", full + ".gamma", {sizes_.hidden});
    const ValueId beta = weights_.weight(name + ".beta", full + ".bias", full + ".beta", {sizes_.hidden});
    return add_node(graph_, Op::layernorm, name, {x, gamma, beta}, {{"epsilon", epsilon_}});
  }

  ValueId residual(const std::string& name, const std::string& tensor, ValueId x, ValueId shortcut) {
    const ValueId sum = add_node(graph_, Op::add, name + ".sum", {x, shortcut});
    return layernorm(name, tensor, sum);
  }

  Graph graph_;
  ConfigReader config_;
  EncoderSizes sizes_;
  WeightReader weights_;
  std::string prefix_;
  std::string activation_;
  double epsilon_ = 0;
};

}  // namespace

ImportedModel import_bert(const ImportSource& source, const ImportTarget& target) {
  refuse_other_kinds(ConfigReader(source));
  return BertBuilder(source).build(target);
}

}  // namespace nybble::graph
