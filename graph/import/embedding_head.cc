#include "graph/import/embedding_head.h"

#include <array>
#include <utility>

namespace nybble::graph {
namespace {

constexpr double kTorchEpsilon = 1e-5;

/// x · Wᵀ (+ b). One row a sequence is little work: there it keeps the file's weights.
ValueId product(EncoderBuilder& build, const HeadModule& module, const std::string& name,
                const std::string& tensor, ValueId x, bool bias) {
  const ValueId result =
      build.linear(name, module.tensors + tensor, x, module.outputs, bias ? Bias::with : Bias::none);
  const bool is_pooled = build.graph.values[static_cast<std::size_t>(x)].shape[0] == Extent::sequences();
  Node& linear = bias ? *(build.graph.nodes.end() - 2) : build.graph.nodes.back();
  if (is_pooled) linear.attributes["format"] = std::string("exact_f32");
  return result;
}

ValueId dense(EncoderBuilder& build, const HeadModule& module, ValueId x) {
  const bool adds = module.residual != HeadModule::Residual::none;
  const std::string name = adds ? module.name + ".product" : module.name;
  ValueId y =
      product(build, module, module.activation.empty() ? name : name + ".linear", "linear", x, module.bias);
  if (!module.activation.empty()) y = build.activation(name, y, module.activation);
  if (!adds) return y;
  if (module.residual == HeadModule::Residual::projected)
    x = product(build, module, module.name + ".residual", "residual", x, false);
  return build.add(module.name, y, x);
}

ValueId apply(EncoderBuilder& build, const HeadModule& module, ValueId x) {
  switch (module.kind) {
    case HeadModule::Kind::dense:
      return dense(build, module, x);
    case HeadModule::Kind::layer_norm:
      build.epsilon = kTorchEpsilon;
      return build.layernorm(module.name, module.tensors + "norm", x);
    case HeadModule::Kind::normalize:
      break;
  }
  return add_node(build.graph, Op::l2_normalize, module.name, {x});
}

ValueId pool(EncoderBuilder& build, const ImportTarget& target, ValueId x) {
  std::vector<ValueId> pooled;
  for (const PoolMode mode : target.pooling) {
    const std::string kind(pool_mode_name(mode));
    Attributes attributes = {{"mode", kind}};
    if (target.skip_prompt) attributes["skip_prompt"] = std::int64_t{1};
    const std::string name =
        target.pooling.size() == 1 ? "pooled" : "pooled." + std::to_string(pooled.size());
    pooled.push_back(add_node(build.graph, Op::pool, name, {x}, std::move(attributes)));
  }
  if (pooled.size() == 1) return pooled.front();
  return add_node(build.graph, Op::concat, "pooled", std::move(pooled));
}

}  // namespace

std::string_view pool_mode_name(PoolMode mode) {
  constexpr std::array<std::string_view, 6> names = {"mean", "cls",           "max",
                                                     "last", "weighted_mean", "mean_sqrt_len"};
  return names[static_cast<std::size_t>(mode)];
}

ValueId embedding_head(EncoderBuilder& build, const ImportTarget& target, ValueId x) {
  build.prefix.clear();
  for (const HeadModule& module : target.token_modules) x = apply(build, module, x);
  if (!target.per_token) {
    x = pool(build, target, x);
    for (const HeadModule& module : target.pooled_modules) x = apply(build, module, x);
  }
  if (target.normalize) x = add_node(build.graph, Op::l2_normalize, "normalized", {x});
  return x;
}

}  // namespace nybble::graph
