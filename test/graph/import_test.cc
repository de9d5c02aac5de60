#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

#include "graph/text.h"
#include "graph/verify.h"
#include "throws.h"
#include "tiny_bert.h"

using namespace nybble::graph;
using namespace nybble::graph::test;
using nlohmann::json;
using nybble::ErrorCode;

namespace {

std::string import_error(const json& config, const TensorTable& tensors) {
  return sentence_of(ErrorCode::unsupported_model, [&] { import_tiny(config, tensors); });
}

/// What the import says of a tiny BERT whose config has `key` changed to `value` (the tensors keep their
/// sizes).
std::string error_with(const std::string& key, const json& value) {
  json config = tiny_bert_config();
  const TensorTable tensors = bert_tensors(config);
  config[key] = value;
  return import_error(config, tensors);
}

/// The families that there are, as an error lists them.
std::string families_text() {
  std::string text;
  for (const std::string_view name : model_types())
    text += (text.empty() ? "one of \"" : ", \"") + std::string(name) + "\"";
  return text;
}

std::string expected(const std::string& key, const std::string& what, const std::string& found) {
  return "m/config.json: " + key + ": expected " + what + ", found " + found;
}

}  // namespace

TEST_CASE("A BERT of one layer becomes this graph") {
  const json config = tiny_bert_config(1);
  const Graph graph = import_tiny(config, bert_tensors(config), {.normalize = true}).graph;
  const std::string text = print(graph);
  REQUIRE(
      text.substr(text.find("%embeddings.sum")) ==
      "%embeddings.sum : f32[tokens,8] = embed_sum(%ids, %positions, %types, %embeddings.word, "
      "%embeddings.position, %embeddings.type)\n"
      "%embeddings : f32[tokens,8] = layernorm(%embeddings.sum, %embeddings.gamma, %embeddings.beta) "
      "{epsilon = 1e-12}\n"
      "%layer.0.q.product : f32[tokens,8] = linear(%embeddings, %layer.0.q.weight)\n"
      "%layer.0.q : f32[tokens,8] = add_bias(%layer.0.q.product, %layer.0.q.bias)\n"
      "%layer.0.k.product : f32[tokens,8] = linear(%embeddings, %layer.0.k.weight)\n"
      "%layer.0.k : f32[tokens,8] = add_bias(%layer.0.k.product, %layer.0.k.bias)\n"
      "%layer.0.v.product : f32[tokens,8] = linear(%embeddings, %layer.0.v.weight)\n"
      "%layer.0.v : f32[tokens,8] = add_bias(%layer.0.v.product, %layer.0.v.bias)\n"
      "%layer.0.attention : f32[tokens,8] = attention(%layer.0.q, %layer.0.k, %layer.0.v) "
      "{head_dim = 4, heads = 2, position = \"none\", scale = 0.5, window = 0}\n"
      "%layer.0.output.product : f32[tokens,8] = linear(%layer.0.attention, %layer.0.output.weight)\n"
      "%layer.0.output : f32[tokens,8] = add_bias(%layer.0.output.product, %layer.0.output.bias)\n"
      "%layer.0.attended.sum : f32[tokens,8] = add(%layer.0.output, %embeddings)\n"
      "%layer.0.attended : f32[tokens,8] = layernorm(%layer.0.attended.sum, %layer.0.attended.gamma, "
      "%layer.0.attended.beta) {epsilon = 1e-12}\n"
      "%layer.0.ffn1.product : f32[tokens,16] = linear(%layer.0.attended, %layer.0.ffn1.weight)\n"
      "%layer.0.ffn1 : f32[tokens,16] = add_bias(%layer.0.ffn1.product, %layer.0.ffn1.bias)\n"
      "%layer.0.gelu : f32[tokens,16] = activation(%layer.0.ffn1) {kind = \"gelu_erf\"}\n"
      "%layer.0.ffn2.product : f32[tokens,8] = linear(%layer.0.gelu, %layer.0.ffn2.weight)\n"
      "%layer.0.ffn2 : f32[tokens,8] = add_bias(%layer.0.ffn2.product, %layer.0.ffn2.bias)\n"
      "%layer.0.sum : f32[tokens,8] = add(%layer.0.ffn2, %layer.0.attended)\n"
      "%layer.0 : f32[tokens,8] = layernorm(%layer.0.sum, %layer.0.gamma, %layer.0.beta) {epsilon = 1e-12}\n"
      "%pooled : f32[sequences,8] = pool(%layer.0) {mode = \"mean\"}\n"
      "%normalized : f32[sequences,8] = l2_normalize(%pooled)\n"
      "output embedding = %normalized\n");
  REQUIRE(text.find("weight %layer.0.ffn2.weight : f32[8,16] = \"encoder.layer.0.output.dense.weight\"\n") !=
          std::string::npos);
}

