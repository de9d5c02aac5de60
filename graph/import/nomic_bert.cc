// NomicBERT (Nussbaum et al. 2024, arXiv:2402.01613): BERT with rotary positions instead of a table, one
// tensor for Q, K and V, and gated feed-forward parts.
//
// Reads both spellings of the config: the published one (n_embd, n_inner, rotary_emb_base …) and that of
// transformers 5 (hidden_size, intermediate_size, rope_parameters …), of which a config may hold both; and
// the published tensors (encoder.layers.0.attn.Wqkv), with and without the "bert." prefix, or those of the
// modules of transformers 5 (layers.0.self_attn.q_proj).
#include <array>

#include "graph/import/encoder_builder.h"
#include "graph/import/importer.h"
#include "graph/import/rope_config.h"

namespace nybble::graph {
namespace {

constexpr std::array<std::string_view, 2> kRopeTypes = {"default", "linear"};
constexpr std::array<std::string_view, 2> kGated = {"swiglu", "geglu"};
constexpr std::int64_t kGatedUnit = 256;  // n_inner is rounded up to a multiple of this

std::int64_t round_up(std::int64_t value, std::int64_t unit) { return (value + unit - 1) / unit * unit; }

/// The first of two keys that there is, or else the first.
std::string_view key_of(const ConfigReader& config, std::string_view key, std::string_view published) {
  return !config.contains(key) && config.contains(published) ? published : key;
}

std::int64_t integer_of(const ConfigReader& config, std::string_view key, std::string_view published,
                        std::int64_t least, std::int64_t most) {
  return config.integer(key_of(config, key, published), least, most);
}

void require(const ConfigReader& config, std::string_view key, bool expected) {
  if (config.boolean_or(key, expected) == expected) return;
  config.fail(key, expected ? "true" : "false", expected ? "false" : "true");
}

/// Refuses what the published code can do and this file cannot.
void refuse_other_kinds(const ConfigReader& config) {
  for (const std::string_view key : {"causal", "parallel_block", "prenorm", "use_rms_norm"})
    require(config, key, false);
  for (const std::string_view key :
       {"rotary_emb_scale_base", "num_heads_kv", "moe_every_n_layers", "num_experts"}) {
    if (config.contains(key)) config.fail(key, "null", "a value");
  }
}

/// Of a config that transformers 5 wrote the activation of the gate, else what the published code calls it.
std::string read_gate(const ConfigReader& config) {
  if (config.contains("hidden_act") || !config.contains("activation_function"))
    return gate_kind(config, "hidden_act", config.string_or("hidden_act", "silu"));
  const std::string found = config.string("activation_function");
  if (found == "swiglu") return "silu";
  if (found == "geglu") return "gelu_erf";
  config.fail_one_of("activation_function", kGated, found);
}

std::int64_t read_intermediate(const ConfigReader& config) {
  if (config.contains("intermediate_size")) return config.integer("intermediate_size", 1, 1 << 20);
  return round_up(integer_of(config, "intermediate_size", "n_inner", 1, 1 << 20), kGatedUnit);
}

EncoderSizes read_nomic_sizes(const ConfigReader& config) {
  EncoderSizes sizes;
  sizes.family = "nomic_bert";
  sizes.hidden = integer_of(config, "hidden_size", "n_embd", 1, 65536);
  sizes.layers = integer_of(config, "num_hidden_layers", "n_layer", 0, 1000);
  sizes.heads = integer_of(config, "num_attention_heads", "n_head", 1, 65536);
  sizes.intermediate = read_intermediate(config);
  const std::int64_t unit = config.integer_or("pad_vocab_size_multiple", 1, 1, 65536);
  sizes.vocabulary = round_up(config.integer("vocab_size", 1, 1 << 24), unit);
  sizes.positions = integer_of(config, "max_position_embeddings", "n_positions", 1, 1 << 20);
  sizes.token_types = config.integer_or("type_vocab_size", 2, 0, 1 << 20);
  sizes.activation = config.string_or(key_of(config, "hidden_act", "activation_function"), "silu");
  check_heads(config, sizes, key_of(config, "num_attention_heads", "n_head"),
              key_of(config, "hidden_size", "n_embd"));
  return sizes;
}

/// How the tensors of a folder are called.
struct Names {
  std::string layers, embeddings_norm, output, norm1, norm2, up, gate, down;
  std::vector<std::string> qkv;
};

Names published_names() {
  return {"encoder.layers.", "emb_ln",   "attn.out_proj", "norm1",      "norm2",
          "mlp.fc11",        "mlp.fc12", "mlp.fc2",       {"attn.Wqkv"}};
}

Names module_names() {
  return {"layers.",
          "embeddings.LayerNorm",
          "self_attn.o_proj",
          "post_attention_layernorm",
          "post_mlp_layernorm",
          "mlp.up_proj",
          "mlp.gate_proj",
          "mlp.down_proj",
          {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"}};
}

class NomicBert {
 public:
  NomicBert(EncoderBuilder& build) : build_(build), gate_(read_gate(build.config)) {
    const ConfigReader& config = build.config;
    // The published code's default is with biases; transformers 5 has none.
    const bool published = config.contains("n_embd");
    attention_ = config.boolean_or("qkv_proj_bias", published) ? Bias::with : Bias::none;
    inner_ = config.boolean_or("mlp_fc1_bias", published) ? Bias::with : Bias::none;
    outer_ = config.boolean_or("mlp_fc2_bias", published) ? Bias::with : Bias::none;
    names_ = build.weights.contains_prefix(build.prefix + "layers.") ? module_names() : published_names();
    read_rotary(config, published);
  }

  ValueId rows() {
    ValueId x = build_.layernorm("embeddings", names_.embeddings_norm, embeddings());
    for (std::int64_t i = 0; i < build_.sizes.layers; ++i) x = layer(i, x);
    return x;
  }

 private:
  void read_rotary(const ConfigReader& config, bool published) {
    head_dim_ = build_.sizes.hidden / build_.sizes.heads;
    if (config.contains("head_dim") && config.integer("head_dim", 1, 65536) != head_dim_) {
      config.fail("head_dim", std::to_string(head_dim_) + ", hidden_size / num_attention_heads",
                  std::to_string(config.integer("head_dim", 1, 65536)));
    }
    const double fraction = config.number_or("rotary_emb_fraction", published ? 0.0 : 1.0, 0, 1);
    rotary_dim_ = static_cast<std::int64_t>(static_cast<double>(head_dim_) * fraction);
    if (rotary_dim_ < 2 || rotary_dim_ % 2 != 0) {
      config.fail(published ? "rotary_emb_fraction" : "num_attention_heads",
                  "an even number of values of each head to be turned",
                  std::to_string(rotary_dim_) + " of " + std::to_string(head_dim_));
    }
    interleaved_ = config.boolean_or("rotary_emb_interleaved", false);
    const RopeKeys keys{config.object("rope_parameters"), "rotary_emb_base", published ? 10000.0 : 1000.0,
                        kRopeTypes};
    rope_ = read_rope(config, keys, rotary_dim_);
    if (!config.contains("rotary_scaling_factor")) return;
    rope_.stretch = config.number_or("rotary_scaling_factor", 1, 1, 1e6);
    rope_.trained = config.integer_or("max_trained_positions", 2048, 1, 1 << 20);
    if (rotary_dim_ < 4)
      config.fail("rotary_scaling_factor", "null where 2 values of a head are turned", "a number");
  }

  ValueId embeddings() {
    const EncoderSizes& sizes = build_.sizes;
    const ValueId word =
        build_.table("embeddings.word", "embeddings.word_embeddings", sizes.vocabulary, sizes.hidden);
    if (sizes.token_types == 0) return build_.embed("embeddings.sum", {build_.ids}, {word});
    const ValueId type =
        build_.table("embeddings.type", "embeddings.token_type_embeddings", sizes.token_types, sizes.hidden);
    return build_.embed("embeddings.sum", {build_.ids, build_.types}, {word, type});
  }

  ValueId layer(std::int64_t index, ValueId x) {
    const std::string name = "layer." + std::to_string(index);
    const std::string tensors = names_.layers + std::to_string(index) + ".";
    x = build_.add_and_norm(name + ".attended", tensors + names_.norm1, attention(name, tensors, x), x);
    return build_.add_and_norm(name, tensors + names_.norm2, mlp(name, tensors, x), x);
  }

  ValueId attention(const std::string& name, const std::string& tensors, ValueId x) {
    const std::int64_t hidden = build_.sizes.hidden, heads = build_.sizes.heads;
    std::vector<std::string> parts;
    for (const std::string& part : names_.qkv) parts.push_back(tensors + part);
    const std::int64_t width = 3 * hidden / static_cast<std::int64_t>(parts.size());
    const ValueId qkv = build_.linear(name + ".qkv", parts, x, width, attention_);
    const ValueId turned =
        add_node(build_.graph, Op::rotary, name + ".rotary", {qkv},
                 rotary_attributes(rope_, 2 * heads, head_dim_, rotary_dim_, interleaved_));
    const ValueId context = build_.attention(name + ".attention", {turned});
    return build_.linear(name + ".output", tensors + names_.output, context, hidden, attention_);
  }

  ValueId mlp(const std::string& name, const std::string& tensors, ValueId x) {
    const std::vector<std::string> parts = {tensors + names_.gate, tensors + names_.up};
    const ValueId both = build_.linear(name + ".ffn1", parts, x, build_.sizes.intermediate, inner_);
    return build_.linear(name + ".ffn2", tensors + names_.down, build_.gate(name + ".gate", both, gate_),
                         build_.sizes.hidden, outer_);
  }

  EncoderBuilder& build_;
  std::string gate_;
  Bias attention_ = Bias::none, inner_ = Bias::none, outer_ = Bias::none;
  Names names_;
  std::int64_t head_dim_ = 0, rotary_dim_ = 0;
  bool interleaved_ = false;
  Rope rope_;
};

}  // namespace

ImportedModel import_nomic_bert(const ImportSource& source, const ImportTarget& target) {
  const ConfigReader config(source);
  refuse_other_kinds(config);
  EncoderBuilder build(source, read_nomic_sizes(config));
  build.epsilon = config.number_or(key_of(config, "layer_norm_eps", "layer_norm_epsilon"), 1e-12, 0, 1);
  build.choose_prefix("embeddings.", "bert.");
  build.choose_prefix("embeddings.", "nomic_bert.");
  const ValueId rows = NomicBert(build).rows();
  return build.finish(target, rows);
}

}  // namespace nybble::graph
