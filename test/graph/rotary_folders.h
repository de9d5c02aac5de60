// Whole and sound configs of ModernBERT, NomicBERT, GTE-new and Jina-BERT-v2, as published, and the tensors
// that a config asks for, for tests to damage. Sizes are small; the numbers of layers and positions differ
// from all widths.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "graph/import/importer.h"

namespace nybble::graph::test {

inline nlohmann::json modernbert_config() {
  return {{"model_type", "modernbert"},      {"hidden_size", 8},
          {"num_hidden_layers", 3},          {"num_attention_heads", 2},
          {"intermediate_size", 16},         {"vocab_size", 30},
          {"max_position_embeddings", 12},   {"hidden_activation", "gelu"},
          {"global_attn_every_n_layers", 3}, {"local_attention", 7},
          {"global_rope_theta", 160000.0},   {"local_rope_theta", 10000.0}};
}

inline nlohmann::json nomic_config() {
  return {{"model_type", "nomic_bert"},
          {"n_embd", 8},
          {"n_layer", 2},
          {"n_head", 2},
          {"n_inner", 256},
          {"n_positions", 12},
          {"vocab_size", 64},
          {"pad_vocab_size_multiple", 64},
          {"type_vocab_size", 2},
          {"activation_function", "swiglu"},
          {"rotary_emb_base", 1000},
          {"rotary_emb_fraction", 1.0},
          {"qkv_proj_bias", false},
          {"mlp_fc1_bias", false},
          {"mlp_fc2_bias", false},
          {"rotary_scaling_factor", nullptr}};
}

/// The same model, as transformers 5 writes it.
inline nlohmann::json nomic_config_of_5() {
  return {{"model_type", "nomic_bert"},
          {"hidden_size", 8},
          {"num_hidden_layers", 2},
          {"num_attention_heads", 2},
          {"head_dim", 4},
          {"intermediate_size", 256},
          {"max_position_embeddings", 12},
          {"vocab_size", 64},
          {"type_vocab_size", 2},
          {"hidden_act", "silu"},
          {"rope_parameters", {{"rope_theta", 1000.0}, {"rope_type", "default"}}}};
}

inline nlohmann::json gte_config() {
  return {{"model_type", "new"},
          {"hidden_size", 8},
          {"num_hidden_layers", 2},
          {"num_attention_heads", 2},
          {"intermediate_size", 16},
          {"vocab_size", 30},
          {"max_position_embeddings", 12},
          {"type_vocab_size", 0},
          {"hidden_act", "gelu"},
          {"position_embedding_type", "rope"},
          {"rope_theta", 10000},
          {"rope_scaling", {{"type", "ntk"}, {"factor", 16.0}}},
          {"pack_qkv", true}};
}

inline nlohmann::json jina_config() {
  return {{"model_type", "bert"},          {"hidden_size", 8},
          {"num_hidden_layers", 2},        {"num_attention_heads", 2},
          {"intermediate_size", 16},       {"vocab_size", 30},
          {"max_position_embeddings", 12}, {"type_vocab_size", 2},
          {"hidden_act", "gelu"},          {"position_embedding_type", "alibi"},
          {"feed_forward_type", "geglu"}};
}

/// Fills a table of tensors, each at `prefix` + its name.
class TensorFiller {
 public:
  TensorFiller(std::string prefix) : prefix_(std::move(prefix)) {}

  void put(const std::string& name, std::vector<std::int64_t> shape) {
    tensors[prefix_ + name] = {DType::f32, std::move(shape)};
  }
  void linear(const std::string& name, std::int64_t n, std::int64_t k, bool bias = true) {
    put(name + ".weight", {n, k});
    if (bias) put(name + ".bias", {n});
  }
  void norm(const std::string& name, std::int64_t n, bool bias = true) {
    put(name + ".weight", {n});
    if (bias) put(name + ".bias", {n});
  }
  void embeddings(std::int64_t words, std::int64_t types, std::int64_t hidden) {
    put("embeddings.word_embeddings.weight", {words, hidden});
    if (types > 0) put("embeddings.token_type_embeddings.weight", {types, hidden});
  }

