// ModernBERT (Warner et al. 2024, arXiv:2412.13663): each part's LayerNorm before it instead of after it,
// none before the first attention; rotary positions; layers that see all tokens, and layers between them that
// see a window, with a theta for each kind; gated feed-forward parts; a last LayerNorm. No biases unless the
// config asks for them.
//
// Reads the published names, with and without the "model." prefix, and both spellings of the config:
// global_attn_every_n_layers or layer_types; global_rope_theta and local_rope_theta, or rope_parameters.
#include <array>

#include "graph/import/encoder_builder.h"
#include "graph/import/importer.h"
#include "graph/import/rope_config.h"

namespace nybble::graph {
namespace {

constexpr std::array<std::string_view, 2> kLayerTypes = {"full_attention", "sliding_attention"};
constexpr std::array<std::string_view, 2> kRopeTypes = {"default", "linear"};

/// What sets one kind of layer apart.
struct LayerKind {
  std::int64_t window = 0;  ///< 0: all tokens
  Rope rope;
};

Bias bias_of(const ConfigReader& config, std::string_view key) {
  return config.boolean_or(key, false) ? Bias::with : Bias::none;
}

/// Whether each layer sees a window.
std::vector<bool> read_layer_types(const ConfigReader& config, std::int64_t layers) {
  std::vector<bool> local;
  if (!config.contains("layer_types")) {
    const std::int64_t every = config.contains("global_attn_every_n_layers")
                                   ? config.integer("global_attn_every_n_layers", 1, 1000)
                                   : 3;
    for (std::int64_t i = 0; i < layers; ++i) local.push_back(i % every != 0);
    return local;
  }
  const std::vector<std::string> types = config.strings("layer_types");
  if (static_cast<std::int64_t>(types.size()) != layers) {
    config.fail("layer_types", std::to_string(layers) + " entries, as num_hidden_layers has it",
                std::to_string(types.size()));
  }
  for (const std::string& type : types) {
    if (type != kLayerTypes[0] && type != kLayerTypes[1])
      config.fail_one_of("layer_types", kLayerTypes, type);
    local.push_back(type == kLayerTypes[1]);
  }
  return local;
}

/// To each side of a query.
std::int64_t read_window(const ConfigReader& config) {
  if (config.contains("sliding_window")) return config.integer("sliding_window", 1, 1 << 20);
  return config.integer_or("local_attention", 128, 2, 1 << 20) / 2;
}

LayerKind read_kind(const ConfigReader& config, bool local, std::int64_t head_dim) {
  const auto all = config.object("rope_parameters");
  const RopeKeys keys{all ? all->object(kLayerTypes[local]) : std::nullopt,
                      local ? "local_rope_theta" : "global_rope_theta", local ? 10000.0 : 160000.0,
                      kRopeTypes};
  return {local ? read_window(config) : 0, read_rope(config, keys, head_dim)};
}

EncoderSizes read_modernbert_sizes(const ConfigReader& config) {
  EncoderSizes sizes = read_sizes(config, "modernbert");
  sizes.activation = config.string_or("hidden_activation", "gelu");
  return sizes;
}

class ModernBert {
 public:
  ModernBert(EncoderBuilder& build)
      : build_(build),
        norm_(bias_of(build.config, "norm_bias")),
        attention_(bias_of(build.config, "attention_bias")),
        mlp_(bias_of(build.config, "mlp_bias")),
        gate_(gate_kind(build.config, "hidden_activation", build.sizes.activation)),
        local_(read_layer_types(build.config, build.sizes.layers)) {
    const std::int64_t head_dim = build.sizes.hidden / build.sizes.heads;
    if (head_dim % 2 != 0) {
      build.config.fail("num_attention_heads", "heads of an even number of values (rotary positions)",
                        std::to_string(build.sizes.heads));
    }
    for (const bool local : local_) kinds_[local] = read_kind(build.config, local, head_dim);
  }

  ValueId rows() {
    const EncoderSizes& sizes = build_.sizes;
    const ValueId word =
        build_.table("embeddings.word", "embeddings.tok_embeddings", sizes.vocabulary, sizes.hidden);
    const ValueId sum = build_.embed("embeddings.sum", {build_.ids}, {word});
    ValueId x = build_.layernorm("embeddings", "embeddings.norm", sum, norm_);
    for (std::int64_t i = 0; i < sizes.layers; ++i) x = layer(i, x);
    return build_.layernorm("final", "final_norm", x, norm_);
  }

 private:
  ValueId layer(std::int64_t index, ValueId x) {
    const std::string name = "layer." + std::to_string(index),
                      tensors = "layers." + std::to_string(index) + ".";
    const ValueId normed =
        index == 0 ? x : build_.layernorm(name + ".attention.norm", tensors + "attn_norm", x, norm_);
    x = build_.add(name + ".attended", x,
                   attention(name, tensors, normed, kinds_[local_[static_cast<std::size_t>(index)]]));
    return build_.add(name, x, mlp(name, tensors, x));
  }

  ValueId attention(const std::string& name, const std::string& tensors, ValueId x, const LayerKind& kind) {
    const std::int64_t hidden = build_.sizes.hidden, heads = build_.sizes.heads, head_dim = hidden / heads;
    const ValueId qkv = build_.linear(name + ".qkv", tensors + "attn.Wqkv", x, 3 * hidden, attention_);
    const ValueId turned = add_node(build_.graph, Op::rotary, name + ".rotary", {qkv},
                                    rotary_attributes(kind.rope, 2 * heads, head_dim, head_dim));
    const ValueId context = build_.attention(name + ".attention", {turned}, kind.window);
    return build_.linear(name + ".output", tensors + "attn.Wo", context, hidden, attention_);
  }

  ValueId mlp(const std::string& name, const std::string& tensors, ValueId x) {
    const ValueId normed = build_.layernorm(name + ".ffn.norm", tensors + "mlp_norm", x, norm_);
    const ValueId both =
        build_.linear(name + ".ffn1", tensors + "mlp.Wi", normed, 2 * build_.sizes.intermediate, mlp_);
    const ValueId gated = build_.gate(name + ".gate", both, gate_);
    return build_.linear(name + ".ffn2", tensors + "mlp.Wo", gated, build_.sizes.hidden, mlp_);
  }

  EncoderBuilder& build_;
  Bias norm_, attention_, mlp_;
  std::string gate_;
  std::vector<bool> local_;
  std::array<LayerKind, 2> kinds_;  ///< global, local
};

}  // namespace

ImportedModel import_modernbert(const ImportSource& source, const ImportTarget& target) {
  const ConfigReader config(source);
  EncoderBuilder build(source, read_modernbert_sizes(config));
  build.epsilon = config.number_or("norm_eps", 1e-5, 0, 1);
  build.choose_prefix("embeddings.", "model.");
  const ValueId rows = ModernBert(build).rows();
  return build.finish(target, rows);
}

}  // namespace nybble::graph