TEST_CASE("The imported graph is sound and prints and parses") {
  const json config = tiny_bert_config();
  const Graph graph = import_tiny(config, bert_tensors(config)).graph;
  REQUIRE_NOTHROW(verify(graph));
  REQUIRE(print(parse(print(graph))) == print(graph));
}

TEST_CASE("The target chooses pooling, normalization and rows of tokens") {
  const json config = tiny_bert_config(0);
  const auto tail = [&](const ImportTarget& target) {
    const std::string text = print(import_tiny(config, bert_tensors(config), target).graph);
    return text.substr(text.find('\n', text.find("%embeddings : ")) + 1);
  };
  REQUIRE(tail({}) ==
          "%pooled : f32[sequences,8] = pool(%embeddings) {mode = \"mean\"}\noutput embedding = %pooled\n");
  REQUIRE(tail({.pooling = {PoolMode::cls}}) ==
          "%pooled : f32[sequences,8] = pool(%embeddings) {mode = \"cls\"}\noutput embedding = %pooled\n");
  REQUIRE(tail({.per_token = true}) == "output tokens = %embeddings\n");
  REQUIRE(tail({.normalize = true, .per_token = true}) ==
          "%normalized : f32[tokens,8] = l2_normalize(%embeddings)\noutput tokens = %normalized\n");
}

TEST_CASE("The sizes are the config's") {
  const json config = tiny_bert_config();
  const EncoderSizes sizes = import_tiny(config, bert_tensors(config)).sizes;
  REQUIRE(sizes.family == "bert");
  REQUIRE(sizes.layers == 2);
  REQUIRE(sizes.hidden == 8);
  REQUIRE(sizes.heads == 2);
  REQUIRE(sizes.intermediate == 16);
  REQUIRE(sizes.vocabulary == 30);
  REQUIRE(sizes.positions == 12);
  REQUIRE(sizes.token_types == 2);
  REQUIRE(sizes.activation == "gelu");
}

TEST_CASE("Tensors are found with and without the bert. prefix, as gamma and beta, in F32, F16 and BF16") {
  const json config = tiny_bert_config();
  const std::string prefix = GENERATE("", "bert.");
  const bool tensorflow_names = GENERATE(false, true);
  const DType dtype = GENERATE(DType::f32, DType::f16, DType::bf16);
  const Graph graph = import_tiny(config, bert_tensors(config, prefix, dtype, tensorflow_names)).graph;
  const std::string text = print(graph);
  const std::string gamma =
      prefix + "encoder.layer.1.output.LayerNorm." + (tensorflow_names ? "gamma" : "weight");
  REQUIRE(text.find("weight %layer.1.gamma : f32[8] = \"" + gamma + "\"\n") != std::string::npos);
  Graph plain = import_tiny(config, bert_tensors(config)).graph;
  REQUIRE(graph.nodes == plain.nodes);
}

TEST_CASE("Tensors that the model does not need are ignored, whatever they are") {
  const json config = tiny_bert_config();
  const std::string prefix = GENERATE("", "bert.");
  TensorTable tensors = bert_tensors(config, prefix);
  const std::string text = print(import_tiny(config, tensors).graph);
  tensors[prefix + "embeddings.position_ids"] = {DType::i64, {1, 12}};
  tensors[prefix + "pooler.dense.weight"] = {DType::f64, {8, 8}};
  tensors["bert.pooler.dense.bias"] = {DType::f32, {8}};
  tensors["cls.predictions.bias"] = {DType::f32, {30}};
  tensors["encoder.layer.2.output.dense.bias"] = {DType::u8, {}};
  REQUIRE(print(import_tiny(config, tensors).graph) == text);
}

TEST_CASE("hidden_act names the activation") {
  json config = tiny_bert_config(1);
  const auto [name, kind] = GENERATE(table<std::string, std::string>({{"gelu", "gelu_erf"},
                                                                      {"gelu_new", "gelu_tanh"},
                                                                      {"gelu_pytorch_tanh", "gelu_tanh"},
                                                                      {"relu", "relu"}}));
  config["hidden_act"] = name;
  const ImportedModel model = import_tiny(config, bert_tensors(config));
  REQUIRE(print(model.graph).find("{kind = \"" + kind + "\"}") != std::string::npos);
  REQUIRE(model.sizes.activation == name);
}

