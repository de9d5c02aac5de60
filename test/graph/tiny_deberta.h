// A DeBERTa-v2 with everything that there is, as config.json and tensor table, for tests to damage. Sizes are
// small and differ.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "graph/import/importer.h"

namespace nybble::graph::test {

inline nlohmann::json deberta_config() {
  return {{"model_type", "deberta-v2"},    {"hidden_size", 8},         {"num_hidden_layers", 2},
          {"num_attention_heads", 2},      {"attention_head_size", 4}, {"intermediate_size", 16},
          {"embedding_size", 6},           {"vocab_size", 30},         {"max_position_embeddings", 12},
          {"type_vocab_size", 3},          {"hidden_act", "gelu"},     {"layer_norm_eps", 1e-7},
          {"relative_attention", true},    {"position_buckets", 5},    {"max_relative_positions", -1},
          {"norm_rel_ebd", "layer_norm"},  {"share_att_key", false},   {"pos_att_type", "p2c|c2p"},
          {"position_biased_input", true}, {"conv_kernel_size", 3},    {"conv_act", "gelu"}};
}

/// A number of the config, or `otherwise` where it has none.
inline std::int64_t number_in(const nlohmann::json& config, const char* key, std::int64_t otherwise) {
  const auto found = config.find(key);
  return found == config.end() || !found->is_number_integer() ? otherwise : found->get<std::int64_t>();
}

/// What deberta_config() asks for, at the sizes of `config`, whether that asks for it or not.
inline TensorTable deberta_tensors(const nlohmann::json& config, const std::string& prefix = "") {
  const std::int64_t h = number_in(config, "hidden_size", 1),
                     inner = number_in(config, "intermediate_size", 1);
  const std::int64_t width = number_in(config, "embedding_size", h);
  const std::int64_t positions = number_in(config, "max_position_embeddings", 1);
  std::int64_t span = number_in(config, "max_relative_positions", -1);
  if (span < 1) span = positions;
  if (const std::int64_t buckets = number_in(config, "position_buckets", -1); buckets > 0) span = buckets;
  TensorTable tensors;
  const auto put = [&](const std::string& name, std::vector<std::int64_t> shape) {
    tensors[prefix + name] = {DType::f32, std::move(shape)};
  };
  const auto linear = [&](const std::string& name, std::int64_t n, std::int64_t k) {
    put(name + ".weight", {n, k});
    put(name + ".bias", {n});
  };
  const auto norm = [&](const std::string& name) {
    put(name + ".weight", {h});
    put(name + ".bias", {h});
  };
  put("embeddings.word_embeddings.weight", {number_in(config, "vocab_size", 1), width});
  put("embeddings.position_embeddings.weight", {positions, width});
  put("embeddings.token_type_embeddings.weight", {number_in(config, "type_vocab_size", 0), width});
  put("embeddings.embed_proj.weight", {h, width});
  norm("embeddings.LayerNorm");
  put("encoder.rel_embeddings.weight", {2 * span, h});
  norm("encoder.LayerNorm");
  put("encoder.conv.conv.weight", {h, h, number_in(config, "conv_kernel_size", 0)});
  put("encoder.conv.conv.bias", {h});
  norm("encoder.conv.LayerNorm");
  for (std::int64_t i = 0; i < number_in(config, "num_hidden_layers", 0); ++i) {
    const std::string layer = "encoder.layer." + std::to_string(i) + ".";
    for (const char* part : {"query_proj", "key_proj", "value_proj", "pos_key_proj", "pos_query_proj"})
      linear(layer + "attention.self." + part, h, h);
    linear(layer + "attention.output.dense", h, h);
    norm(layer + "attention.output.LayerNorm");
    linear(layer + "intermediate.dense", inner, h);
    linear(layer + "output.dense", h, inner);
    norm(layer + "output.LayerNorm");
  }
  return tensors;
}

}  // namespace nybble::graph::test
