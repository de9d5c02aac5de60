#include "runtime/embedding_target.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace nybble::runtime {
namespace {

using graph::HeadModule;

// Pooling and graph::PoolMode name the same things in the same order.
static_assert(static_cast<int>(Pooling::mean) == static_cast<int>(graph::PoolMode::mean));
static_assert(static_cast<int>(Pooling::cls) == static_cast<int>(graph::PoolMode::cls));
static_assert(static_cast<int>(Pooling::max) == static_cast<int>(graph::PoolMode::max));
static_assert(static_cast<int>(Pooling::last) == static_cast<int>(graph::PoolMode::last));
static_assert(static_cast<int>(Pooling::weighted_mean) == static_cast<int>(graph::PoolMode::weighted_mean));
static_assert(static_cast<int>(Pooling::mean_sqrt_len) == static_cast<int>(graph::PoolMode::mean_sqrt_len));

std::string_view output_name(Output output) {
  constexpr std::array<std::string_view, 4> names = {"embedding", "tokens", "multi_vector", "sparse"};
  return names[static_cast<std::size_t>(output)];
}

/// Stanford's projection has the width of its tensor.
void find_outputs(std::vector<HeadModule>& modules, const Weights& weights) {
  for (HeadModule& module : modules) {
    if (module.kind != HeadModule::Kind::dense || module.outputs > 0) continue;
    const TensorView& weight = weights.at(module.tensors + "linear.weight");
    if (weight.shape.size() != 2 || weight.shape[0] < 1) {
      throw Error(ErrorCode::unsupported_model,
                  fmt::format("{}: expected a matrix, found {} extents", weight.label, weight.shape.size()));
    }
    module.outputs = weight.shape[0];
  }
}

std::string describe(const HeadModule& module) {
  if (module.kind == HeadModule::Kind::normalize) return "Normalize";
  if (module.kind == HeadModule::Kind::layer_norm) return "LayerNorm";
  std::string text = fmt::format("Dense to {}", module.outputs);
  if (!module.activation.empty()) text += ", " + module.activation;
  if (module.residual != HeadModule::Residual::none) text += ", residual";
  return text;
}

}  // namespace

Output output_of(const ModelFolder& folder, const LoadOptions& options) {
  const Output own = folder.st.multi_vector ? Output::multi_vector
                     : folder.st.sparse     ? Output::sparse
                                            : Output::embedding;
  const Output wanted = options.output.value_or(own);
  if (wanted == own || wanted == Output::tokens) return wanted;
  // Any masked language model: the folder may be older than SPLADE's modules.
  if (wanted == Output::sparse && !folder.st.has_modules) return wanted;
  throw Error(ErrorCode::bad_input,
              fmt::format("output: expected {} or tokens, which this model gives, found {}", output_name(own),
                          output_name(wanted)));
}

graph::ImportTarget embedding_target(const ModelFolder& folder, const LoadOptions& options, Output output) {
  const SentenceTransformers& st = folder.st;
  graph::ImportTarget target;
  target.pooling = st.pooling.modes;
  if (!options.pooling.empty()) {
    target.pooling.clear();
    for (const Pooling pooling : options.pooling)
      target.pooling.push_back(static_cast<graph::PoolMode>(pooling));
  }
  target.skip_prompt = !st.pooling.include_prompt;
  target.normalize = options.normalize.value_or(st.normalize);
  target.per_token = output == Output::tokens || output == Output::multi_vector;
  // Rows of tokens are the encoder's, unless they are the output of a multi-vector model.
  if (output != Output::tokens || !st.multi_vector) target.token_modules = st.token_modules;
  target.pooled_modules = st.pooled_modules;
  if (output == Output::sparse) target.head = graph::Head::masked_lm;
  return target;
}

void add_modules(const ModelFolder& folder, graph::ImportTarget& target, Weights& weights) {
  if (target.token_modules.empty() && target.pooled_modules.empty()) return;
  for (const std::filesystem::path& module : folder.st.weight_folders)
    weights.add_module(folder.dir / module, module.generic_string() + "/");
  find_outputs(target.token_modules, weights);
}

void check_masked_keys(const ModelFolder& folder, const graph::Graph& graph) {
  const auto& multi_vector = folder.st.multi_vector;
  if (!multi_vector || !multi_vector->expansion || multi_vector->expansion->is_attended) return;
  for (const graph::Node& node : graph.nodes) {
    if (node.op != graph::Op::attention || graph::text(node, "position") == "none") continue;
    throw Error(ErrorCode::unsupported_model,
                folder.dir.string() +
                    ": expected query expansion that is attended to where attention has biases of "
                    "positions, found one that is not");
  }
}

void describe_target(const ModelFolder& folder, const graph::ImportTarget& target, ModelInfo& info) {
  info.normalize = target.normalize;
  for (const HeadModule& module : target.token_modules)
    info.modules.push_back(describe(module) + " of tokens");
  if (!target.per_token && target.head == graph::Head::none) {
    for (const graph::PoolMode mode : target.pooling) info.pooling.push_back(static_cast<Pooling>(mode));
    for (const HeadModule& module : target.pooled_modules) info.modules.push_back(describe(module));
  }
  info.prompts = {folder.st.prompts.texts.begin(), folder.st.prompts.texts.end()};
  info.default_prompt = folder.st.prompts.default_name;
}

}  // namespace nybble::runtime
