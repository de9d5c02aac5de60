// RoBERTa (Liu et al. 2019), XLM-RoBERTa (Conneau et al. 2020) and CamemBERT (Martin et al. 2020): BERT's
// encoder, whose positions begin behind the padding token's.
//
// Reads the published names, with and without the "roberta." prefix, which all three have.
#include "graph/import/post_norm_layer.h"

namespace nybble::graph {

ImportedModel import_roberta(const ImportSource& source, const ImportTarget& target) {
  const ConfigReader config(source);
  require_absolute_encoder(config);
  EncoderSizes sizes = read_sizes(config, config.string("model_type"));
  sizes.token_types = config.integer("type_vocab_size", 1, 1 << 20);
  begin_positions_behind(config, sizes, config.integer_or("pad_token_id", 1, 0, sizes.vocabulary - 1));
  EncoderBuilder build(source, std::move(sizes));
  const std::string activation = activation_kind(config, "hidden_act", build.sizes.activation);
  build.epsilon = config.number_or("layer_norm_eps", 1e-12, 0, 1);
  build.choose_prefix("embeddings.", "roberta.");
  ValueId x = bert_embeddings(build, build.sizes.hidden);
  for (std::int64_t i = 0; i < build.sizes.layers; ++i)
    x = post_norm_layer(build, "layer." + std::to_string(i), bert_layer_tensors(i), x, activation);
  return build.finish(target, x);
}

}  // namespace nybble::graph
