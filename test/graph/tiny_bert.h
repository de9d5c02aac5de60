// A BERT of a few layers as config.json and tensor table, whole and sound, for tests to damage.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "graph/import/importer.h"

namespace nybble::graph::test {

inline nlohmann::json tiny_bert_config(int layers = 2) {
  return {{"model_type", "bert"},          {"hidden_size", 8},        {"num_hidden_layers", layers},
          {"num_attention_heads", 2},      {"intermediate_size", 16}, {"vocab_size", 30},
          {"max_position_embeddings", 12}, {"type_vocab_size", 2},    {"hidden_act", "gelu"},
          {"layer_norm_eps", 1e-12}};
}

/// The tensors that `config` asks for, named as published.
inline TensorTable bert_tensors(const nlohmann::json& config, const std::string& prefix = "",
                                DType dtype = DType::f32, bool tensorflow_names = false) {
  const auto size = [&](const char* key) { return config.at(key).get<std::int64_t>(); };
  const std::int64_t h = size("hidden_size"), inner = size("intermediate_size");
  TensorTable tensors;
  const auto put = [&](const std::string& name, std::vector<std::int64_t> shape) {
    tensors[prefix + name] = {dtype, std::move(shape)};
  };
  const auto linear = [&](const std::string& name, std::int64_t n, std::int64_t k) {
    put(name + ".weight", {n, k});
    put(name + ".bias", {n});
  };
  const auto norm = [&](const std::string& name) {
    put(name + (tensorflow_names ? ".gamma" : ".weight"), {h});
    put(name + (tensorflow_names ? ".beta" : ".bias"), {h});
  };
  put("embeddings.word_embeddings.weight", {size("vocab_size"), h});
  put("embeddings.position_embeddings.weight", {size("max_position_embeddings"), h});
  put("embeddings.token_type_embeddings.weight", {size("type_vocab_size"), h});
  norm("embeddings.LayerNorm");
  for (std::int64_t i = 0; i < size("num_hidden_layers"); ++i) {
    const std::string layer = "encoder.layer." + std::to_string(i) + ".";
    for (const char* part : {"query", "key", "value"}) linear(layer + "attention.self." + part, h, h);
    linear(layer + "attention.output.dense", h, h);
    norm(layer + "attention.output.LayerNorm");
    linear(layer + "intermediate.dense", inner, h);
    linear(layer + "output.dense", h, inner);
    norm(layer + "output.LayerNorm");
  }
  return tensors;
}

inline ImportedModel import_tiny(const nlohmann::json& config, const TensorTable& tensors,
                                 const ImportTarget& target = {}) {
  return import_model({config, "m/config.json", tensors, "m/model.safetensors"}, target);
}

}  // namespace nybble::graph::test
