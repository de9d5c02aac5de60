#include "graph/import/post_norm_layer.h"

namespace nybble::graph {

LayerTensors bert_layer_tensors(std::int64_t index) {
  const std::string layer = "encoder.layer." + std::to_string(index) + ".";
  const std::string self = layer + "attention.self.";
  return {self + "query",
          self + "key",
          self + "value",
          layer + "attention.output.dense",
          layer + "attention.output.LayerNorm",
          layer + "intermediate.dense",
          layer + "output.dense",
          layer + "output.LayerNorm"};
}

ValueId post_norm_layer(EncoderBuilder& build, const std::string& name, const LayerTensors& tensors,
                        ValueId x, const std::string& activation, const AttentionExtra& extra) {
  const std::int64_t hidden = build.sizes.hidden;
  std::vector<ValueId> inputs = {build.linear(name + ".q", tensors.query, x, hidden),
                                 build.linear(name + ".k", tensors.key, x, hidden),
                                 build.linear(name + ".v", tensors.value, x, hidden)};
  inputs.insert(inputs.end(), extra.inputs.begin(), extra.inputs.end());
  const ValueId context = build.attention(name + ".attention", std::move(inputs), 0, extra.attributes);
  const ValueId attended = build.linear(name + ".output", tensors.output, context, hidden);
  x = build.add_and_norm(name + ".attended", tensors.attended_norm, attended, x);

  const ValueId inner = build.linear(name + ".ffn1", tensors.inner, x, build.sizes.intermediate);
  const ValueId active = build.activation(name + ".gelu", inner, activation);
  const ValueId outer = build.linear(name + ".ffn2", tensors.outer, active, hidden);
  return build.add_and_norm(name, tensors.norm, outer, x);
}

ValueId bert_embeddings(EncoderBuilder& build, std::int64_t columns) {
  const EncoderSizes& sizes = build.sizes;
  std::vector<ValueId> indices = {build.ids, build.positions};
  std::vector<ValueId> tables = {
      build.table("embeddings.word", "embeddings.word_embeddings", sizes.vocabulary, columns),
      build.table("embeddings.position", "embeddings.position_embeddings",
                  sizes.first_position + sizes.positions, columns)};
  if (sizes.token_types > 0) {
    indices.push_back(build.types);
    tables.push_back(
        build.table("embeddings.type", "embeddings.token_type_embeddings", sizes.token_types, columns));
  }
  const ValueId sum = build.embed("embeddings.sum", std::move(indices), tables);
  return build.layernorm("embeddings", "embeddings.LayerNorm", sum);
}

void require_absolute_encoder(const ConfigReader& config) {
  require_string(config, "position_embedding_type", "absolute");
  refuse_decoders(config);
}

void begin_positions_behind(const ConfigReader& config, EncoderSizes& sizes, std::int64_t pad_id) {
  sizes.first_position = pad_id + 1;
  sizes.uncounted_id = pad_id;
  const std::int64_t rows = sizes.positions;
  sizes.positions -= sizes.first_position;
  if (sizes.positions > 0) return;
  config.fail("max_position_embeddings",
              "more than " + std::to_string(sizes.first_position) +
                  " (positions begin behind the padding token " + std::to_string(pad_id) + ")",
              std::to_string(rows));
}

}  // namespace nybble::graph