  TensorTable tensors;

 private:
  std::string prefix_;
};

/// The key's value, or `otherwise`.
template <class T>
T value_of(const nlohmann::json& config, const char* key, T otherwise) {
  const auto found = config.find(key);
  return found == config.end() || found->is_null() ? otherwise : found->get<T>();
}

inline TensorTable modernbert_tensors(const nlohmann::json& config, const std::string& prefix) {
  TensorFiller fill(prefix);
  const auto h = value_of<std::int64_t>(config, "hidden_size", 0);
  const auto inner = value_of<std::int64_t>(config, "intermediate_size", 0);
  const bool norms = value_of(config, "norm_bias", false), mlp = value_of(config, "mlp_bias", false);
  const bool attention = value_of(config, "attention_bias", false);
  fill.put("embeddings.tok_embeddings.weight", {value_of<std::int64_t>(config, "vocab_size", 0), h});
  fill.norm("embeddings.norm", h, norms);
  for (std::int64_t i = 0; i < value_of<std::int64_t>(config, "num_hidden_layers", 0); ++i) {
    const std::string layer = "layers." + std::to_string(i) + ".";
    if (i > 0) fill.norm(layer + "attn_norm", h, norms);
    fill.linear(layer + "attn.Wqkv", 3 * h, h, attention);
    fill.linear(layer + "attn.Wo", h, h, attention);
    fill.norm(layer + "mlp_norm", h, norms);
    fill.linear(layer + "mlp.Wi", 2 * inner, h, mlp);
    fill.linear(layer + "mlp.Wo", h, inner, mlp);
  }
  fill.norm("final_norm", h, norms);
  return std::move(fill.tensors);
}

/// Widths of a NomicBERT in either spelling.
struct NomicWidths {
  std::int64_t hidden, layers, inner, words, types;

