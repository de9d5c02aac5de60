// ModernBERT, NomicBERT, GTE-new and Jina-BERT-v2: what their folders become, in every spelling, and what is
// refused.
#include <algorithm>
#include <catch2/catch.hpp>

#include "graph/power.h"
#include "graph/text.h"
#include "graph/verify.h"
#include "rotary_folders.h"
#include "throws.h"
#include "tiny_bert.h"

using namespace nybble::graph;
using namespace nybble::graph::test;
using nlohmann::json;
using nybble::ErrorCode;

namespace {

std::string error_of(const json& config, const TensorTable& tensors) {
  return sentence_of(ErrorCode::unsupported_model, [&] { import_tiny(config, tensors); });
}

/// What the import says of the folder whose config has the keys of `change` instead of its own; its tensors
/// are those of the whole config.
std::string error_with(const json& config, const json& change) {
  const TensorTable tensors = rotary_tensors(config);
  json changed = config;
  changed.update(change);
  return error_of(changed, tensors);
}

std::string found(const std::string& key, const std::string& expected, const std::string& found) {
  return "m/config.json: " + key + ": expected " + expected + ", found " + found;
}

std::string graph_of(const json& config, const TensorTable& tensors) {
  return print(import_tiny(config, tensors).graph);
}
std::string graph_of(const json& config) { return graph_of(config, rotary_tensors(config)); }

/// The lines of a graph whose result's name begins so.
std::string lines_of(const std::string& text, const std::string& name) {
  std::string result;
  for (std::size_t at = 0, end = 0; at < text.size(); at = end + 1) {
    end = std::min(text.find('\n', at), text.size());
    if (text.compare(at, name.size() + 1, "%" + name) == 0) result += text.substr(at, end - at) + "\n";
  }
  return result;
}

json without(json config, std::initializer_list<const char*> keys) {
  for (const char* key : keys) config.erase(key);
  return config;
}

}  // namespace

// ---- ModernBERT ----

TEST_CASE("A ModernBERT's layers become these graphs: the first without a norm, the second with a window") {
  const std::string text = graph_of(modernbert_config());
  REQUIRE(
      lines_of(text, "layer.0") ==
      "%layer.0.qkv : f32[tokens,24] = linear(%embeddings, %layer.0.qkv.weight)\n"
      "%layer.0.rotary : f32[tokens,24] = rotary(%layer.0.qkv) {head_dim = 4, heads = 4, interleaved = 0, "
      "rotary_dim = 4, theta = 160000.0}\n"
      "%layer.0.attention : f32[tokens,8] = attention(%layer.0.rotary) {head_dim = 4, heads = 2, position = "
      "\"none\", scale = 0.5, window = 0}\n"
      "%layer.0.output : f32[tokens,8] = linear(%layer.0.attention, %layer.0.output.weight)\n"
      "%layer.0.attended : f32[tokens,8] = add(%embeddings, %layer.0.output)\n"
      "%layer.0.ffn.norm : f32[tokens,8] = layernorm(%layer.0.attended, %layer.0.ffn.norm.gamma) {epsilon = "
      "1e-05}\n"
      "%layer.0.ffn1 : f32[tokens,32] = linear(%layer.0.ffn.norm, %layer.0.ffn1.weight)\n"
      "%layer.0.gate : f32[tokens,16] = gate(%layer.0.ffn1) {kind = \"gelu_erf\", up_first = 0}\n"
      "%layer.0.ffn2 : f32[tokens,8] = linear(%layer.0.gate, %layer.0.ffn2.weight)\n"
      "%layer.0 : f32[tokens,8] = add(%layer.0.attended, %layer.0.ffn2)\n");
  REQUIRE(text.find("rotary(%layer.1.qkv) {head_dim = 4, heads = 4, interleaved = 0, rotary_dim = 4, theta = "
                    "10000.0}") != std::string::npos);
  REQUIRE(
      text.find(
          "attention(%layer.1.rotary) {head_dim = 4, heads = 2, position = \"none\", scale = 0.5, window = "
          "3}") != std::string::npos);
  REQUIRE(lines_of(text, "layer.1.attention.norm") ==
          "%layer.1.attention.norm : f32[tokens,8] = layernorm(%layer.0, %layer.1.attention.norm.gamma) "
          "{epsilon = "
          "1e-05}\n");
  REQUIRE(lines_of(text, "final") ==
          "%final : f32[tokens,8] = layernorm(%layer.2, %final.gamma) {epsilon = 1e-05}\n");
}

