// What every importer of a family with absolute positions has in common, and what each has of its own.
#include <catch2/catch.hpp>

#include "graph/text.h"
#include "graph/verify.h"
#include "throws.h"
#include "tiny_families.h"

using namespace nybble::graph;
using namespace nybble::graph::test;
using nlohmann::json;
using nybble::ErrorCode;

namespace {

TinyFamily family(const std::string& name) {
  for (const TinyFamily& each : tiny_families()) {
    if (each.name == name) return each;
  }
  throw std::runtime_error("no family " + name);
}

std::string import_error(const json& config, const TensorTable& tensors) {
  return sentence_of(ErrorCode::unsupported_model, [&] { import_tiny(config, tensors); });
}

TensorTable tensors_of(const TinyFamily& each, const std::string& prefix = "") {
  return each.tensors(each.config, prefix, DType::f32);
}

/// What the import says of a family whose config has `key` changed to `value`; the tensors keep their sizes.
std::string error_with(const TinyFamily& each, const std::string& key, const json& value) {
  json config = each.config;
  config[key] = value;
  return import_error(config, tensors_of(each));
}

std::string expected(const std::string& key, const std::string& what, const std::string& found) {
  return "m/config.json: " + key + ": expected " + what + ", found " + found;
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  return "[" + std::to_string(shape[0]) + (shape.size() == 2 ? ", " + std::to_string(shape[1]) : "") + "]";
}

/// Whether the graph reads a tensor of that name.
bool reads(const Graph& graph, const std::string& tensor) {
  return print(graph).find("= \"" + tensor + "\"\n") != std::string::npos;
}

/// The tensor of the feed-forward part's first linear in each layer, in order.
std::vector<std::string> inner_tensors(const Graph& graph) {
  std::vector<std::string> names;
  for (const Value& value : graph.values) {
    if (value.name.ends_with(".ffn1.weight")) names.push_back(value.tensors.at(0));
  }
  return names;
}

}  // namespace

TEST_CASE("Every family's graph is sound, prints and parses, and has the config's sizes") {
  for (const TinyFamily& each : tiny_families()) {
    INFO(each.name);
    const ImportedModel model = import_tiny(each.config, tensors_of(each));
    REQUIRE_NOTHROW(verify(model.graph));
    REQUIRE(print(parse(print(model.graph))) == print(model.graph));
    REQUIRE(model.sizes.family == each.name);
    REQUIRE(model.sizes.hidden == 8);
    REQUIRE(model.sizes.heads == 2);
    REQUIRE(model.sizes.intermediate == 16);
    REQUIRE(model.sizes.vocabulary == 30);
    REQUIRE(model.sizes.layers == (each.name == "albert" ? 7 : 2));
    REQUIRE(model.sizes.activation == (each.name == "albert" ? "gelu_new" : "gelu"));
  }
}

TEST_CASE(
    "Every family's tensors are found with and without its prefix, beside others that it does not need") {
  for (const TinyFamily& each : tiny_families()) {
    INFO(each.name);
    const Graph plain = import_tiny(each.config, tensors_of(each)).graph;
    TensorTable tensors = tensors_of(each, each.prefix);
    tensors["lm_head.dense.weight"] = {DType::f64, {8, 8}};
    tensors[each.prefix + "pooler.dense.weight"] = {DType::f32, {8, 8}};
    tensors[each.prefix + "embeddings.position_ids"] = {DType::i64, {1, 12}};
    const Graph prefixed = import_tiny(each.config, tensors).graph;
    REQUIRE(prefixed.nodes == plain.nodes);
    REQUIRE(reads(plain, "embeddings.LayerNorm.bias"));
    REQUIRE(reads(prefixed, each.prefix + "embeddings.LayerNorm.bias"));
  }
}

TEST_CASE(
    "Every tensor of every family that is missing, of another shape or another type is named in a sentence") {
  for (const TinyFamily& each : tiny_families()) {
    const TensorTable whole = tensors_of(each);
    for (const auto& [name, info] : whole) {
      const std::string start = "m/model.safetensors: tensor " + name + ": expected ";
      const std::string shape = "shape " + shape_text(info.shape);
      TensorTable tensors = whole;
      tensors.erase(name);
      REQUIRE(import_error(each.config, tensors) == start + shape + ", found no such tensor");
      tensors[name] = {DType::f32, {info.shape[0] + 1}};
      REQUIRE(import_error(each.config, tensors) ==
              start + shape + ", found " + shape_text({info.shape[0] + 1}));
      tensors[name] = {DType::i8, info.shape};
      REQUIRE(import_error(each.config, tensors) == start + "F32, F16 or BF16, found I8");
    }
  }
}

