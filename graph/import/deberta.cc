// DeBERTa-v2 and -v3 (He et al. 2021, arXiv:2006.03654 and 2111.09543): BERT's layers with attention by
// content and relative position, and in v2 a convolution beside the first layer.
//
// Both spellings of pos_att_type are read, "p2c|c2p" and a list; names with and without the "deberta."
// prefix.
#include <algorithm>
#include <cmath>

#include "graph/import/encoder_builder.h"
#include "graph/import/importer.h"
#include "graph/import/post_norm_layer.h"
#include "graph/relative_rows.h"

namespace nybble::graph {
namespace {

constexpr std::int64_t kMostPositions = 1 << 20;

struct Relative {
  bool c2p = false, p2c = false;
  bool is_used = false;  ///< else the two only count in the scale
  bool shares_projections = false, has_norm = false;
  RelativeBuckets rows;
};

/// Whether `wanted` is among the words of `key`, all of which must be `known`.
bool has_word(const ConfigReader& config, std::string_view key, std::string_view wanted,
              std::initializer_list<std::string_view> known) {
  const std::vector<std::string> words = config.words(key);
  for (const std::string& word : words) {
    if (std::find(known.begin(), known.end(), word) == known.end()) config.fail_one_of(key, known, word);
  }
  return std::find(words.begin(), words.end(), wanted) != words.end();
}

RelativeBuckets read_buckets(const ConfigReader& config, std::int64_t positions) {
  RelativeBuckets rows;
  rows.max_distance = config.integer_or("max_relative_positions", -1, -1, kMostPositions);
  if (rows.max_distance < 1) rows.max_distance = positions;
  rows.buckets = std::max<std::int64_t>(0, config.integer_or("position_buckets", -1, -1, kMostPositions));
  if (rows.buckets == 0) return rows;
  const std::int64_t most = 2 * (rows.max_distance - 1) - 1;
  if (rows.buckets < 2 || rows.buckets > most) {
    config.fail("position_buckets",
                "-1 or 2 to " + std::to_string(most) + " (for distances below " +
                    std::to_string(rows.max_distance) + ")",
                std::to_string(rows.buckets));
  }
  return rows;
}

Relative read_relative(const ConfigReader& config, std::int64_t positions) {
  Relative relative;
  relative.c2p = has_word(config, "pos_att_type", "c2p", {"c2p", "p2c"});
  relative.p2c = has_word(config, "pos_att_type", "p2c", {"c2p", "p2c"});
  relative.is_used = config.boolean_or("relative_attention", false) && (relative.c2p || relative.p2c);
  if (!relative.is_used) return relative;
  relative.shares_projections = config.boolean_or("share_att_key", false);
  relative.has_norm = has_word(config, "norm_rel_ebd", "layer_norm", {"none", "layer_norm"});
  relative.rows = read_buckets(config, positions);
  return relative;
}

EncoderSizes read_deberta_sizes(const ConfigReader& config) {
  EncoderSizes sizes = read_sizes(config, "deberta-v2");
  sizes.token_types = config.integer_or("type_vocab_size", 0, 0, 1 << 20);
  const std::int64_t head_dim = sizes.hidden / sizes.heads;
  if (config.integer_or("attention_head_size", head_dim, 1, 65536) != head_dim)
    config.fail("attention_head_size", std::to_string(head_dim) + " (hidden_size / num_attention_heads)",
                std::to_string(config.integer("attention_head_size", 1, 65536)));
  return sizes;
}

class Deberta {
 public:
  Deberta(const ImportSource& source, const ConfigReader& config)
      : build_(source, read_deberta_sizes(config)), relative_(read_relative(config, build_.sizes.positions)) {
    activation_ = activation_kind(config, "hidden_act", build_.sizes.activation);
    build_.epsilon = config.number_or("layer_norm_eps", 1e-7, 0, 1);
    build_.choose_prefix("embeddings.", "deberta.");
  }

  ImportedModel import(const ImportTarget& target) {
    const ValueId embedded = embeddings();
    ValueId x = embedded;
    for (std::int64_t i = 0; i < build_.sizes.layers; ++i) {
      x = layer(i, x);
      if (i == 0) x = convolution(embedded, x);
    }
    return build_.finish(target, x);
  }

 private:
  ValueId embeddings() {
    const EncoderSizes& sizes = build_.sizes;
    const std::int64_t width = build_.config.integer_or("embedding_size", sizes.hidden, 1, 65536);
    std::vector<ValueId> indices, tables;
    const auto take = [&](const std::string& name, ValueId index, const std::string& tensor,
                          std::int64_t rows) {
      indices.push_back(index);
      tables.push_back(build_.table("embeddings." + name, "embeddings." + tensor, rows, width));
    };
    take("word", build_.ids, "word_embeddings", sizes.vocabulary);
    if (build_.config.boolean_or("position_biased_input", true))
      take("position", build_.positions, "position_embeddings", sizes.positions);
    if (sizes.token_types > 0) take("type", build_.types, "token_type_embeddings", sizes.token_types);
    ValueId x = build_.embed("embeddings.sum", indices, tables);
    if (width != sizes.hidden)
      x = build_.linear("embeddings.projected", "embeddings.embed_proj", x, sizes.hidden, Bias::none);
    return build_.layernorm("embeddings", "embeddings.LayerNorm", x);
  }

