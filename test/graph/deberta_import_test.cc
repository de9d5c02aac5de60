#include <catch2/catch.hpp>

#include "graph/passes/passes.h"
#include "graph/relative_rows.h"
#include "graph/text.h"
#include "graph/verify.h"
#include "throws.h"
#include "tiny_bert.h"
#include "tiny_deberta.h"

using namespace nybble::graph;
using namespace nybble::graph::test;
using nlohmann::json;
using nybble::ErrorCode;

namespace {

std::string text_of(const json& config, const ImportTarget& target = {}) {
  return print(import_tiny(config, deberta_tensors(config), target).graph);
}

std::string text_with(const std::string& key, const json& value) {
  json config = deberta_config();
  config[key] = value;
  return text_of(config);
}

std::string import_error(const json& config, const TensorTable& tensors) {
  return sentence_of(ErrorCode::unsupported_model, [&] { import_tiny(config, tensors); });
}

/// What the import says where `key` is `value` and the tensors keep their sizes.
std::string error_with(const std::string& key, const json& value) {
  json config = deberta_config();
  const TensorTable tensors = deberta_tensors(config);
  config[key] = value;
  return import_error(config, tensors);
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// The names of what `graph` reads from the files.
std::set<std::string> tensors_read(const Graph& graph) {
  std::set<std::string> names;
  for (const Value& value : graph.values) names.insert(value.tensors.begin(), value.tensors.end());
  return names;
}

}  // namespace

TEST_CASE("A whole DeBERTa reads every one of its tensors, with and without the prefix") {
  const json config = deberta_config();
  for (const std::string prefix : {"", "deberta."}) {
    const TensorTable tensors = deberta_tensors(config, prefix);
    const std::set<std::string> read = tensors_read(import_tiny(config, tensors).graph);
    for (const auto& [name, tensor] : tensors) {
      INFO(name);
      REQUIRE(read.contains(name));
    }
  }
}

TEST_CASE("A DeBERTa attention names what its scores are made of") {
  const std::string text = text_of(deberta_config());
  REQUIRE(
      contains(text,
               "%layer.0.attention : f32[tokens,8] = attention(%layer.0.q, %layer.0.k, %layer.0.v, "
               "%relative, %relative.gamma, %relative.beta, %layer.0.relative.key.weight, "
               "%layer.0.relative.key.bias, %layer.0.relative.query.weight, %layer.0.relative.query.bias) "
               "{buckets = 5, c2p = 1, head_dim = 4, heads = 2, max_distance = 12, norm_epsilon = 1e-07, "
               "p2c = 1, position = \"disentangled\", scale = 0.288675134594812"));
  REQUIRE(contains(text, "weight %relative : f32[10,8] = \"encoder.rel_embeddings.weight\""));
  REQUIRE(contains(text, "\"encoder.layer.1.attention.self.pos_query_proj.bias\""));
  REQUIRE(print(parse(text)) == text);
}

TEST_CASE("The convolution reads the embeddings and is added to the first layer's rows") {
  const std::string text = text_of(deberta_config());
  REQUIRE(contains(text, "weight %conv.weight : f32[8,24] = \"encoder.conv.conv.weight\""));
  REQUIRE(contains(text, "%conv.rows : f32[tokens,24] = unfold(%embeddings) {kernel = 3}"));
  REQUIRE(contains(text, "%conv.output.sum : f32[tokens,8] = add(%conv.active, %layer.0)"));
  REQUIRE(contains(text, "linear(%conv.output, %layer.1.q.weight)"));
  REQUIRE_FALSE(contains(text_with("conv_kernel_size", 0), "conv"));
  REQUIRE(contains(text_with("conv_act", nullptr),
                   "%conv.active : f32[tokens,8] = activation(%conv) {kind = \"tanh\"}"));
}

TEST_CASE("Shared projections are those of the layer's own queries and keys") {
  const std::string text = text_with("share_att_key", true);
  REQUIRE_FALSE(contains(text, "pos_"));
  REQUIRE(contains(text,
                   "weight %layer.1.relative.key.weight : f32[8,8] = "
                   "\"encoder.layer.1.attention.self.key_proj.weight\""));
}

TEST_CASE("pos_att_type is a text or a list, and each of its terms has its part and its share of the scale") {
  REQUIRE(text_with("pos_att_type", json::array({"c2p", "p2c"})) == text_of(deberta_config()));
  REQUIRE(text_with("pos_att_type", " p2c | c2p ") == text_of(deberta_config()));
  const std::string one = text_with("pos_att_type", json::array({"p2c"}));
  REQUIRE(contains(one, "c2p = 0"));
  REQUIRE(contains(one, "p2c = 1, position = \"disentangled\", scale = 0.3535533905932"));
  REQUIRE_FALSE(contains(one, "relative.key"));
  for (const json& none : {json(nullptr), json(""), json::array()})
    REQUIRE(contains(text_with("pos_att_type", none), "position = \"none\", scale = 0.5"));
  REQUIRE(contains(text_with("relative_attention", false), "position = \"none\", scale = 0.288675134594812"));
}

TEST_CASE("Without buckets every distance up to max_relative_positions has a row") {
  json config = deberta_config();
  config["position_buckets"] = -1;
  REQUIRE(contains(text_of(config), "weight %relative : f32[24,8]"));
  config["max_relative_positions"] = 7;
  REQUIRE(contains(text_of(config), "buckets = 0, c2p = 1, head_dim = 4, heads = 2, max_distance = 7"));
  config["norm_rel_ebd"] = "none";
  REQUIRE_FALSE(contains(text_of(config), "norm_epsilon"));
}

TEST_CASE("Positions, types and narrow embeddings are there where the config says so") {
  const std::string text = text_of(deberta_config());
  REQUIRE(contains(text, "embed_sum(%ids, %positions, %types, %embeddings.word, %embeddings.position, "));
  REQUIRE(contains(text, "linear(%embeddings.sum, %embeddings.projected.weight)"));
  REQUIRE(contains(text_with("position_biased_input", false), "embed_sum(%ids, %types, %embeddings.word, "));
  REQUIRE(contains(text_with("type_vocab_size", 0), "embed_sum(%ids, %positions, %embeddings.word, "));
  json plain = deberta_config();
  plain.erase("embedding_size");
  REQUIRE(contains(text_of(plain), "layernorm(%embeddings.sum, "));
}

TEST_CASE("A DeBERTa tensor that is missing or of another shape is a sentence") {
  const json config = deberta_config();
  const TensorTable whole = deberta_tensors(config);
  for (const auto& [name, tensor] : whole) {
    TensorTable tensors = whole;
    tensors.erase(name);
    // Another spelling is looked for and none found: the error names either.
    REQUIRE(contains(import_error(config, tensors), "m/model.safetensors: tensor "));
    tensors[name] = tensor;
    tensors[name].shape[0] += 1;
    REQUIRE(contains(import_error(config, tensors), name + ": expected shape ["));
  }
  REQUIRE(error_with("conv_kernel_size", 5) ==
          "m/model.safetensors: tensor encoder.conv.conv.weight: expected shape [8, 8, 5], found [8, 8, 3]");
}

TEST_CASE("A DeBERTa config that would compute something else is refused in a sentence") {
  const std::string file = "m/config.json: ";
  REQUIRE(error_with("pos_att_type", "c2p|p2p") ==
          file + "pos_att_type: expected one of \"c2p\", \"p2c\", found \"p2p\"");
  REQUIRE(error_with("pos_att_type", json::array({1})) == file + "pos_att_type: expected strings, found 1");
  REQUIRE(error_with("norm_rel_ebd", "batch_norm") ==
          file + "norm_rel_ebd: expected one of \"none\", \"layer_norm\", found \"batch_norm\"");
  REQUIRE(error_with("position_buckets", 22) ==
          file + "position_buckets: expected -1 or 2 to 21 (for distances below 12), found 22");
  REQUIRE(error_with("position_buckets", 1) ==
          file + "position_buckets: expected -1 or 2 to 21 (for distances below 12), found 1");
  REQUIRE(error_with("attention_head_size", 5) ==
          file + "attention_head_size: expected 4 (hidden_size / num_attention_heads), found 5");
  REQUIRE(error_with("conv_groups", 2) == file + "conv_groups: expected 1, found 2");
  REQUIRE(error_with("conv_kernel_size", 4) == file + "conv_kernel_size: expected an odd number, found 4");
  REQUIRE(contains(error_with("conv_act", "mish"), file + "conv_act: expected one of \"gelu\""));
  REQUIRE(error_with("is_decoder", true) ==
          file + "is_decoder: expected false (Nybble runs encoders), found true");
}

TEST_CASE(
    "A DeBERTa's Q, K and V are merged, and a cls pool leaves first queries, beside the relative inputs") {
  Graph graph =
      import_tiny(deberta_config(), deberta_tensors(deberta_config()), {.pooling = {PoolMode::cls}}).graph;
  run_passes(graph, {});
  const std::string text = print(graph);
  REQUIRE(contains(text, "attention(%layer.0.attention.qkv, %relative, %relative.gamma"));
  REQUIRE(contains(text, "attention(%layer.1.q, %layer.1.attention.kv, %relative, "));
  REQUIRE(contains(text, "queries = \"first\""));
}

// From the reference implementation (make_log_bucket_position), clamped to the table.
TEST_CASE("Distances become rows as the reference has them") {
  struct Case {
    RelativeBuckets by;
    std::int64_t distance, row;
  };
  const std::vector<Case> cases = {
      {{256, 512}, 0, 256},   {{256, 512}, 1, 257},  {{256, 512}, -128, 128}, {{256, 512}, 129, 385},
      {{256, 512}, 200, 425}, {{256, 512}, -511, 1}, {{256, 512}, 512, 511},  {{256, 512}, -9999, 0},
      {{8, 257}, 16, 13},     {{8, 257}, 17, 14},    {{8, 257}, 64, 14},      {{8, 257}, 65, 15},
      {{7, 48}, 4, 11},       {{7, 48}, -47, 2},     {{7, 48}, 48, 13},       {{2, 100}, 50, 3},
      {{0, 50}, 49, 99},      {{0, 50}, 50, 99},     {{0, 50}, -50, 0},       {{0, 50}, -51, 0},
  };
  for (const Case& c : cases) {
    INFO(c.by.buckets << " buckets, " << c.by.max_distance << ", distance " << c.distance);
    REQUIRE(relative_row(c.by, c.distance) == c.row);
  }
}

TEST_CASE("Rows never fall as distances grow, and stay inside the table") {
  for (const RelativeBuckets by :
       {RelativeBuckets{256, 512}, {8, 320}, {640, 700}, {2, 4}, {0, 33}, {301, 152}}) {
    std::int64_t before = 0;
    for (std::int64_t distance = -2000; distance <= 2000; ++distance) {
      const std::int64_t row = relative_row(by, distance);
      REQUIRE(row >= before);
      REQUIRE(row < 2 * by.span());
      before = row;
    }
  }
}