TEST_CASE("Both spellings of a ModernBERT's config give the same graph") {
  const json published = modernbert_config();
  const TensorTable tensors = rotary_tensors(published);
  json saved = without(published, {"global_attn_every_n_layers", "global_rope_theta", "local_rope_theta"});
  saved["layer_types"] = {"full_attention", "sliding_attention", "sliding_attention"};
  saved["rope_parameters"] = {{"full_attention", {{"rope_theta", 160000.0}, {"rope_type", "default"}}},
                              {"sliding_attention", {{"rope_theta", 10000.0}, {"rope_type", "default"}}}};
  const std::string text = graph_of(published, tensors);
  REQUIRE(graph_of(saved, tensors) == text);
  // And what transformers takes where a key is missing.
  REQUIRE(
      graph_of(without(published, {"global_attn_every_n_layers", "global_rope_theta", "local_rope_theta"}),
               tensors) == text);
  REQUIRE(graph_of(published, rotary_tensors(published, "model.")).size() ==
          text.size() + 6 * tensors.size());
}

TEST_CASE("A ModernBERT has the biases that its config asks for, and only these are looked for") {
  json config = modernbert_config();
  const auto has = [&](const char* part) { return graph_of(config).find(part) != std::string::npos; };
  REQUIRE_FALSE(has("bias"));
  REQUIRE_FALSE(has("beta"));
  config["attention_bias"] = config["mlp_bias"] = config["norm_bias"] = true;
  for (const char* part :
       {"layer.0.qkv.bias", "layer.1.output.bias", "layer.2.ffn1.bias", "layer.0.ffn2.bias",
        "embeddings.beta", "layer.1.attention.norm.beta", "final.beta"})
    REQUIRE(has(part));
  REQUIRE(error_with(modernbert_config(), {{"mlp_bias", true}}) ==
          "m/model.safetensors: tensor layers.0.mlp.Wi.bias: expected shape [32], found no such tensor");
}

TEST_CASE("Linear scaling divides a ModernBERT's frequencies") {
  json config = modernbert_config();
  config["rope_parameters"] = {
      {"full_attention", {{"rope_type", "linear"}, {"factor", 4}, {"rope_theta", 5000}}}};
  const std::string text = graph_of(config);
  REQUIRE(
      text.find("{factor = 4.0, head_dim = 4, heads = 4, interleaved = 0, rotary_dim = 4, theta = 5000.0}") !=
      std::string::npos);
  REQUIRE(text.find("theta = 10000.0}") != std::string::npos);
}

TEST_CASE("What a ModernBERT here does not have is one sentence") {
  const json config = modernbert_config();
  REQUIRE(error_with(config, {{"layer_types", {"full_attention", "full_attention"}}}) ==
          found("layer_types", "3 entries, as num_hidden_layers has it", "2"));
  REQUIRE(error_with(config, {{"layer_types", {"full_attention", "full_attention", "chunked_attention"}}}) ==
          found("layer_types", "one of \"full_attention\", \"sliding_attention\"", "\"chunked_attention\""));
  REQUIRE(error_with(config, {{"layer_types", 3}}) == found("layer_types", "an array of strings", "3"));
  REQUIRE(error_with(config, {{"layer_types", {1}}}) ==
          found("layer_types", "an array of strings", "one with 1"));
  REQUIRE(error_with(config, {{"local_attention", 1}}) ==
          found("local_attention", "an integer from 2 to 1048576", "1"));
  REQUIRE(error_with(config, {{"global_attn_every_n_layers", 0}}) ==
          found("global_attn_every_n_layers", "an integer from 1 to 1000", "0"));
  REQUIRE(error_with(config, {{"hidden_activation", "relu"}}) ==
          found("hidden_activation",
                "one of \"gelu\", \"gelu_new\", \"gelu_pytorch_tanh\", \"silu\", \"swish\"", "\"relu\""));
  REQUIRE(error_with(config, {{"num_attention_heads", 8}}) ==
          found("num_attention_heads", "heads of an even number of values (rotary positions)", "8"));
  REQUIRE(error_with(config, {{"rope_parameters", 3}}) == found("rope_parameters", "an object", "3"));
  REQUIRE(error_with(config, {{"rope_parameters", {{"full_attention", 3}}}}) ==
          found("rope_parameters.full_attention", "an object", "3"));
  REQUIRE(error_with(config, {{"rope_parameters", {{"sliding_attention", {{"rope_type", "yarn"}}}}}}) ==
          found("rope_parameters.sliding_attention.rope_type", "one of \"default\", \"linear\"", "\"yarn\""));
  REQUIRE(error_with(config, {{"rope_parameters", {{"full_attention", {{"rope_type", "linear"}}}}}}) ==
          found("rope_parameters.full_attention.factor", "a number", "nothing"));
  REQUIRE(error_with(config, {{"rope_scaling", {{"type", "dynamic"}, {"factor", 2}}}}) ==
          found("rope_scaling.type", "one of \"default\", \"linear\"", "\"dynamic\""));
  REQUIRE(error_with(config, {{"global_rope_theta", 0}}) ==
          found("global_rope_theta", "a number from 1 to 1e+12", "0"));
}