TEST_CASE("Every size of every family that is missing, of another type or out of range is a sentence") {
  for (const TinyFamily& each : tiny_families()) {
    std::vector<std::string> keys = {"hidden_size",       "num_hidden_layers", "num_attention_heads",
                                     "intermediate_size", "vocab_size",        "max_position_embeddings"};
    if (each.name == "distilbert")
      keys = {"dim", "n_layers", "n_heads", "hidden_dim", "vocab_size", "max_position_embeddings"};
    for (const std::string& key : keys) {
      const std::string start = "m/config.json: " + key + ": expected an integer from ";
      INFO(each.name << " " << key);
      for (const json& value : {json(), json("8"), json(8.5), json(-1), json(INT64_MAX), json::array()})
        REQUIRE(error_with(each, key, value).starts_with(start));
    }
    REQUIRE(error_with(each, "max_position_embeddings", 0) != "");
  }
}

TEST_CASE("Every family refuses an unknown activation with those that there are") {
  for (const TinyFamily& each : tiny_families()) {
    const std::string key = each.name == "distilbert" ? "activation" : "hidden_act";
    const std::string sentence = error_with(each, key, "mish");
    INFO(sentence);
    REQUIRE(sentence.starts_with("m/config.json: " + key + ": expected one of \"gelu\", "));
    REQUIRE(sentence.ends_with(", found \"mish\""));
    REQUIRE(error_with(each, key, 1) == expected(key, "a string", "1"));
  }
}

TEST_CASE("Every family refuses decoders, relative positions and heads that do not divide") {
  for (const TinyFamily& each : tiny_families()) {
    INFO(each.name);
    const bool is_distilbert = each.name == "distilbert";
    REQUIRE(error_with(each, "is_decoder", true) ==
            expected("is_decoder", "false (Nybble runs encoders)", "true"));
    REQUIRE(error_with(each, "add_cross_attention", true) ==
            expected("add_cross_attention", "false", "true"));
    if (!is_distilbert) {
      for (const std::string kind : {"relative_key", "relative_key_query"}) {
        REQUIRE(error_with(each, "position_embedding_type", kind) ==
                expected("position_embedding_type", "\"absolute\"", "\"" + kind + "\""));
      }
    }
    const std::string heads = is_distilbert ? "n_heads" : "num_attention_heads";
    const std::string hidden = is_distilbert ? "dim" : "hidden_size";
    REQUIRE(error_with(each, heads, 3) == expected(heads, "a divisor of " + hidden + " 8", "3"));
  }
}

TEST_CASE("Code of a model's own is refused; code for its config or tokenizer alone is not") {
  for (const TinyFamily& each : tiny_families()) {
    INFO(each.name);
    const std::string what = "no model class (Nybble runs no code of a model's own)";
    const std::string sentence =
        error_with(each, "auto_map", {{"AutoConfig", "a/b--c.Config"}, {"AutoModel", "a/b--c.OwnModel"}});
    REQUIRE(sentence.starts_with("m/config.json: auto_map: expected " + what));
    REQUIRE(sentence.ends_with(", found \"OwnModel\""));
    REQUIRE(error_with(each, "auto_map", {{"AutoModelForMaskedLM", "c.OwnForMaskedLM"}})
                .ends_with(", found \"OwnForMaskedLM\""));
    REQUIRE(error_with(each, "auto_map", {{"AutoModel", 7}}) ==
            expected("auto_map", "a class by name for AutoModel", "7"));
    REQUIRE(error_with(each, "auto_map", "x") == expected("auto_map", "an object", "\"x\""));
    REQUIRE(error_with(each, "auto_map", {{"AutoConfig", "c.Config"}, {"AutoTokenizer", {"a", nullptr}}}) ==
            "");
    REQUIRE(error_with(each, "auto_map", nullptr) == "");
  }
}

TEST_CASE("A model type that is almost one is refused with all that there are") {
  for (const TinyFamily& each : tiny_families()) {
    const std::string sentence = error_with(each, "model_type", each.name + "-xl");
    for (const std::string_view name : model_types())
      REQUIRE(sentence.find("\"" + std::string(name) + "\"") != std::string::npos);
    REQUIRE(sentence.ends_with(", found \"" + each.name + "-xl\""));
  }
}

