#include "runtime/lowering.h"

#include <algorithm>
#include <map>
#include <string>

#include "graph/verify.h"
#include "nybble/error.h"
#include "runtime/bind_step.h"
#include "runtime/value_homes.h"

namespace nybble::runtime {
namespace {

using graph::Graph;
using graph::Node;
using graph::Op;

/// The weights of linears, one entry a node (empty for other ops, and where `same_as` names another node).
struct LinearWeights {
  quant::Pages pages;  // packs in the order of use: what fetches beyond the end of one fetches the next one
  std::vector<std::size_t> offsets;
  std::vector<std::unique_ptr<quant::PackedLinear>> packed;
  std::vector<std::unique_ptr<OnednnMatmul>> matmuls;
  std::vector<std::unique_ptr<ExactLinear>> exact;
  std::vector<std::size_t> same_as;  ///< the first node of the same weights, formats and strides
};

/// What a linear's weights in memory depend on.
std::string identity_of(const Graph& graph, const Node& node, const std::vector<ValueHome>& homes) {
  std::string key = graph::text(node, "format");
  for (std::size_t i = 1; i < node.inputs.size(); ++i) {
    key += '\n';
    for (const std::string& tensor : graph.values[static_cast<std::size_t>(node.inputs[i])].tensors)
      key += std::to_string(tensor.size()) + ':' + tensor;
  }
  if (graph::text(node, "format") != "f32") return key;
  for (const graph::ValueId id : {node.inputs[0], node.output})
    key += '\n' + std::to_string(homes[static_cast<std::size_t>(id)].data.row_bytes);
  return key;
}

std::vector<std::size_t> find_equal_linears(const Graph& graph, const std::vector<ValueHome>& homes) {
  std::vector<std::size_t> same_as(graph.nodes.size());
  std::map<std::string, std::size_t> first;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    same_as[i] = i;
    if (graph.nodes[i].op == Op::linear)
      same_as[i] = first.try_emplace(identity_of(graph, graph.nodes[i], homes), i).first->second;
  }
  return same_as;
}

/// The tensors of a weight, for errors. Each is a number of rows, or of entries of a vector.
std::vector<quant::SourceRows> sources_of(const graph::Value& weight, const Weights& weights) {
  std::vector<quant::SourceRows> sources;
  for (const std::string& name : weight.tensors) {
    const TensorView& tensor = weights.at(name);
    sources.push_back({tensor.label, static_cast<int>(tensor.shape[0])});
  }
  return sources;
}

bool keeps_file_weights(const Node& linear) {
  return graph::has(linear, "format") && graph::text(linear, "format") == "exact_f32";
}

bool is_packed(const Node& node) { return node.op == Op::linear && graph::is_integer(node); }

/// Bytes of the pack of a linear, so that the next one is aligned as it is.
std::size_t pack_bytes(const Graph& graph, const Node& node) {
  const graph::Value& weight = graph.values[static_cast<std::size_t>(node.inputs[1])];
  const std::size_t bytes =
      kernels::packed_bytes(static_cast<int>(weight.shape[0].size), static_cast<int>(weight.shape[1].size),
                            quant::find_integer_format(graph::text(node, "format"))->pack);
  return (bytes + 63) / 64 * 64;
}

/// Memory for all packs, and where each stands; `out.same_as` is set.
void reserve_packs(const Graph& graph, LinearWeights& out) {
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    out.offsets.push_back(bytes);
    if (is_packed(graph.nodes[i]) && out.same_as[i] == i) bytes += pack_bytes(graph, graph.nodes[i]);
  }
  out.pages = quant::Pages(bytes);
}

