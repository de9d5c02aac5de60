// BERT (Devlin et al. 2018): embeddings of word, position and token type, summed and normalized; then layers
// of self-attention and a feed-forward part, each with a residual and a LayerNorm after it.
//
// Reads the published names, with and without the "bert." prefix, and TensorFlow's gamma/beta for LayerNorm.
#include "graph/import/encoder_builder.h"
#include "graph/import/importer.h"

namespace nybble::graph {
namespace {

EncoderSizes read_bert_sizes(const ConfigReader& config) {
  EncoderSizes sizes = read_sizes(config, "bert");
  sizes.token_types = config.integer("type_vocab_size", 1, 1 << 20);
  return sizes;
}

ValueId embeddings(EncoderBuilder& build) {
  const EncoderSizes& sizes = build.sizes;
  const ValueId word =
      build.table("embeddings.word", "embeddings.word_embeddings", sizes.vocabulary, sizes.hidden);
  const ValueId position =
      build.table("embeddings.position", "embeddings.position_embeddings", sizes.positions, sizes.hidden);
  const ValueId type =
      build.table("embeddings.type", "embeddings.token_type_embeddings", sizes.token_types, sizes.hidden);
  const ValueId sum =
      build.embed("embeddings.sum", {build.ids, build.positions, build.types}, {word, position, type});
  return build.layernorm("embeddings", "embeddings.LayerNorm", sum);
}

ValueId layer(EncoderBuilder& build, std::int64_t index, ValueId x, const std::string& activation) {
  const std::string name = "layer." + std::to_string(index);
  const std::string tensors = "encoder.layer." + std::to_string(index) + ".";
  const std::string self = tensors + "attention.self.";
  const std::int64_t hidden = build.sizes.hidden;

  const ValueId q = build.linear(name + ".q", self + "query", x, hidden);
  const ValueId k = build.linear(name + ".k", self + "key", x, hidden);
  const ValueId v = build.linear(name + ".v", self + "value", x, hidden);
  const ValueId context = build.attention(name + ".attention", {q, k, v});
  const ValueId attended =
      build.linear(name + ".output", tensors + "attention.output.dense", context, hidden);
  x = build.add_and_norm(name + ".attended", tensors + "attention.output.LayerNorm", attended, x);

  const ValueId inner =
      build.linear(name + ".ffn1", tensors + "intermediate.dense", x, build.sizes.intermediate);
  const ValueId active = build.activation(name + ".gelu", inner, activation);
  const ValueId outer = build.linear(name + ".ffn2", tensors + "output.dense", active, hidden);
  return build.add_and_norm(name, tensors + "output.LayerNorm", outer, x);
}

}  // namespace

ImportedModel import_bert(const ImportSource& source, const ImportTarget& target) {
  const ConfigReader config(source);
  require_string(config, "position_embedding_type", "absolute");
  refuse_decoders(config);
  EncoderBuilder build(source, read_bert_sizes(config));
  const std::string activation = activation_kind(config, "hidden_act", build.sizes.activation);
  build.epsilon = config.number_or("layer_norm_eps", 1e-12, 0, 1);
  build.choose_prefix("embeddings.", "bert.");
  ValueId x = embeddings(build);
  for (std::int64_t i = 0; i < build.sizes.layers; ++i) x = layer(build, i, x, activation);
  return build.finish(target, x);
}

}  // namespace nybble::graph
