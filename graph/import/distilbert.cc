// DistilBERT (Sanh et al. 2019): BERT's encoder with half its layers and no token types, under other names.
//
// Reads the published names, with and without the "distilbert." prefix. Sinusoidal positions are a table in
// the file like others.
#include "graph/import/post_norm_layer.h"

namespace nybble::graph {
namespace {

EncoderSizes read_distilbert_sizes(const ConfigReader& config) {
  EncoderSizes sizes;
  sizes.family = "distilbert";
  sizes.hidden = config.integer("dim", 1, 65536);
  sizes.layers = config.integer("n_layers", 0, 1000);
  sizes.heads = config.integer("n_heads", 1, 65536);
  sizes.intermediate = config.integer("hidden_dim", 1, 1 << 20);
  sizes.vocabulary = config.integer("vocab_size", 1, 1 << 24);
  sizes.positions = config.integer("max_position_embeddings", 1, 1 << 20);
  sizes.activation = config.string_or("activation", "gelu");
  check_heads(config, sizes, "n_heads", "dim");
  return sizes;
}

LayerTensors layer_tensors(std::int64_t index) {
  const std::string layer = "transformer.layer." + std::to_string(index) + ".";
  const std::string attention = layer + "attention.";
  return {attention + "q_lin",     attention + "k_lin", attention + "v_lin", attention + "out_lin",
          layer + "sa_layer_norm", layer + "ffn.lin1",  layer + "ffn.lin2",  layer + "output_layer_norm"};
}

}  // namespace

ImportedModel import_distilbert(const ImportSource& source, const ImportTarget& target) {
  const ConfigReader config(source);
  refuse_decoders(config);
  EncoderBuilder build(source, read_distilbert_sizes(config));
  const std::string activation = activation_kind(config, "activation", build.sizes.activation);
  build.choose_prefix("embeddings.", "distilbert.");
  ValueId x = bert_embeddings(build, build.sizes.hidden);
  for (std::int64_t i = 0; i < build.sizes.layers; ++i)
    x = post_norm_layer(build, "layer." + std::to_string(i), layer_tensors(i), x, activation);
  return build.finish(target, x);
}

}  // namespace nybble::graph