TEST_CASE("What a config may leave out or set to null takes BERT's default") {
  json config = tiny_bert_config();
  const TensorTable tensors = bert_tensors(config);
  const std::string text = print(import_tiny(config, tensors).graph);
  for (const char* key : {"hidden_act", "layer_norm_eps"}) config.erase(key);
  REQUIRE(print(import_tiny(config, tensors).graph) == text);
  for (const char* key :
       {"hidden_act", "layer_norm_eps", "position_embedding_type", "is_decoder", "add_cross_attention"}) {
    config[key] = nullptr;
  }
  REQUIRE(print(import_tiny(config, tensors).graph) == text);
  config["position_embedding_type"] = "absolute";
  config["is_decoder"] = config["add_cross_attention"] = false;
  config["layer_norm_eps"] = 0;
  REQUIRE(print(import_tiny(config, tensors).graph).find("{epsilon = 0.0}") != std::string::npos);
}

TEST_CASE("A missing tensor, a wrong shape and a wrong type are a sentence each, for every tensor") {
  const json config = tiny_bert_config(1);
  const std::string prefix = GENERATE("", "bert.");
  const TensorTable whole = bert_tensors(config, prefix);
  for (const auto& [name, info] : whole) {
    std::string shape = "[" + std::to_string(info.shape[0]);
    if (info.shape.size() == 2) shape += ", " + std::to_string(info.shape[1]);
    shape += "]";
    const std::string start = "m/model.safetensors: tensor " + name + ": expected ";
    TensorTable tensors = whole;
    tensors.erase(name);
    REQUIRE(import_error(config, tensors) == start + "shape " + shape + ", found no such tensor");
    tensors[name] = {DType::f32, {info.shape[0] + 1}};
    REQUIRE(import_error(config, tensors) ==
            start + "shape " + shape + ", found [" + std::to_string(info.shape[0] + 1) + "]");
    tensors[name] = {DType::f32, {}};
    REQUIRE(import_error(config, tensors) == start + "shape " + shape + ", found []");
    tensors[name] = {DType::f64, info.shape};
    REQUIRE(import_error(config, tensors) == start + "F32, F16 or BF16, found F64");
    tensors[name] = {DType::i8, info.shape};
    REQUIRE(import_error(config, tensors) == start + "F32, F16 or BF16, found I8");
  }
}

TEST_CASE("A tensor of very many extents is named in a short sentence") {
  const json config = tiny_bert_config(1);
  TensorTable tensors = bert_tensors(config);
  tensors["embeddings.LayerNorm.weight"].shape.assign(100000, 1);
  REQUIRE(import_error(config, tensors) ==
          "m/model.safetensors: tensor embeddings.LayerNorm.weight: expected shape [8], found "
          "[1, 1, 1, 1, 1, 1, 1, 1, ...]");
}

TEST_CASE("No tensors at all is an error that names the first one needed") {
  REQUIRE(
      import_error(tiny_bert_config(), {}) ==
      "m/model.safetensors: tensor embeddings.word_embeddings.weight: expected shape [30, 8], found no such "
      "tensor");
}

TEST_CASE("A config that is no object, or of no known model_type, is a sentence") {
  const std::string start = "m/config.json: expected an object, found ";
  REQUIRE(import_error(json::array(), {}) == start + "an array of 0");
  REQUIRE(import_error("bert", {}) == start + "\"bert\"");
  REQUIRE(import_error(7, {}) == start + "7");
  REQUIRE(import_error(nullptr, {}) == start + "null");
  REQUIRE(error_with("model_type", "roformer") == expected("model_type", families_text(), "\"roformer\""));
  REQUIRE(error_with("model_type", json()) == expected("model_type", "a string", "nothing"));
  REQUIRE(error_with("model_type", {1, 2}) == expected("model_type", "a string", "an array of 2"));
}

TEST_CASE("Models that would compute something else are refused") {
  REQUIRE(error_with("hidden_act", "elu") ==
          expected("hidden_act",
                   "one of \"gelu\", \"gelu_python\", \"gelu_new\", \"gelu_fast\", \"gelu_pytorch_tanh\", "
                   "\"relu\", \"silu\", \"swish\", \"sigmoid\", \"tanh\"",
                   "\"elu\""));
  for (const std::string kind : {"relative_key", "relative_key_query", ""}) {
    REQUIRE(error_with("position_embedding_type", kind) ==
            expected("position_embedding_type", "\"absolute\"", "\"" + kind + "\""));
  }
  REQUIRE(error_with("is_decoder", true) == expected("is_decoder", "false (Nybble runs encoders)", "true"));
  REQUIRE(error_with("add_cross_attention", true) == expected("add_cross_attention", "false", "true"));
}

TEST_CASE("Heads must divide the hidden size") {
  REQUIRE(error_with("num_attention_heads", 3) ==
          expected("num_attention_heads", "a divisor of hidden_size 8", "3"));
  REQUIRE(error_with("num_attention_heads", 16) ==
          expected("num_attention_heads", "a divisor of hidden_size 8", "16"));
}