  explicit NomicWidths(const nlohmann::json& config) {
    const auto size = [&](const char* key, const char* published) {
      return value_of(config, key, value_of<std::int64_t>(config, published, 0));
    };
    const auto round_up = [](std::int64_t value, std::int64_t unit) {
      return (value + unit - 1) / unit * unit;
    };
    hidden = size("hidden_size", "n_embd");
    layers = size("num_hidden_layers", "n_layer");
    inner =
        value_of(config, "intermediate_size", round_up(value_of<std::int64_t>(config, "n_inner", 0), 256));
    words = round_up(value_of<std::int64_t>(config, "vocab_size", 0),
                     value_of<std::int64_t>(config, "pad_vocab_size_multiple", 1));
    types = value_of<std::int64_t>(config, "type_vocab_size", 2);
  }
};

inline TensorTable nomic_tensors(const nlohmann::json& config, const std::string& prefix) {
  TensorFiller fill(prefix);
  const NomicWidths widths(config);
  const std::int64_t h = widths.hidden;
  const bool qkv = value_of(config, "qkv_proj_bias", false), fc1 = value_of(config, "mlp_fc1_bias", false);
  fill.embeddings(widths.words, widths.types, h);
  fill.norm("emb_ln", h);
  for (std::int64_t i = 0; i < widths.layers; ++i) {
    const std::string layer = "encoder.layers." + std::to_string(i) + ".";
    fill.linear(layer + "attn.Wqkv", 3 * h, h, qkv);
    fill.linear(layer + "attn.out_proj", h, h, qkv);
    fill.linear(layer + "mlp.fc11", widths.inner, h, fc1);
    fill.linear(layer + "mlp.fc12", widths.inner, h, fc1);
    fill.linear(layer + "mlp.fc2", h, widths.inner, value_of(config, "mlp_fc2_bias", false));
    fill.norm(layer + "norm1", h);
    fill.norm(layer + "norm2", h);
  }
  return std::move(fill.tensors);
}

/// The same tensors as the modules of transformers 5 are called.
inline TensorTable nomic_module_tensors(const nlohmann::json& config) {
  TensorFiller fill("");
  const NomicWidths widths(config);
  const std::int64_t h = widths.hidden;
  fill.embeddings(widths.words, widths.types, h);
  fill.norm("embeddings.LayerNorm", h);
  for (std::int64_t i = 0; i < widths.layers; ++i) {
    const std::string layer = "layers." + std::to_string(i) + ".";
    for (const char* part : {"q_proj", "k_proj", "v_proj", "o_proj"})
      fill.linear(layer + "self_attn." + part, h, h, false);
    fill.linear(layer + "mlp.gate_proj", widths.inner, h, false);
    fill.linear(layer + "mlp.up_proj", widths.inner, h, false);
    fill.linear(layer + "mlp.down_proj", h, widths.inner, false);
    fill.norm(layer + "post_attention_layernorm", h);
    fill.norm(layer + "post_mlp_layernorm", h);
  }
  return std::move(fill.tensors);
}

inline TensorTable gte_tensors(const nlohmann::json& config, const std::string& prefix) {
  TensorFiller fill(prefix);
  const auto h = value_of<std::int64_t>(config, "hidden_size", 0);
  const auto inner = value_of<std::int64_t>(config, "intermediate_size", 0);
  fill.embeddings(value_of<std::int64_t>(config, "vocab_size", 0),
                  value_of<std::int64_t>(config, "type_vocab_size", 1), h);
  fill.norm("embeddings.LayerNorm", h);
  for (std::int64_t i = 0; i < value_of<std::int64_t>(config, "num_hidden_layers", 0); ++i) {
    const std::string layer = "encoder.layer." + std::to_string(i) + ".";
    if (value_of(config, "pack_qkv", true)) {
      fill.linear(layer + "attention.qkv_proj", 3 * h, h);
    } else {
      for (const char* part : {"q_proj", "k_proj", "v_proj"}) fill.linear(layer + "attention." + part, h, h);
    }
    fill.linear(layer + "attention.o_proj", h, h);
    fill.linear(layer + "mlp.up_gate_proj", 2 * inner, h, false);
    fill.linear(layer + "mlp.down_proj", h, inner);
    fill.norm(layer + "attn_ln", h);
    fill.norm(layer + "mlp_ln", h);
  }
  return std::move(fill.tensors);
}

inline TensorTable jina_tensors(const nlohmann::json& config, const std::string& prefix) {
  TensorFiller fill(prefix);
  const auto h = value_of<std::int64_t>(config, "hidden_size", 0);
  const auto inner = value_of<std::int64_t>(config, "intermediate_size", 0);
  fill.embeddings(value_of<std::int64_t>(config, "vocab_size", 0),
                  value_of<std::int64_t>(config, "type_vocab_size", 2), h);
  fill.norm("embeddings.LayerNorm", h);
  for (std::int64_t i = 0; i < value_of<std::int64_t>(config, "num_hidden_layers", 0); ++i) {
    const std::string layer = "encoder.layer." + std::to_string(i) + ".";
    for (const char* part : {"self.query", "self.key", "self.value", "output.dense"})
      fill.linear(layer + "attention." + part, h, h);
    fill.norm(layer + "attention.output.LayerNorm", h);
    fill.linear(layer + "mlp.gated_layers", 2 * inner, h, false);
    fill.linear(layer + "mlp.wo", h, inner);
    fill.norm(layer + "mlp.layernorm", h);
  }
  return std::move(fill.tensors);
}

/// The tensors that a config of any of these families asks for, named as published.
inline TensorTable rotary_tensors(const nlohmann::json& config, const std::string& prefix = "") {
  const std::string type = value_of<std::string>(config, "model_type", "");
  if (type == "modernbert") return modernbert_tensors(config, prefix);
  if (type == "nomic_bert") return nomic_tensors(config, prefix);
  return type == "new" ? gte_tensors(config, prefix) : jina_tensors(config, prefix);
}

}  // namespace nybble::graph::test
