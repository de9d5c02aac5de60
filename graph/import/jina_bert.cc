// Jina-BERT-v2 (Günther et al. 2023, arXiv:2310.19923): BERT whose attention is biased by distance (ALiBi,
// Press et al. 2022, to both sides) instead of a position table, with gated feed-forward parts. Its config
// has BERT's model_type and position_embedding_type "alibi".
//
// Reads the published names, with and without the "bert." prefix.
#include <array>

#include "graph/import/encoder_builder.h"
#include "graph/import/importer.h"

namespace nybble::graph {
namespace {

EncoderSizes read_jina_sizes(const ConfigReader& config) {
  EncoderSizes sizes = read_sizes(config, "jina-bert-v2");
  sizes.token_types = config.integer("type_vocab_size", 1, 1 << 20);
  return sizes;
}

/// The form for source code has the same model_type, and normalizes queries and keys.
void refuse_query_norms(const EncoderBuilder& build) {
  const std::string tensor = build.prefix + "encoder.layer.0.attention.self.layer_norm_q.weight";
  if (!build.weights.contains(tensor)) return;
  build.config.fail("position_embedding_type",
                    "\"alibi\" of a model that does not normalize queries and keys",
                    "one with a tensor " + tensor);
}

ValueId embeddings(EncoderBuilder& build) {
  const EncoderSizes& sizes = build.sizes;
  const ValueId word =
      build.table("embeddings.word", "embeddings.word_embeddings", sizes.vocabulary, sizes.hidden);
  const ValueId type =
      build.table("embeddings.type", "embeddings.token_type_embeddings", sizes.token_types, sizes.hidden);
  const ValueId sum = build.embed("embeddings.sum", {build.ids, build.types}, {word, type});
  return build.layernorm("embeddings", "embeddings.LayerNorm", sum);
}

ValueId layer(EncoderBuilder& build, std::int64_t index, ValueId x) {
  const std::string name = "layer." + std::to_string(index);
  const std::string tensors = "encoder.layer." + std::to_string(index) + ".",
                    self = tensors + "attention.self.";
  const std::int64_t hidden = build.sizes.hidden;

  const ValueId q = build.linear(name + ".q", self + "query", x, hidden);
  const ValueId k = build.linear(name + ".k", self + "key", x, hidden);
  const ValueId v = build.linear(name + ".v", self + "value", x, hidden);
  const ValueId context =
      build.attention(name + ".attention", {q, k, v}, 0, {{"position", std::string("alibi")}});
  const ValueId attended =
      build.linear(name + ".output", tensors + "attention.output.dense", context, hidden);
  x = build.add_and_norm(name + ".attended", tensors + "attention.output.LayerNorm", attended, x);

  const ValueId both =
      build.linear(name + ".ffn1", tensors + "mlp.gated_layers", x, 2 * build.sizes.intermediate, Bias::none);
  const ValueId gated = build.gate(name + ".gate", both, "gelu_erf");
  return build.add_and_norm(name, tensors + "mlp.layernorm",
                            build.linear(name + ".ffn2", tensors + "mlp.wo", gated, hidden), x);
}

}  // namespace

ImportedModel import_jina_bert(const ImportSource& source, const ImportTarget& target) {
  const ConfigReader config(source);
  refuse_decoders(config);
  require_string(config, "position_embedding_type", "alibi");
  // Without the key the published code has no gate.
  const std::string_view expected = "geglu";
  if (const std::string kind = config.string_or("feed_forward_type", "original"); kind != expected)
    config.fail_one_of("feed_forward_type", {&expected, 1}, kind);
  EncoderBuilder build(source, read_jina_sizes(config));
  build.epsilon = config.number_or("layer_norm_eps", 1e-12, 0, 1);
  build.choose_prefix("embeddings.", "bert.");
  refuse_query_norms(build);
  ValueId x = embeddings(build);
  for (std::int64_t i = 0; i < build.sizes.layers; ++i) x = layer(build, i, x);
  return build.finish(target, x);
}

}  // namespace nybble::graph