TEST_CASE("A size that is missing, of another type, or out of range is a sentence") {
  const auto [key, range] =
      GENERATE(table<std::string, std::string>({{"hidden_size", "1 to 65536"},
                                                {"num_hidden_layers", "0 to 1000"},
                                                {"num_attention_heads", "1 to 65536"},
                                                {"intermediate_size", "1 to 1048576"},
                                                {"vocab_size", "1 to 16777216"},
                                                {"max_position_embeddings", "1 to 1048576"},
                                                {"type_vocab_size", "1 to 1048576"}}));
  const std::string what = "an integer from " + range;
  REQUIRE(error_with(key, nullptr) == expected(key, what, "nothing"));
  REQUIRE(error_with(key, "8") == expected(key, what, "\"8\""));
  REQUIRE(error_with(key, 8.0) == expected(key, what, "8.0"));
  REQUIRE(error_with(key, true) == expected(key, what, "true"));
  REQUIRE(error_with(key, {8}) == expected(key, what, "an array of 1"));
  REQUIRE(error_with(key, json::object()) == expected(key, what, "an object"));
  REQUIRE(error_with(key, -1) == expected(key, what, "-1"));
  REQUIRE(error_with(key, INT64_MIN) == expected(key, what, "-9223372036854775808"));
  REQUIRE(error_with(key, 16777217) == expected(key, what, "16777217"));
  REQUIRE(error_with(key, UINT64_MAX) == expected(key, what, "18446744073709551615"));
  REQUIRE(error_with(key, 1e30) == expected(key, what, "1e+30"));
  json config = tiny_bert_config();
  const TensorTable tensors = bert_tensors(config);
  config.erase(key);
  REQUIRE(import_error(config, tensors) == expected(key, what, "nothing"));
}

TEST_CASE("Other keys of another type are a sentence each") {
  REQUIRE(error_with("hidden_act", 1) == expected("hidden_act", "a string", "1"));
  REQUIRE(error_with("position_embedding_type", false) ==
          expected("position_embedding_type", "a string", "false"));
  REQUIRE(error_with("is_decoder", 0) == expected("is_decoder", "true or false", "0"));
  REQUIRE(error_with("add_cross_attention", "no") ==
          expected("add_cross_attention", "true or false", "\"no\""));
  REQUIRE(error_with("layer_norm_eps", "1e-12") ==
          expected("layer_norm_eps", "a number from 0 to 1", "\"1e-12\""));
  REQUIRE(error_with("layer_norm_eps", -1e-12) ==
          expected("layer_norm_eps", "a number from 0 to 1", "-1e-12"));
  REQUIRE(error_with("layer_norm_eps", 1.5) == expected("layer_norm_eps", "a number from 0 to 1", "1.5"));
}

TEST_CASE("What was found is shown short and on one line") {
  const std::string name(100000, 'x');
  REQUIRE(error_with("model_type", name) ==
          expected("model_type", families_text(), "\"" + std::string(56, 'x') + "..."));
  REQUIRE(error_with("hidden_act", "a\nb\"c").find("found \"a\\nb\\\"c\"") != std::string::npos);
  std::string accents;
  for (int i = 0; i < 50; ++i) accents += "é";
  REQUIRE(error_with("model_type", accents) ==
          expected("model_type", families_text(), "\"" + accents.substr(0, 56) + "..."));
  REQUIRE(error_with("model_type", "x" + accents) ==
          expected("model_type", families_text(), "\"x" + accents.substr(0, 54) + "..."));
}

TEST_CASE("A value that nests very deep is an error like any other") {
  const std::string text = "{\"model_type\":" + std::string(200000, '[') + std::string(200000, ']') + "}";
  const json config = json::parse(text);
  REQUIRE(import_error(config, {}) == expected("model_type", "a string", "an array of 1"));
}

TEST_CASE("Sizes that do not fit the tensors fail at the first of them") {
  REQUIRE(error_with("num_hidden_layers", 1000) ==
          "m/model.safetensors: tensor encoder.layer.2.attention.self.query.weight: expected shape [8, 8], "
          "found no "
          "such tensor");
  REQUIRE(error_with("type_vocab_size", 1048576) ==
          "m/model.safetensors: tensor embeddings.token_type_embeddings.weight: expected shape [1048576, 8], "
          "found "
          "[2, 8]");
  REQUIRE(
      error_with("vocab_size", 16777216) ==
      "m/model.safetensors: tensor embeddings.word_embeddings.weight: expected shape [16777216, 8], found "
      "[30, 8]");
}

TEST_CASE("The known model types are listed once each") {
  const std::set<std::string_view> names(model_types().begin(), model_types().end());
  REQUIRE(names.size() == model_types().size());
  for (const char* name : {"albert", "bert", "camembert", "distilbert", "electra", "modernbert", "mpnet",
                           "new", "nomic_bert", "roberta", "xlm-roberta"}) {
    REQUIRE(names.count(name) == 1);
  }
}