// ---- NomicBERT ----

TEST_CASE("A NomicBERT's layer becomes this graph, its gate before its up half") {
  const std::string text = graph_of(nomic_config());
  REQUIRE(
      lines_of(text, "layer.0") ==
      "%layer.0.qkv : f32[tokens,24] = linear(%embeddings, %layer.0.qkv.weight)\n"
      "%layer.0.rotary : f32[tokens,24] = rotary(%layer.0.qkv) {head_dim = 4, heads = 4, interleaved = 0, "
      "rotary_dim = 4, theta = 1000.0}\n"
      "%layer.0.attention : f32[tokens,8] = attention(%layer.0.rotary) {head_dim = 4, heads = 2, position = "
      "\"none\", scale = 0.5, window = 0}\n"
      "%layer.0.output : f32[tokens,8] = linear(%layer.0.attention, %layer.0.output.weight)\n"
      "%layer.0.attended.sum : f32[tokens,8] = add(%layer.0.output, %embeddings)\n"
      "%layer.0.attended : f32[tokens,8] = layernorm(%layer.0.attended.sum, %layer.0.attended.gamma, "
      "%layer.0.attended.beta) {epsilon = 1e-12}\n"
      "%layer.0.ffn1 : f32[tokens,512] = linear(%layer.0.attended, %layer.0.ffn1.weight)\n"
      "%layer.0.gate : f32[tokens,256] = gate(%layer.0.ffn1) {kind = \"silu\", up_first = 0}\n"
      "%layer.0.ffn2 : f32[tokens,8] = linear(%layer.0.gate, %layer.0.ffn2.weight)\n"
      "%layer.0.sum : f32[tokens,8] = add(%layer.0.ffn2, %layer.0.attended)\n"
      "%layer.0 : f32[tokens,8] = layernorm(%layer.0.sum, %layer.0.gamma, %layer.0.beta) {epsilon = "
      "1e-12}\n");
  REQUIRE(text.find("\"encoder.layers.0.mlp.fc12.weight\", \"encoder.layers.0.mlp.fc11.weight\"") !=
          std::string::npos);
}

TEST_CASE("Both spellings of a NomicBERT's config, alone and together, give the same graph") {
  const json published = nomic_config(), saved = nomic_config_of_5();
  const TensorTable tensors = rotary_tensors(published);
  json both = published;
  both.update(saved);
  const std::string text = graph_of(published, tensors);
  REQUIRE(graph_of(saved, tensors) == text);
  REQUIRE(graph_of(both, tensors) == text);
}

TEST_CASE(
    "A NomicBERT's tensors may be called as the modules of transformers 5, and then stand for the same") {
  const json config = nomic_config_of_5();
  const std::string text = graph_of(config, nomic_module_tensors(config));
  REQUIRE(text.find("\"layers.0.self_attn.q_proj.weight\", \"layers.0.self_attn.k_proj.weight\", "
                    "\"layers.0.self_attn.v_proj.weight\"") != std::string::npos);
  REQUIRE(text.find("\"layers.0.mlp.gate_proj.weight\", \"layers.0.mlp.up_proj.weight\"") !=
          std::string::npos);
  const auto nodes = [](const std::string& whole) { return whole.substr(whole.find("%embeddings.sum")); };
  REQUIRE(nodes(text) == nodes(graph_of(config)));
}