TEST_CASE("RoBERTa's positions begin behind the padding token's, and its table is that much longer") {
  for (const char* name : {"roberta", "xlm-roberta", "camembert", "mpnet"}) {
    INFO(name);
    TinyFamily each = family(name);
    EncoderSizes sizes = import_tiny(each.config, tensors_of(each)).sizes;
    REQUIRE(sizes.positions == 10);
    REQUIRE(sizes.first_position == 2);
    REQUIRE(sizes.uncounted_id == 1);
    REQUIRE(
        error_with(each, "max_position_embeddings", 2) ==
        expected("max_position_embeddings", "more than 2 (positions begin behind the padding token 1)", "2"));
    each.config["pad_token_id"] = nullptr;
    REQUIRE(import_tiny(each.config, tensors_of(each)).sizes.first_position == 2);
    each.config["pad_token_id"] = 3;
    sizes = import_tiny(each.config, tensors_of(each)).sizes;
    const bool is_mpnet = std::string(name) == "mpnet";  // it has 1 whatever the config says
    REQUIRE(sizes.positions == (is_mpnet ? 10 : 8));
    REQUIRE(sizes.first_position == (is_mpnet ? 2 : 4));
    REQUIRE(sizes.uncounted_id == (is_mpnet ? 1 : 3));
  }
  for (const char* name : {"bert", "albert", "electra", "distilbert"}) {
    const TinyFamily each = family(name);
    const EncoderSizes sizes = import_tiny(each.config, tensors_of(each)).sizes;
    REQUIRE(sizes.positions == 12);
    REQUIRE(sizes.first_position == 0);
    REQUIRE_FALSE(sizes.uncounted_id);
  }
  REQUIRE(error_with(family("roberta"), "pad_token_id", 30) ==
          expected("pad_token_id", "an integer from 0 to 29", "30"));
}

TEST_CASE("DistilBERT and MPNet have no token types; RoBERTa has one") {
  for (const auto& [name, types] : std::vector<std::pair<std::string, std::int64_t>>{
           {"distilbert", 0}, {"mpnet", 0}, {"roberta", 1}, {"electra", 2}, {"albert", 2}}) {
    const TinyFamily each = family(name);
    const ImportedModel model = import_tiny(each.config, tensors_of(each));
    REQUIRE(model.sizes.token_types == types);
    REQUIRE(reads(model.graph, "embeddings.token_type_embeddings.weight") == (types > 0));
  }
}

TEST_CASE("ELECTRA's embeddings are widened where they are narrower, and only there") {
  TinyFamily each = family("electra");
  REQUIRE(reads(import_tiny(each.config, tensors_of(each)).graph, "embeddings_project.weight"));
  each.config["embedding_size"] = 8;
  REQUIRE_FALSE(reads(import_tiny(each.config, tensors_of(each)).graph, "embeddings_project.weight"));
  each.config["embedding_size"] = 128;
  const TensorTable tensors = tensors_of(each);
  each.config.erase("embedding_size");  // whose default that is
  REQUIRE(import_error(each.config, tensors) == "");
}

TEST_CASE("MPNet's attention has the bias of one table in every layer, and no other number of buckets") {
  const TinyFamily each = family("mpnet");
  const Graph graph = import_tiny(each.config, tensors_of(each)).graph;
  std::vector<ValueId> biases;
  for (const Node& node : graph.nodes) {
    if (node.op != Op::attention) continue;
    REQUIRE(text(node, "position") == "bias");
    REQUIRE(integer(node, "max_distance") == 128);
    biases.push_back(node.inputs.back());
  }
  REQUIRE(biases.size() == 2);
  REQUIRE(biases[0] == biases[1]);
  REQUIRE(error_with(each, "relative_attention_num_buckets", 64) ==
          expected("relative_attention_num_buckets", "32", "64"));
}

TEST_CASE("ALBERT deals its layers to the groups in order, and runs all layers of a group in each") {
  const TinyFamily each = family("albert");
  std::vector<std::string> wanted;
  for (const int group : {0, 0, 0, 1, 1, 2, 2}) {
    for (const int inner : {0, 1}) {
      wanted.push_back("encoder.albert_layer_groups." + std::to_string(group) + ".albert_layers." +
                       std::to_string(inner) + ".ffn.weight");
    }
  }
  REQUIRE(inner_tensors(import_tiny(each.config, tensors_of(each)).graph) == wanted);
}

TEST_CASE(
    "ALBERT without groups shares one layer; more groups than layers, and too many layers, are refused") {
  TinyFamily each = family("albert");
  REQUIRE(error_with(each, "num_hidden_groups", 8) ==
          expected("num_hidden_groups", "an integer from 1 to 7", "8"));
  REQUIRE(error_with(each, "inner_group_num", 143) ==
          expected("inner_group_num", "an integer from 1 to 142", "143"));
  each.config["num_hidden_groups"] = each.config["inner_group_num"] = 1;
  const TensorTable tensors = tensors_of(each);
  for (const char* key : {"num_hidden_groups", "inner_group_num", "hidden_act"}) each.config.erase(key);
  const ImportedModel model = import_tiny(each.config, tensors);
  REQUIRE(inner_tensors(model.graph) ==
          std::vector<std::string>(7, "encoder.albert_layer_groups.0.albert_layers.0.ffn.weight"));
  REQUIRE(model.sizes.activation == "gelu_new");
}
