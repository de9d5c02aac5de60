#include "graph/verify.h"

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "graph/text.h"
#include "nybble/error.h"

namespace nybble::graph {
namespace {

void verify_name(const std::string& what, std::string_view name) {
  if (!is_name(name))
    fail_graph(what + " must be of letters, digits, '_', '.' and '-', found '" + std::string(name) + "'");
}

void verify_extents(const Value& value) {
  for (const Extent& extent : value.shape) {
    const bool fixed = extent.kind == Extent::Kind::fixed;
    if (fixed ? extent.size < 1 || extent.size > kMaxExtent : extent.size != 0) {
      fail_graph("an extent of %" + value.name + " must lie from 1 to " + std::to_string(kMaxExtent) +
                 " or be a symbol, found " + std::to_string(extent.size));
    }
    if (!fixed && value.kind == ValueKind::weight)
      fail_graph("%" + value.name + " is a weight, so its extents must be fixed");
  }
}

void verify_value(const Graph& graph, std::size_t i, std::unordered_set<std::string_view>& names) {
  const Value& value = graph.values[i];
  verify_name("the name of value " + std::to_string(i), value.name);
  if (!names.insert(value.name).second) fail_graph("there are two values %" + value.name);
  verify_extents(value);
  if ((value.kind == ValueKind::weight) == value.tensors.empty()) {
    fail_graph("%" + value.name +
               (value.tensors.empty() ? " is a weight without a tensor" : " is no weight but names tensors"));
  }
  if (value.kind == ValueKind::weight && value.type != ElementType::f32) {
    fail_graph("%" + value.name + " is a weight, so it must be f32, found " +
               print_type(value.type, value.shape));
  }
}

void verify_attributes(const Node& node) {
  for (const auto& [name, value] : node.attributes) {
    verify_name("the name of an attribute of " + std::string(op_name(node.op)), name);
    const double* found = std::get_if<double>(&value);
    if (found && !std::isfinite(*found)) {
      fail_graph("attribute '" + name + "' of " + std::string(op_name(node.op)) + " must be finite");
    }
  }
}

void verify_inputs(const Graph& graph, const Node& node, const std::vector<bool>& made) {
  for (const ValueId id : node.inputs) {
    if (made[static_cast<std::size_t>(id)]) continue;
    fail_graph("%" + graph.values[static_cast<std::size_t>(id)].name + " is read by " +
               std::string(op_name(node.op)) + " before it is made");
  }
}

void verify_node(const Graph& graph, const Node& node, std::vector<bool>& made) {
  verify_attributes(node);
  const ResultType expected = infer_result(graph, node);
  verify_inputs(graph, node, made);
  if (node.output < 0 || static_cast<std::size_t>(node.output) >= graph.values.size()) {
    fail_graph(std::string(op_name(node.op)) + " makes no value");
  }
  const Value& result = graph.values[static_cast<std::size_t>(node.output)];
  if (result.kind != ValueKind::result) {
    fail_graph(std::string(op_name(node.op)) + " makes %" + result.name + ", which is an input or a weight");
  }
  if (made[static_cast<std::size_t>(node.output)]) fail_graph("%" + result.name + " is made twice");
  if (result.type != expected.type || result.shape != expected.shape) {
    fail_graph("%" + result.name + " must be " + print_type(expected.type, expected.shape) + ", found " +
               print_type(result.type, result.shape));
  }
  made[static_cast<std::size_t>(node.output)] = true;
}

void verify_outputs(const Graph& graph) {
  if (graph.outputs.empty()) fail_graph("it has no output");
  std::unordered_set<std::string_view> names;
  for (const GraphOutput& output : graph.outputs) {
    verify_name("the name of an output", output.name);
    if (!names.insert(output.name).second) fail_graph("there are two outputs '" + output.name + "'");
    if (output.value < 0 || static_cast<std::size_t>(output.value) >= graph.values.size()) {
      fail_graph("output '" + output.name + "' is no value of the graph");
    }
  }
}

}  // namespace

void fail_graph(const std::string& sentence) {
  throw Error(ErrorCode::bad_input, ("graph: " + sentence).substr(0, kMostTold));
}

bool is_name(std::string_view name) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
  return !name.empty() && name.find_first_not_of(kAllowed) == std::string_view::npos;
}

void verify(const Graph& graph) {
  if (!graph.name.empty()) verify_name("the graph's name", graph.name);
  std::unordered_set<std::string_view> names;
  std::vector<bool> made(graph.values.size());
  for (std::size_t i = 0; i < graph.values.size(); ++i) {
    verify_value(graph, i, names);
    made[i] = graph.values[i].kind != ValueKind::result;
  }
  for (const Node& node : graph.nodes) verify_node(graph, node, made);
  const auto unmade = std::find(made.begin(), made.end(), false);
  if (unmade != made.end()) {
    fail_graph("%" + graph.values[static_cast<std::size_t>(unmade - made.begin())].name + " is never made");
  }
  verify_outputs(graph);
}

}  // namespace nybble::graph