TEST_CASE("The published NomicBERT code's widths are rounded up: the vocabulary, and n_inner to 256") {
  json config = nomic_config();
  config["n_inner"] = 300;
  config["vocab_size"] = 65;
  const ImportedModel model = import_tiny(config, rotary_tensors(config));
  REQUIRE(model.sizes.intermediate == 512);
  REQUIRE(model.sizes.vocabulary == 128);
}

TEST_CASE(
    "A NomicBERT's options: biases, a geglu, part of each head turned, neighbours as pairs, no token types") {
  json config = nomic_config();
  config.update({{"qkv_proj_bias", true},
                 {"mlp_fc1_bias", true},
                 {"mlp_fc2_bias", true},
                 {"activation_function", "geglu"},
                 {"rotary_emb_fraction", 0.5},
                 {"rotary_emb_interleaved", true},
                 {"type_vocab_size", 0}});
  const std::string text = graph_of(config);
  for (const char* part :
       {"layer.0.qkv.bias", "layer.0.output.bias", "layer.0.ffn1.bias", "layer.0.ffn2.bias",
        "kind = \"gelu_erf\"", "interleaved = 1, rotary_dim = 2", "embed_sum(%ids, %embeddings.word)"})
    REQUIRE(text.find(part) != std::string::npos);
}

TEST_CASE("With a rotary_scaling_factor a NomicBERT's angles stretch beyond the lengths of its training") {
  json config = nomic_config();
  config["max_trained_positions"] = 1024;
  REQUIRE(graph_of(config).find("trained") == std::string::npos);
  config["rotary_scaling_factor"] = 2;
  REQUIRE(
      lines_of(graph_of(config), "layer.1.rotary") ==
      "%layer.1.rotary : f32[tokens,24] = rotary(%layer.1.qkv) {head_dim = 4, heads = 4, interleaved = 0, "
      "rotary_dim = 4, stretch = 2.0, theta = 1000.0, trained = 1024}\n");
  REQUIRE(error_with(config, {{"rotary_emb_fraction", 0.5}}) ==
          found("rotary_scaling_factor", "null where 2 values of a head are turned", "a number"));
  REQUIRE(error_with(config, {{"rotary_scaling_factor", 0.5}}) ==
          found("rotary_scaling_factor", "a number from 1 to 1e+06", "0.5"));
}

TEST_CASE("What a NomicBERT here does not have is one sentence") {
  const json config = nomic_config();
  for (const char* key : {"causal", "parallel_block", "prenorm", "use_rms_norm"})
    REQUIRE(error_with(config, {{key, true}}) == found(key, "false", "true"));
  for (const char* key : {"rotary_emb_scale_base", "num_heads_kv", "moe_every_n_layers", "num_experts"})
    REQUIRE(error_with(config, {{key, 2}}) == found(key, "null", "a value"));
  for (const char* kind : {"gelu", "glu"}) {
    REQUIRE(error_with(config, {{"activation_function", kind}}) ==
            found("activation_function", "one of \"swiglu\", \"geglu\"", "\"" + std::string(kind) + "\""));
  }
  REQUIRE(error_with(config, {{"n_head", 3}}) == found("n_head", "a divisor of n_embd 8", "3"));
  REQUIRE(error_with(config, {{"rotary_emb_fraction", 0}}) ==
          found("rotary_emb_fraction", "an even number of values of each head to be turned", "0 of 4"));
  REQUIRE(error_with(nomic_config_of_5(), {{"head_dim", 16}}) ==
          found("head_dim", "4, hidden_size / num_attention_heads", "16"));
  REQUIRE(error_with(nomic_config_of_5(), {{"rope_parameters", {{"rope_type", "yarn"}}}}) ==
          found("rope_parameters.rope_type", "one of \"default\", \"linear\"", "\"yarn\""));
  REQUIRE(error_with(nomic_config_of_5(), {{"hidden_size", nullptr}}) ==
          found("hidden_size", "an integer from 1 to 65536", "nothing"));
}

