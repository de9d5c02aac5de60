// The passes: named, ordered, each in a file of its own. A pass rewrites a verified graph into a verified
// graph that computes the same (with integers, the same but for the quantization), in time that grows with
// the graph; run twice, it changes nothing the second time.
#pragma once

#include <functional>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "graph/ir.h"

namespace nybble::graph {

/// f32, and then quant::kIntegerFormats in their order.
enum class WeightFormat { f32, int8, int7, int6, int5, int4 };
/// As the attribute `format` has it.
std::string_view format_name(WeightFormat format);

/// What the passes need to know of the machine-independent plan for a model.
struct PassSettings {
  WeightFormat weights = WeightFormat::int8;  ///< the format of every linear that has none yet
};

struct Pass {
  std::string_view name;
  std::string_view summary;
  void (*run)(Graph& graph, const PassSettings& settings);
};

/// All passes in the order in which they run.
std::span<const Pass> passes();

struct PassRun {
  PassSettings settings;
  std::set<std::string, std::less<>> disabled;  ///< names of passes to leave out
  /// Called after each pass that ran, with its name and what it made of the graph; may be empty.
  std::function<void(std::string_view, const Graph&)> observer;
};

/// Runs them and verifies after each. Throws Error{bad_input} for an unknown name in `disabled`, naming those
/// there are.
void run_passes(Graph& graph, const PassRun& run);
/// Throws as run_passes does unless there is a pass of that name.
void check_pass_name(std::string_view name);

// ---- one file each ----
void prune_unread_rows(Graph& graph, const PassSettings& settings);
void merge_qkv(Graph& graph, const PassSettings& settings);
void fuse_bias(Graph& graph, const PassSettings& settings);
void fuse_activation(Graph& graph, const PassSettings& settings);
void fuse_residual_layernorm(Graph& graph, const PassSettings& settings);
void assign_formats(Graph& graph, const PassSettings& settings);
void integer_attention(Graph& graph, const PassSettings& settings);
void fuse_norm_quantization(Graph& graph, const PassSettings& settings);
void fuse_linear_quantization(Graph& graph, const PassSettings& settings);
void fuse_gate_quantization(Graph& graph, const PassSettings& settings);
void copy_outputs(Graph& graph, const PassSettings& settings);
void remove_dead_nodes(Graph& graph, const PassSettings& settings);

}  // namespace nybble::graph
