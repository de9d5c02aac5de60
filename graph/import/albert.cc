// ALBERT (Lan et al. 2020): narrow embeddings that a linear layer widens, and layers that share their
// weights: num_hidden_layers are dealt to num_hidden_groups groups in order, and each runs the
// inner_group_num layers of its group.
//
// Reads the published names, with and without the "albert." prefix.
#include <algorithm>

#include "graph/import/post_norm_layer.h"

namespace nybble::graph {
namespace {

struct Groups {
  std::int64_t groups, inner;
};

Groups read_groups(const ConfigReader& config, const EncoderSizes& sizes) {
  const std::int64_t layers = std::max<std::int64_t>(sizes.layers, 1);
  // The file does not grow with the layers: their number is bounded here.
  return {config.integer_or("num_hidden_groups", 1, 1, layers),
          config.integer_or("inner_group_num", 1, 1, 1000 / layers)};
}

LayerTensors layer_tensors(std::int64_t group, std::int64_t inner) {
  const std::string layer = "encoder.albert_layer_groups." + std::to_string(group) + ".albert_layers." +
                            std::to_string(inner) + ".";
  const std::string attention = layer + "attention.";
  return {attention + "query",     attention + "key", attention + "value",  attention + "dense",
          attention + "LayerNorm", layer + "ffn",     layer + "ffn_output", layer + "full_layer_layer_norm"};
}

}  // namespace

ImportedModel import_albert(const ImportSource& source, const ImportTarget& target) {
  const ConfigReader config(source);
  require_absolute_encoder(config);
  EncoderSizes sizes = read_sizes(config, "albert");
  sizes.activation = config.string_or("hidden_act", "gelu_new");
  sizes.token_types = config.integer_or("type_vocab_size", 2, 1, 1 << 20);
  const std::int64_t embedding = config.integer_or("embedding_size", 128, 1, 65536);
  const Groups shared = read_groups(config, sizes);
  EncoderBuilder build(source, std::move(sizes));
  const std::string activation = activation_kind(config, "hidden_act", build.sizes.activation);
  build.epsilon = config.number_or("layer_norm_eps", 1e-12, 0, 1);
  build.choose_prefix("embeddings.", "albert.");
  ValueId x = bert_embeddings(build, embedding);
  x = build.linear("embeddings.project", "encoder.embedding_hidden_mapping_in", x, build.sizes.hidden);
  const double layers_a_group = static_cast<double>(build.sizes.layers) / static_cast<double>(shared.groups);
  for (std::int64_t i = 0; i < build.sizes.layers; ++i) {
    // In doubles, as the published code divides: a quotient that is no integer may round up.
    const auto group = static_cast<std::int64_t>(static_cast<double>(i) / layers_a_group);
    for (std::int64_t j = 0; j < shared.inner; ++j) {
      const std::string name = "layer." + std::to_string(i * shared.inner + j);
      x = post_norm_layer(build, name, layer_tensors(group, j), x, activation);
    }
  }
  return build.finish(target, x);
}

}  // namespace nybble::graph