// ---- GTE-new ----

TEST_CASE("A GTE's layer becomes this graph, its up half before its gate and its angles stretched") {
  const std::string text = graph_of(gte_config());
  // theta · 16 = 160000; 16^(2/4) = 4.
  REQUIRE(lines_of(text, "layer.0.rotary") ==
          "%layer.0.rotary : f32[tokens,24] = rotary(%layer.0.qkv) {factor = 4.0, head_dim = 4, heads = 4, "
          "interleaved = 0, rotary_dim = 4, theta = 160000.0}\n");
  REQUIRE(lines_of(text, "layer.0.ffn1") ==
          "%layer.0.ffn1 : f32[tokens,32] = linear(%layer.0.attended, %layer.0.ffn1.weight)\n");
  REQUIRE(lines_of(text, "layer.0.gate") ==
          "%layer.0.gate : f32[tokens,16] = gate(%layer.0.ffn1) {kind = \"gelu_erf\", up_first = 1}\n");
  REQUIRE(text.find("%layer.0.qkv.bias") != std::string::npos);
  REQUIRE(text.find("%layer.0.ffn2.bias") != std::string::npos);
  REQUIRE(text.find("embed_sum(%ids, %embeddings.word)") != std::string::npos);
}

TEST_CASE("Every spelling of a GTE's scaling gives the same graph") {
  const json published = gte_config();
  const TensorTable tensors = rotary_tensors(published);
  const std::string text = graph_of(published, tensors);
  json saved = without(published, {"rope_theta", "rope_scaling"});
  saved["rope_parameters"] = {{"rope_theta", 10000}, {"rope_type", "ntk"}, {"type", "ntk"}, {"factor", 16.0}};
  REQUIRE(graph_of(saved, tensors) == text);
  // With code from the hub transformers 5 may leave the theta where it was.
  saved["rope_parameters"].erase("rope_theta");
  saved["rope_theta"] = 10000;
  REQUIRE(graph_of(saved, tensors) == text);
}

TEST_CASE("A GTE may have no scaling, three tensors for Q, K and V, a prefix and token types") {
  json config = gte_config();
  config["rope_scaling"] = nullptr;
  config["pack_qkv"] = false;
  config["type_vocab_size"] = 2;
  const std::string text = graph_of(config, rotary_tensors(config, "new."));
  REQUIRE(lines_of(text, "layer.0.rotary").find("rotary_dim = 4, theta = 10000.0}") != std::string::npos);
  REQUIRE(text.find("factor") == std::string::npos);
  REQUIRE(text.find("\"new.encoder.layer.0.attention.q_proj.weight\", "
                    "\"new.encoder.layer.0.attention.k_proj.weight\"") != std::string::npos);
  REQUIRE(text.find("embed_sum(%ids, %types, %embeddings.word, %embeddings.type)") != std::string::npos);
}

TEST_CASE("What a GTE here does not have is one sentence") {
  const json config = gte_config();
  REQUIRE(error_with(config, {{"position_embedding_type", "absolute"}}) ==
          found("position_embedding_type", "\"rope\"", "\"absolute\""));
  REQUIRE(error_with(config, {{"layer_norm_type", "rms_norm"}}) ==
          found("layer_norm_type", "\"layer_norm\"", "\"rms_norm\""));
  REQUIRE(error_with(config, {{"logn_attention_scale", true}}) ==
          found("logn_attention_scale", "false", "true"));
  REQUIRE(error_with(config, {{"rope_scaling", {{"type", "dynamic"}, {"factor", 2}}}}) ==
          found("rope_scaling.type", "one of \"default\", \"ntk\"", "\"dynamic\""));
  REQUIRE(error_with(config, {{"rope_scaling", {{"type", "ntk"}, {"factor", 2}, {"mixed_b", 0.5}}}}) ==
          found("rope_scaling.mixed_b", "nothing", "a value"));
  REQUIRE(error_with(config, {{"rope_scaling", {{"type", "ntk"}, {"factor", "2"}}}}) ==
          found("rope_scaling.factor", "a number from 0.001 to 1e+06", "\"2\""));
  REQUIRE(error_with(config, {{"rope_scaling", {{"type", "ntk"}}}}) ==
          found("rope_scaling.factor", "a number", "nothing"));
  REQUIRE(error_with(config, {{"num_attention_heads", 8}}) ==
          found("num_attention_heads", "heads of an even number of values (rotary positions)", "8"));
  REQUIRE(error_with(config, {{"pack_qkv", false}}) ==
          "m/model.safetensors: tensor encoder.layer.0.attention.q_proj.weight: expected shape [8, 8], found "
          "no such "
          "tensor");
}

