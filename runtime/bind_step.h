// One node of a graph as one step of a plan.
#pragma once

#include "graph/ir.h"
#include "runtime/lowering.h"
#include "runtime/plan.h"
#include "runtime/position_tables.h"
#include "runtime/relative_attention.h"
#include "runtime/value_homes.h"

namespace nybble::runtime {

/// What a node is bound with.
struct Binding {
  const graph::Graph& graph;
  const std::vector<ValueHome>& homes;
  const kernels::KernelSet& kernels;
  Constants& constants;
  /// By node: the packed weights of a linear in integers, the primitives of an f32 one, the floats of an
  /// exact_f32 one.
  const std::vector<const quant::PackedLinear*>& packed;
  const std::vector<const OnednnMatmul*>& matmuls;
  const std::vector<const ExactLinear*>& exact;
  PositionTables& positions;
  const std::vector<const RelativeAttention*>& relative;  ///< by node, of those that are disentangled
  int longest;                                            ///< most tokens of a sequence
};

/// Binds node `index`. Throws Error{unsupported_model} for what has no kernel.
Step bind_step(const Binding& binding, std::size_t index);

}  // namespace nybble::runtime
