// MPNet (Song et al. 2020): BERT's encoder without token types, whose attention scores get a bias by the
// distance of query and key, one table for all layers: T5's buckets (Raffel et al. 2020, section 2.1), each
// direction half of them, exact up to a quarter and logarithmic up to a distance of 128. Positions begin
// behind the padding token's.
//
// Reads the published names, with and without the "mpnet." prefix.
#include "graph/import/post_norm_layer.h"

namespace nybble::graph {
namespace {

constexpr std::int64_t kBuckets = 32, kMaxDistance = 128;
constexpr std::int64_t kPadId = 1;  // whatever pad_token_id says, as in the published code

LayerTensors layer_tensors(std::int64_t index) {
  const std::string layer = "encoder.layer." + std::to_string(index) + ".";
  const std::string attention = layer + "attention.";
  return {attention + "attn.q",   attention + "attn.k",      attention + "attn.v",
          attention + "attn.o",   attention + "LayerNorm",   layer + "intermediate.dense",
          layer + "output.dense", layer + "output.LayerNorm"};
}

/// Other counts would index this table otherwise, or beyond its end.
void check_buckets(const ConfigReader& config) {
  const std::int64_t found = config.integer_or("relative_attention_num_buckets", kBuckets, 1, 65536);
  if (found != kBuckets)
    config.fail("relative_attention_num_buckets", std::to_string(kBuckets), std::to_string(found));
}

}  // namespace

ImportedModel import_mpnet(const ImportSource& source, const ImportTarget& target) {
  const ConfigReader config(source);
  require_absolute_encoder(config);
  check_buckets(config);
  EncoderSizes sizes = read_sizes(config, "mpnet");
  begin_positions_behind(config, sizes, kPadId);
  EncoderBuilder build(source, std::move(sizes));
  const std::string activation = activation_kind(config, "hidden_act", build.sizes.activation);
  build.epsilon = config.number_or("layer_norm_eps", 1e-12, 0, 1);
  build.choose_prefix("embeddings.", "mpnet.");
  ValueId x = bert_embeddings(build, build.sizes.hidden);
  const ValueId bias =
      build.table("position_bias", "encoder.relative_attention_bias", kBuckets, build.sizes.heads);
  const AttentionExtra extra = {{bias}, {{"position", std::string("bias")}, {"max_distance", kMaxDistance}}};
  for (std::int64_t i = 0; i < build.sizes.layers; ++i)
    x = post_norm_layer(build, "layer." + std::to_string(i), layer_tensors(i), x, activation, extra);
  return build.finish(target, x);
}

}  // namespace nybble::graph
