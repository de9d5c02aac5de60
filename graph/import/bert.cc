// BERT (Devlin et al. 2018): embeddings of word, position and token type, summed and normalized; then layers
// of self-attention and a feed-forward part, each with a residual and a LayerNorm after it.
//
// Reads the published names, with and without the "bert." prefix, and TensorFlow's gamma/beta for LayerNorm.
#include "graph/import/post_norm_layer.h"

namespace nybble::graph {

ImportedModel import_bert(const ImportSource& source, const ImportTarget& target) {
  const ConfigReader config(source);
  if (config.string_or("position_embedding_type", "absolute") == "alibi")
    return import_jina_bert(source, target);
  require_absolute_encoder(config);
  EncoderSizes sizes = read_sizes(config, "bert");
  sizes.token_types = config.integer("type_vocab_size", 1, 1 << 20);
  EncoderBuilder build(source, std::move(sizes));
  const std::string activation = activation_kind(config, "hidden_act", build.sizes.activation);
  build.epsilon = config.number_or("layer_norm_eps", 1e-12, 0, 1);
  build.choose_prefix("embeddings.", "bert.");
  ValueId x = bert_embeddings(build, build.sizes.hidden);
  for (std::int64_t i = 0; i < build.sizes.layers; ++i)
    x = post_norm_layer(build, "layer." + std::to_string(i), bert_layer_tensors(i), x, activation);
  return build.finish(target, x);
}

}  // namespace nybble::graph