/// Reads the weights of linear `index`, makes what its format needs, and gives the FP32 pages back.
void load_linear(const Graph& graph, std::size_t index, const std::vector<ValueHome>& homes,
                 const Constants& constants, const Weights& weights, const kernels::KernelSet& kernels,
                 LinearWeights& out) {
  const Node& node = graph.nodes[index];
  const graph::Value& weight = graph.values[static_cast<std::size_t>(node.inputs[1])];
  const int n = static_cast<int>(weight.shape[0].size);
  const int k = static_cast<int>(weight.shape[1].size);
  std::vector<float> scratch, bias_scratch;
  const std::span<const float> bias =
      node.inputs.size() == 3 ? constants.read(node.inputs[2], bias_scratch) : std::span<const float>();
  if (is_packed(node)) {
    const auto bias_sources =
        bias.empty() ? std::vector<quant::SourceRows>()
                     : sources_of(graph.values[static_cast<std::size_t>(node.inputs[2])], weights);
    const auto rows = [&](int begin, int end) {
      return constants.read_rows(node.inputs[1], begin, end, scratch);
    };
    const quant::IntegerFormat& format = *quant::find_integer_format(graph::text(node, "format"));
    out.packed[index] =
        std::make_unique<quant::PackedLinear>(kernels, format, rows, n, k, bias, sources_of(weight, weights),
                                              bias_sources, out.pages.data() + out.offsets[index]);
  } else if (keeps_file_weights(node)) {
    out.exact[index] = std::make_unique<ExactLinear>(constants.read(node.inputs[1], scratch), bias, n, k);
  } else {
    const auto stride = [&](graph::ValueId id) {
      return static_cast<std::ptrdiff_t>(homes[static_cast<std::size_t>(id)].data.row_bytes / sizeof(float));
    };
    out.matmuls[index] = std::make_unique<OnednnMatmul>(constants.read(node.inputs[1], scratch), bias, n, k,
                                                        stride(node.inputs[0]), stride(node.output));
  }
  constants.release(node.inputs[1]);
}

LinearWeights load_linears(const Graph& graph, const std::vector<ValueHome>& homes,
                           const Constants& constants, const Weights& weights,
                           const kernels::KernelSet& kernels, const Scheduler& scheduler) {
  LinearWeights result;
  result.packed.resize(graph.nodes.size());
  result.matmuls.resize(graph.nodes.size());
  result.exact.resize(graph.nodes.size());
  result.same_as = find_equal_linears(graph, homes);
  reserve_packs(graph, result);
  scheduler.parallel_for(static_cast<int>(graph.nodes.size()), [&](int i, int) {
    const auto index = static_cast<std::size_t>(i);
    if (graph.nodes[index].op == Op::linear && result.same_as[index] == index)
      load_linear(graph, index, homes, constants, weights, kernels, result);
  });
  return result;
}

/// The sums of integer attention are exact up to here (docs/numerics.md).
constexpr int kLongestIntegerAttention = 65536;

void check_attention(const Node& node, const LoweringOptions& options) {
  const std::int64_t head_dim = graph::integer(node, "head_dim");
  if (!graph::is_integer(node) ||
      (options.longest <= kLongestIntegerAttention && head_dim <= kLongestIntegerAttention))
    return;
  throw Error(
      ErrorCode::unsupported_model,
      "attention in integers: expected at most 65536 tokens a sequence and a head_dim of 65536, found " +
          std::to_string(options.longest) + " tokens and a head_dim of " + std::to_string(head_dim) +
          "; without the pass integer_attention, or with weights in f32, it runs on floats");
}

/// Every linear has a format, and the output is written by a step that writes no padding.
void check_lowerable(const Graph& graph, const LoweringOptions& options) {
  if (graph.outputs.size() != 1) {
    throw Error(ErrorCode::unsupported_model, "graph " + graph.name + ": expected one output, found " +
                                                  std::to_string(graph.outputs.size()));
  }
  for (const Node& node : graph.nodes) {
    if (node.op == Op::attention) check_attention(node, options);
    if (node.op != Op::linear) continue;
    if (!graph::has(node, "format")) {
      throw Error(ErrorCode::bad_input, "a linear has no weight format: the pass assign_formats is needed");
    }
    if (graph::is_output(graph, node.output) && !keeps_file_weights(node)) {
      throw Error(ErrorCode::unsupported_model,
                  "graph " + graph.name + ": a linear's result cannot be the output");
    }
  }
}

bool is_disentangled(const Node& node) {
  return node.op == Op::attention && graph::text(node, "position") == "disentangled";
}

/// By node, empty for those of other kinds.
std::vector<std::unique_ptr<RelativeAttention>> load_relative(const Graph& graph, const Constants& constants,
                                                              const Weights& weights,
                                                              const LoweringOptions& options,
                                                              const Scheduler& scheduler) {
  std::vector<std::unique_ptr<RelativeAttention>> result(graph.nodes.size());
  scheduler.parallel_for(static_cast<int>(graph.nodes.size()), [&](int i, int) {
    const auto index = static_cast<std::size_t>(i);
    const Node& node = graph.nodes[index];
    if (!is_disentangled(node)) return;
    result[index] = std::make_unique<RelativeAttention>(graph, node, constants, weights, *options.kernels,
                                                        options.longest);
    for (std::size_t at = node.inputs.size() - graph::position_inputs(node); at < node.inputs.size(); ++at)
      constants.release(node.inputs[at]);
  });
  return result;
}

