#include "graph/ir.h"

#include <algorithm>
#include <array>

#include "graph/relative_rows.h"
#include "graph/verify.h"
#include "nybble/error.h"

namespace nybble::graph {
namespace {

constexpr std::array<std::string_view, 15> kOpNames = {
    "embed_sum", "layernorm",     "linear", "add_bias", "add",    "activation", "gate",        "rotary",
    "attention", "quantize_rows", "pool",   "concat",   "unfold", "copy",       "l2_normalize"};

ValueId append(Graph& graph, Value value) {
  graph.values.push_back(std::move(value));
  return static_cast<ValueId>(graph.values.size() - 1);
}

const Attribute& attribute_of(const Node& node, std::string_view name) {
  const auto found = node.attributes.find(name);
  if (found == node.attributes.end()) {
    throw Error(ErrorCode::bad_input, "graph: a node of op " + std::string(op_name(node.op)) +
                                          " has no attribute '" + std::string(name) + "'");
  }
  return found->second;
}

template <class T>
const T& typed(const Node& node, std::string_view name) {
  const T* value = std::get_if<T>(&attribute_of(node, name));
  if (!value) {
    throw Error(ErrorCode::bad_input, "graph: attribute '" + std::string(name) + "' of op " +
                                          std::string(op_name(node.op)) + " has another type than expected");
  }
  return *value;
}

}  // namespace

ValueId add_input(Graph& graph, std::string name, ElementType type, Shape shape) {
  return append(graph, {std::move(name), ValueKind::input, type, std::move(shape), {}});
}

ValueId add_weight(Graph& graph, std::string name, Shape shape, std::vector<std::string> tensors) {
  return append(graph,
                {std::move(name), ValueKind::weight, ElementType::f32, std::move(shape), std::move(tensors)});
}

ValueId add_node(Graph& graph, Op op, std::string result_name, std::vector<ValueId> inputs,
                 Attributes attributes) {
  Node node{op, std::move(inputs), -1, std::move(attributes)};
  const ResultType type = infer_result(graph, node);
  node.output = append(graph, {std::move(result_name), ValueKind::result, type.type, type.shape, {}});
  graph.nodes.push_back(std::move(node));
  return graph.nodes.back().output;
}

std::string_view op_name(Op op) { return kOpNames[static_cast<std::size_t>(op)]; }

Op op_of(std::string_view name) {
  const auto found = std::find(kOpNames.begin(), kOpNames.end(), name);
  if (found == kOpNames.end())
    throw Error(ErrorCode::bad_input, "graph: there is no op '" + std::string(name) + "'");
  return static_cast<Op>(found - kOpNames.begin());
}

std::int64_t integer(const Node& node, std::string_view name) { return typed<std::int64_t>(node, name); }
double number(const Node& node, std::string_view name) { return typed<double>(node, name); }
const std::string& text(const Node& node, std::string_view name) { return typed<std::string>(node, name); }
bool has(const Node& node, std::string_view name) { return node.attributes.contains(name); }
bool is_integer(const Node& node) { return has(node, "format") && text(node, "format").starts_with("int"); }

bool has_residual(const Graph& graph, const Node& layernorm) {
  return graph.values[static_cast<std::size_t>(layernorm.inputs[1])].kind != ValueKind::weight;
}

std::size_t position_inputs(const Node& attention) {
  const std::string& position = text(attention, "position");
  if (position == "bias") return 1;
  return position == "disentangled" ? relative_input_count(attention) : 0;
}

std::vector<std::size_t> readers(const Graph& graph, ValueId value) {
  std::vector<std::size_t> result;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const auto& inputs = graph.nodes[i].inputs;
    if (std::find(inputs.begin(), inputs.end(), value) != inputs.end()) result.push_back(i);
  }
  return result;
}

std::ptrdiff_t maker(const Graph& graph, ValueId value) {
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    if (graph.nodes[i].output == value) return static_cast<std::ptrdiff_t>(i);
  }
  return -1;
}

bool is_output(const Graph& graph, ValueId value) {
  return std::any_of(graph.outputs.begin(), graph.outputs.end(),
                     [value](const GraphOutput& output) { return output.value == value; });
}

}  // namespace nybble::graph