  ValueId layer(std::int64_t index, ValueId x) {
    const std::string name = "layer." + std::to_string(index);
    LayerTensors tensors = bert_layer_tensors(index);
    for (std::string* projection : {&tensors.query, &tensors.key, &tensors.value}) *projection += "_proj";
    return post_norm_layer(build_, name, tensors, x, activation_, attention(name, tensors));
  }

  AttentionExtra attention(const std::string& name, const LayerTensors& tensors) {
    const double terms = 1.0 + (relative_.c2p ? 1 : 0) + (relative_.p2c ? 1 : 0);
    const auto head_dim = static_cast<double>(build_.sizes.hidden / build_.sizes.heads);
    AttentionExtra extra;
    extra.attributes["scale"] = 1 / std::sqrt(terms * head_dim);
    if (!relative_.is_used) return extra;
    add_relative(name + ".relative", tensors, extra.inputs);
    extra.attributes.insert({{"position", std::string("disentangled")},
                             {"c2p", std::int64_t{relative_.c2p}},
                             {"p2c", std::int64_t{relative_.p2c}},
                             {"buckets", relative_.rows.buckets},
                             {"max_distance", relative_.rows.max_distance}});
    if (relative_.has_norm) extra.attributes["norm_epsilon"] = build_.epsilon;
    return extra;
  }

  /// What relative_rows.h says, behind q, k and v. The table and its norm are those of all layers.
  void add_relative(const std::string& name, const LayerTensors& tensors, std::vector<ValueId>& inputs) {
    if (relative_table_.empty()) add_relative_table();
    inputs = relative_table_;
    const bool shares = relative_.shares_projections;
    if (relative_.c2p) add_projection(name + ".key", shares ? tensors.key : own(tensors.key), inputs);
    if (relative_.p2c) add_projection(name + ".query", shares ? tensors.query : own(tensors.query), inputs);
  }

  /// "….key_proj" as "….pos_key_proj".
  static std::string own(std::string tensor) { return tensor.insert(tensor.rfind('.') + 1, "pos_"); }

  void add_relative_table() {
    const std::int64_t hidden = build_.sizes.hidden;
    relative_table_ = {build_.table("relative", "encoder.rel_embeddings", 2 * relative_.rows.span(), hidden)};
    if (!relative_.has_norm) return;
    const std::string norm = build_.prefix + "encoder.LayerNorm";
    relative_table_.push_back(
        build_.weights.weight("relative.gamma", norm + ".weight", norm + ".gamma", {hidden}));
    relative_table_.push_back(
        build_.weights.weight("relative.beta", norm + ".bias", norm + ".beta", {hidden}));
  }

  void add_projection(const std::string& name, const std::string& tensor, std::vector<ValueId>& inputs) {
    const std::int64_t hidden = build_.sizes.hidden;
    inputs.push_back(build_.table(name + ".weight", tensor, hidden, hidden));
    inputs.push_back(build_.weights.weight(name + ".bias", build_.prefix + tensor + ".bias", {hidden}));
  }

  /// LayerNorm(x + activation(convolution of the embeddings)), where the config has one.
  ValueId convolution(ValueId embedded, ValueId x) {
    const ConfigReader& config = build_.config;
    const std::int64_t kernel = config.integer_or("conv_kernel_size", 0, 0, 1023),
                       hidden = build_.sizes.hidden;
    if (kernel == 0) return x;
    if (kernel % 2 == 0) config.fail("conv_kernel_size", "an odd number", std::to_string(kernel));
    if (const std::int64_t groups = config.integer_or("conv_groups", 1, 1, 65536); groups != 1)
      config.fail("conv_groups", "1", std::to_string(groups));
    const std::string activation = activation_kind(config, "conv_act", config.string_or("conv_act", "tanh"));

    Graph& graph = build_.graph;
    const std::string tensor = build_.prefix + "encoder.conv.conv.";
    const ValueId weight = build_.weights.rows("conv.weight", tensor + "weight", {hidden, hidden, kernel});
    const ValueId bias = build_.weights.weight("conv.bias", tensor + "bias", {hidden});
    const ValueId rows = add_node(graph, Op::unfold, "conv.rows", {embedded}, {{"kernel", kernel}});
    const ValueId product = add_node(graph, Op::linear, "conv.product", {rows, weight});
    const ValueId sum = add_node(graph, Op::add_bias, "conv", {product, bias});
    const ValueId active = build_.activation("conv.active", sum, activation);
    return build_.add_and_norm("conv.output", "encoder.conv.LayerNorm", active, x);
  }

  EncoderBuilder build_;
  Relative relative_;
  std::string activation_;
  std::vector<ValueId> relative_table_;  ///< the table, and gamma and beta of its norm
};

}  // namespace

ImportedModel import_deberta(const ImportSource& source, const ImportTarget& target) {
  const ConfigReader config(source);
  refuse_decoders(config);
  return Deberta(source, config).import(target);
}

}  // namespace nybble::graph
