#include "graph/passes/passes.h"

#include <algorithm>
#include <array>

#include "graph/verify.h"
#include "nybble/error.h"

namespace nybble::graph {
namespace {

constexpr std::array kPasses = {
    Pass{"prune_unread_rows", "where a head reads first rows only, others are not made", prune_unread_rows},
    Pass{"merge_qkv", "one product for query, key and value", merge_qkv},
    Pass{"fuse_bias", "a linear adds its own bias", fuse_bias},
    Pass{"fuse_activation", "a linear applies the activation that follows it", fuse_activation},
    Pass{"fuse_residual_layernorm", "a LayerNorm adds the residual that precedes it",
         fuse_residual_layernorm},
    Pass{"assign_formats", "each linear gets its weight format and, for integers, quantized rows",
         assign_formats},
    Pass{"integer_attention", "attention quantizes queries, keys and values where the weights are integers",
         integer_attention},
    Pass{"fuse_norm_quantization", "a LayerNorm makes the codes of its rows beside them",
         fuse_norm_quantization},
    Pass{"fuse_linear_quantization", "a linear's result goes to codes block by block",
         fuse_linear_quantization},
    Pass{"fuse_gate_quantization", "a gate's result goes to codes block by block with the linear before it",
         fuse_gate_quantization},
    Pass{"copy_outputs", "an output that a linear makes is copied to the caller's rows", copy_outputs},
    Pass{"remove_dead_nodes", "what no output needs goes", remove_dead_nodes},
};

}  // namespace

std::span<const Pass> passes() { return kPasses; }

void check_pass_name(std::string_view name) {
  if (std::any_of(kPasses.begin(), kPasses.end(), [&](const Pass& pass) { return pass.name == name; }))
    return;
  std::string names;
  for (const Pass& pass : kPasses) names += (names.empty() ? "" : ", ") + std::string(pass.name);
  throw Error(ErrorCode::bad_input, "there is no pass '" + std::string(name) + "'; there are " + names);
}

void run_passes(Graph& graph, const PassRun& run) {
  for (const std::string& name : run.disabled) check_pass_name(name);
  verify(graph);
  for (const Pass& pass : kPasses) {
    if (run.disabled.contains(pass.name)) continue;
    pass.run(graph, run.settings);
    verify(graph);
    if (run.observer) run.observer(pass.name, graph);
  }
}

}  // namespace nybble::graph