// ---- Jina-BERT-v2 ----

TEST_CASE("A Jina-BERT's layer becomes this graph") {
  const std::string text = graph_of(jina_config());
  REQUIRE(lines_of(text, "layer.0.attention") ==
          "%layer.0.attention : f32[tokens,8] = attention(%layer.0.q, %layer.0.k, %layer.0.v) {head_dim = 4, "
          "heads = "
          "2, position = \"alibi\", scale = 0.5, window = 0}\n");
  REQUIRE(lines_of(text, "layer.0.ffn1") ==
          "%layer.0.ffn1 : f32[tokens,32] = linear(%layer.0.attended, %layer.0.ffn1.weight)\n");
  REQUIRE(lines_of(text, "layer.0.gate") ==
          "%layer.0.gate : f32[tokens,16] = gate(%layer.0.ffn1) {kind = \"gelu_erf\", up_first = 0}\n");
  REQUIRE(text.find("embed_sum(%ids, %types, %embeddings.word, %embeddings.type)") != std::string::npos);
  REQUIRE(text.find("%layer.0.ffn2.bias") != std::string::npos);
}

TEST_CASE("What a Jina-BERT here does not have is one sentence") {
  const json config = jina_config();
  for (const char* kind : {"original", "reglu"}) {
    REQUIRE(error_with(config, {{"feed_forward_type", kind}}) ==
            found("feed_forward_type", "\"geglu\"", "\"" + std::string(kind) + "\""));
  }
  REQUIRE(error_with(config, {{"feed_forward_type", nullptr}}) ==
          found("feed_forward_type", "\"geglu\"", "\"original\""));
  TensorTable tensors = rotary_tensors(config);
  tensors["encoder.layer.0.attention.self.layer_norm_q.weight"] = {DType::f32, {8}};
  REQUIRE(error_of(config, tensors) ==
          found("position_embedding_type", "\"alibi\" of a model that does not normalize queries and keys",
                "one with a tensor encoder.layer.0.attention.self.layer_norm_q.weight"));
}

// ---- all ----

TEST_CASE("A rotary family's folder without one of its tensors is refused by that tensor's name") {
  const json config =
      GENERATE(modernbert_config(), nomic_config(), nomic_config_of_5(), gte_config(), jina_config());
  const TensorTable whole = rotary_tensors(config);
  for (const auto& [name, info] : whole) {
    CAPTURE(name);
    TensorTable tensors = whole;
    tensors.erase(name);
    REQUIRE(error_of(config, tensors).find("m/model.safetensors: tensor " + name + ": expected shape [") ==
            0);
  }
}

TEST_CASE("A power is that of the C library, to 1e-14") {
  for (const double base : {1.0, 2.0, 1e-3, 1.5, 160000.0, 1e12}) {
    for (double exponent = -1; exponent <= 1; exponent += 0.0078125) {
      const double reference = std::pow(base, exponent);
      REQUIRE(std::abs(power(base, exponent) - reference) <= 1e-14 * reference);
    }
  }
  REQUIRE(power(16, 0.5) == 4);
  for (int k = -60; k <= 60; ++k) REQUIRE(static_cast<float>(power(2, k)) == std::ldexp(1.0F, k));
}

TEST_CASE("A logarithm is that of the C library, to 1e-15") {
  for (double x = 1e-6; x < 1e6; x *= 1.01) {
    const double reference = std::log(x);
    REQUIRE(std::abs(logarithm(x) - reference) <= 1e-15 * std::max(1.0, std::abs(reference)));
  }
  REQUIRE(logarithm(1) == 0);
}
