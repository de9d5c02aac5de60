// A model of each family with absolute positions as config.json and tensor table, whole and sound, for tests
// to damage.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tiny_bert.h"

namespace nybble::graph::test {

/// Collects tensors of one type under a prefix.
class TensorMaker {
 public:
  TensorMaker(std::string prefix, DType dtype) : prefix_(std::move(prefix)), dtype_(dtype) {}
  void put(const std::string& name, std::vector<std::int64_t> shape) {
    tensors[prefix_ + name] = {dtype_, std::move(shape)};
  }
  void linear(const std::string& name, std::int64_t n, std::int64_t k) {
    put(name + ".weight", {n, k});
    put(name + ".bias", {n});
  }
  void norm(const std::string& name, std::int64_t n) {
    put(name + ".weight", {n});
    put(name + ".bias", {n});
  }
  /// Word, position and, if there are any, type tables and their norm.
  void embeddings(std::int64_t words, std::int64_t positions, std::int64_t types, std::int64_t width) {
    put("embeddings.word_embeddings.weight", {words, width});
    put("embeddings.position_embeddings.weight", {positions, width});
    if (types > 0) put("embeddings.token_type_embeddings.weight", {types, width});
    norm("embeddings.LayerNorm", width);
  }
  /// `names`: four linears of attention, its norm, two of the feed-forward part, its norm.
  void layer(const std::string& at, const std::vector<std::string>& names, std::int64_t h,
             std::int64_t inner) {
    for (std::size_t i = 0; i < 4; ++i) linear(at + names[i], h, h);
    norm(at + names[4], h);
    linear(at + names[5], inner, h);
    linear(at + names[6], h, inner);
    norm(at + names[7], h);
  }

  TensorTable tensors;

 private:
  std::string prefix_;
  DType dtype_;
};

/// How a family's tensors are made of its config, and what its published names begin with.
struct TinyFamily {
  std::string name, prefix;
  nlohmann::json config;
  TensorTable (*tensors)(const nlohmann::json& config, const std::string& prefix, DType dtype);
};

inline std::int64_t size_of(const nlohmann::json& config, const char* key) {
  return config.at(key).get<std::int64_t>();
}

/// BERT, RoBERTa, ELECTRA (whose embeddings may be narrower) and MPNet differ in a few tensors.
inline TensorTable tensors_like_bert(const nlohmann::json& config, const std::string& prefix, DType dtype) {
  const auto size = [&](const char* key) { return size_of(config, key); };
  const bool is_mpnet = config.at("model_type") == "mpnet", is_electra = config.at("model_type") == "electra";
  const std::int64_t h = size("hidden_size"), width = is_electra ? size("embedding_size") : h;
  TensorMaker make(prefix, dtype);
  make.embeddings(size("vocab_size"), size("max_position_embeddings"), is_mpnet ? 0 : size("type_vocab_size"),
                  width);
  if (width != h) make.linear("embeddings_project", h, width);
  if (is_mpnet) make.put("encoder.relative_attention_bias.weight", {32, size("num_attention_heads")});
  std::vector<std::string> names = {
      "attention.self.query",       "attention.self.key", "attention.self.value", "attention.output.dense",
      "attention.output.LayerNorm", "intermediate.dense", "output.dense",         "output.LayerNorm"};
  const std::vector<std::string> mpnet = {"attention.attn.q", "attention.attn.k", "attention.attn.v",
                                          "attention.attn.o", "attention.LayerNorm"};
  if (is_mpnet) std::copy(mpnet.begin(), mpnet.end(), names.begin());
  for (std::int64_t i = 0; i < size("num_hidden_layers"); ++i)
    make.layer("encoder.layer." + std::to_string(i) + ".", names, h, size("intermediate_size"));
  return std::move(make.tensors);
}

inline TensorTable distilbert_tensors(const nlohmann::json& config, const std::string& prefix, DType dtype) {
  const auto size = [&](const char* key) { return size_of(config, key); };
  TensorMaker make(prefix, dtype);
  make.embeddings(size("vocab_size"), size("max_position_embeddings"), 0, size("dim"));
  for (std::int64_t i = 0; i < size("n_layers"); ++i) {
    make.layer("transformer.layer." + std::to_string(i) + ".",
               {"attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin", "sa_layer_norm",
                "ffn.lin1", "ffn.lin2", "output_layer_norm"},
               size("dim"), size("hidden_dim"));
  }
  return std::move(make.tensors);
}

inline TensorTable albert_tensors(const nlohmann::json& config, const std::string& prefix, DType dtype) {
  const auto size = [&](const char* key) { return size_of(config, key); };
  const std::int64_t width = size("embedding_size"), h = size("hidden_size");
  TensorMaker make(prefix, dtype);
  make.embeddings(size("vocab_size"), size("max_position_embeddings"), size("type_vocab_size"), width);
  make.linear("encoder.embedding_hidden_mapping_in", h, width);
  for (std::int64_t group = 0; group < size("num_hidden_groups"); ++group) {
    for (std::int64_t inner = 0; inner < size("inner_group_num"); ++inner) {
      make.layer("encoder.albert_layer_groups." + std::to_string(group) + ".albert_layers." +
                     std::to_string(inner) + ".",
                 {"attention.query", "attention.key", "attention.value", "attention.dense",
                  "attention.LayerNorm", "ffn", "ffn_output", "full_layer_layer_norm"},
                 h, size("intermediate_size"));
    }
  }
  return std::move(make.tensors);
}

inline std::vector<TinyFamily> tiny_families() {
  const auto of = [](const char* model_type, const nlohmann::json& more) {
    nlohmann::json config = tiny_bert_config();
    config["model_type"] = model_type;
    if (!more.is_null()) config.update(more);
    return config;
  };
  const nlohmann::json one_type = {{"type_vocab_size", 1}, {"pad_token_id", 1}};
  nlohmann::json distilbert = {{"model_type", "distilbert"},
                               {"dim", 8},
                               {"n_layers", 2},
                               {"n_heads", 2},
                               {"hidden_dim", 16},
                               {"vocab_size", 30},
                               {"max_position_embeddings", 12},
                               {"activation", "gelu"}};
  nlohmann::json mpnet = of("mpnet", {{"relative_attention_num_buckets", 32}});
  mpnet.erase("type_vocab_size");
  const nlohmann::json albert = {{"hidden_act", "gelu_new"},
                                 {"embedding_size", 4},
                                 {"num_hidden_layers", 7},
                                 {"num_hidden_groups", 3},
                                 {"inner_group_num", 2}};
  return {{"albert", "albert.", of("albert", albert), albert_tensors},
          {"bert", "bert.", of("bert", {}), tensors_like_bert},
          {"camembert", "roberta.", of("camembert", one_type), tensors_like_bert},
          {"distilbert", "distilbert.", distilbert, distilbert_tensors},
          {"electra", "electra.", of("electra", {{"embedding_size", 4}}), tensors_like_bert},
          {"mpnet", "mpnet.", mpnet, tensors_like_bert},
          {"roberta", "roberta.", of("roberta", one_type), tensors_like_bert},
          {"xlm-roberta", "roberta.", of("xlm-roberta", one_type), tensors_like_bert}};
}

}  // namespace nybble::graph::test