/// Of the rows of floats that the graph takes.
int input_columns(const Graph& graph) {
  for (const graph::Value& value : graph.values) {
    if (value.kind == graph::ValueKind::input && value.type == graph::ElementType::f32)
      return static_cast<int>(value.shape[1].size);
  }
  return 0;
}

/// What a thread needs for the step that needs most.
std::size_t most_own_bytes(const Plan& plan) {
  std::size_t most = 0;
  for (const Stage& stage : plan.stages) {
    for (const Step& step : stage.steps) most = std::max(most, step.own_bytes);
  }
  return most;
}

template <class T>
std::vector<const T*> pointers(const std::vector<std::unique_ptr<T>>& owners,
                               const std::vector<std::size_t>& same_as) {
  std::vector<const T*> result;
  for (const std::size_t i : same_as) result.push_back(owners[i].get());
  return result;
}

template <class T>
void keep(std::vector<std::unique_ptr<T>>& from, std::vector<std::unique_ptr<T>>& to, std::size_t& bytes) {
  for (auto& owner : from) {
    if (!owner) continue;
    bytes += owner->bytes();
    to.push_back(std::move(owner));
  }
}

Stage bind_stage(const Binding& binding, const StageNodes& nodes) {
  Stage stage;
  stage.kind = nodes.kind;
  for (std::size_t i = nodes.begin; i < nodes.end; ++i) {
    stage.steps.push_back(bind_step(binding, i));
    const Node& node = binding.graph.nodes[i];
    if (node.op == Op::attention) stage.heads = static_cast<int>(graph::integer(node, "heads"));
  }
  return stage;
}

}  // namespace

LoweredModel lower(const Graph& graph, const Weights& weights, const LoweringOptions& options,
                   const Scheduler& scheduler) {
  check_lowerable(graph, options);
  const std::vector<StageNodes> stages = group_stages(graph);
  const ValueHomes places = place_values(graph, stages, options.l2_bytes);

  LoweredModel model;
  model.constants = std::make_unique<Constants>(graph, weights);
  LinearWeights linears =
      load_linears(graph, places.homes, *model.constants, weights, *options.kernels, scheduler);
  const auto packed = pointers(linears.packed, linears.same_as);
  const auto matmuls = pointers(linears.matmuls, linears.same_as);
  const auto exact = pointers(linears.exact, linears.same_as);
  model.positions = std::make_unique<PositionTables>(options.longest);
  auto relative = load_relative(graph, *model.constants, weights, options, scheduler);
  std::vector<const RelativeAttention*> relative_of_nodes;
  for (const auto& owner : relative) relative_of_nodes.push_back(owner.get());
  const Binding binding{graph,   places.homes, *options.kernels, *model.constants,  packed,
                        matmuls, exact,        *model.positions, relative_of_nodes, options.longest};
  for (const StageNodes& nodes : stages) model.plan.stages.push_back(bind_stage(binding, nodes));

  model.plan.max_tokens = options.max_tokens;
  model.plan.block_rows = places.block_rows;
  model.plan.row_bytes = places.row_bytes;
  model.plan.scratch_row_bytes = places.scratch_row_bytes;
  model.plan.own_bytes = most_own_bytes(model.plan);
  const graph::Value& output = graph.values[static_cast<std::size_t>(graph.outputs[0].value)];
  model.plan.output_per_token = output.shape[0].kind == graph::Extent::Kind::tokens;
  model.plan.input_columns = input_columns(graph);
  model.plan.output_columns = static_cast<int>(output.shape[1].size);
  model.pages = std::move(linears.pages);
  keep(linears.packed, model.packed, model.linear_bytes);
  keep(linears.matmuls, model.matmuls, model.linear_bytes);
  keep(relative, model.relative, model.linear_bytes);
  keep(linears.exact, model.exact, model.linear_bytes);
  model.plan.weights_cached = model.linear_bytes < options.l3_bytes;
  model.table_bytes = model.constants->f32_bytes() + model.positions->bytes();
  return model;
}

}  // namespace nybble::runtime
