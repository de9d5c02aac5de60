// ELECTRA (Clark et al. 2020): BERT's encoder, whose embeddings may be narrower than its layers; then a
// linear layer widens them.
//
// Reads the published names of discriminators and generators, with and without the "electra." prefix.
#include "graph/import/post_norm_layer.h"

namespace nybble::graph {

ImportedModel import_electra(const ImportSource& source, const ImportTarget& target) {
  const ConfigReader config(source);
  require_absolute_encoder(config);
  EncoderSizes sizes = read_sizes(config, "electra");
  sizes.token_types = config.integer("type_vocab_size", 1, 1 << 20);
  const std::int64_t embedding = config.integer_or("embedding_size", 128, 1, 65536);
  EncoderBuilder build(source, std::move(sizes));
  const std::string activation = activation_kind(config, "hidden_act", build.sizes.activation);
  build.epsilon = config.number_or("layer_norm_eps", 1e-12, 0, 1);
  build.choose_prefix("embeddings.", "electra.");
  ValueId x = bert_embeddings(build, embedding);
  if (embedding != build.sizes.hidden)
    x = build.linear("embeddings.project", "embeddings_project", x, build.sizes.hidden);
  for (std::int64_t i = 0; i < build.sizes.layers; ++i)
    x = post_norm_layer(build, "layer." + std::to_string(i), bert_layer_tensors(i), x, activation);
  return build.finish(target, x);
}

}  // namespace nybble::graph
