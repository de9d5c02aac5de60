// GTE-new (Zhang et al. 2024, arXiv:2407.19669; model_type "new"): BERT with rotary positions instead of a
// table, which NTK scaling stretches, and gated feed-forward parts whose up half comes first.
//
// Reads the published names, with and without the "new." prefix, Q, K and V in one tensor (pack_qkv) or in
// three, and both spellings of the config: rope_theta and rope_scaling, or rope_parameters.
#include <array>

#include "graph/import/encoder_builder.h"
#include "graph/import/importer.h"
#include "graph/import/rope_config.h"

namespace nybble::graph {
namespace {

constexpr std::array<std::string_view, 2> kRopeTypes = {"default", "ntk"};

EncoderSizes read_gte_sizes(const ConfigReader& config) {
  EncoderSizes sizes = read_sizes(config, "new");
  sizes.token_types = config.integer_or("type_vocab_size", 1, 0, 1 << 20);
  if (sizes.hidden / sizes.heads % 2 != 0) {
    config.fail("num_attention_heads", "heads of an even number of values (rotary positions)",
                std::to_string(sizes.heads));
  }
  return sizes;
}

ValueId embeddings(EncoderBuilder& build) {
  const EncoderSizes& sizes = build.sizes;
  std::vector<ValueId> indices = {build.ids};
  std::vector<ValueId> tables = {
      build.table("embeddings.word", "embeddings.word_embeddings", sizes.vocabulary, sizes.hidden)};
  if (sizes.token_types > 0) {
    indices.push_back(build.types);
    tables.push_back(
        build.table("embeddings.type", "embeddings.token_type_embeddings", sizes.token_types, sizes.hidden));
  }
  return build.layernorm("embeddings", "embeddings.LayerNorm",
                         build.embed("embeddings.sum", indices, tables));
}

ValueId attention(EncoderBuilder& build, const std::string& name, const std::string& tensors, ValueId x,
                  const Rope& rope) {
  const std::int64_t hidden = build.sizes.hidden, heads = build.sizes.heads, head_dim = hidden / heads;
  const ValueId qkv =
      build.config.boolean_or("pack_qkv", true)
          ? build.linear(name + ".qkv", tensors + "qkv_proj", x, 3 * hidden)
          : build.linear(name + ".qkv", {tensors + "q_proj", tensors + "k_proj", tensors + "v_proj"}, x,
                         hidden);
  const ValueId turned = add_node(build.graph, Op::rotary, name + ".rotary", {qkv},
                                  rotary_attributes(rope, 2 * heads, head_dim, head_dim));
  const ValueId context = build.attention(name + ".attention", {turned});
  return build.linear(name + ".output", tensors + "o_proj", context, hidden);
}

ValueId layer(EncoderBuilder& build, std::int64_t index, ValueId x, const Rope& rope,
              const std::string& gate) {
  const std::string name = "layer." + std::to_string(index);
  const std::string tensors = "encoder.layer." + std::to_string(index) + ".";
  const ValueId attended = attention(build, name, tensors + "attention.", x, rope);
  x = build.add_and_norm(name + ".attended", tensors + "attn_ln", attended, x);
  const ValueId both =
      build.linear(name + ".ffn1", tensors + "mlp.up_gate_proj", x, 2 * build.sizes.intermediate, Bias::none);
  const ValueId gated = build.gate(name + ".gate", both, gate, GateOrder::up_first);
  const ValueId outer = build.linear(name + ".ffn2", tensors + "mlp.down_proj", gated, build.sizes.hidden);
  return build.add_and_norm(name, tensors + "mlp_ln", outer, x);
}

}  // namespace

ImportedModel import_gte_new(const ImportSource& source, const ImportTarget& target) {
  const ConfigReader config(source);
  require_string(config, "position_embedding_type", "rope");
  require_string(config, "layer_norm_type", "layer_norm");
  if (config.boolean_or("logn_attention_scale", false)) config.fail("logn_attention_scale", "false", "true");
  EncoderBuilder build(source, read_gte_sizes(config));
  const std::string gate = gate_kind(config, "hidden_act", build.sizes.activation);
  const RopeKeys keys{config.object("rope_parameters"), "rope_theta", 10000.0, kRopeTypes};
  const Rope rope = read_rope(config, keys, build.sizes.hidden / build.sizes.heads);
  build.epsilon = config.number_or("layer_norm_eps", 1e-12, 0, 1);
  build.choose_prefix("embeddings.", "new.");
  ValueId x = embeddings(build);
  for (std::int64_t i = 0; i < build.sizes.layers; ++i) x = layer(build, i, x, rope, gate);
  return build.finish(target, x);
}

}  // namespace nybble::graph
