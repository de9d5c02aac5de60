// From a graph to a Plan: every node bound to a kernel or a oneDNN primitive, every value to a place in
// memory.
#pragma once

#include <memory>
#include <vector>

#include "graph/ir.h"
#include "kernels/kernel_set.h"
#include "quant/pages.h"
#include "runtime/constants.h"
#include "runtime/exact_linear.h"
#include "runtime/plan.h"
#include "runtime/position_tables.h"
#include "runtime/relative_attention.h"
#include "runtime/scheduler.h"

namespace nybble::runtime {

struct LoweringOptions {
  const kernels::KernelSet* kernels = nullptr;
  int max_tokens = 0;                           ///< most tokens of a batch
  int longest = 0;                              ///< most tokens of a sequence
  std::size_t l2_bytes = std::size_t{1} << 20;  ///< of one core: blocks of rows are made to fit
  std::size_t l3_bytes = std::size_t{1} << 25;  ///< of the last level of cache
};

/// A plan and what its steps point at. Movable. The graph and the weight files must outlive it.
struct LoweredModel {
  Plan plan;
  std::unique_ptr<Constants> constants;
  std::unique_ptr<PositionTables> positions;
  quant::Pages pages;  ///< in which `packed` lie, one after the other
  std::vector<std::unique_ptr<quant::PackedLinear>> packed;
  std::vector<std::unique_ptr<OnednnMatmul>> matmuls;
  std::vector<std::unique_ptr<RelativeAttention>> relative;
  std::vector<std::unique_ptr<ExactLinear>> exact;
  std::size_t linear_bytes = 0;  ///< of packed, matmuls, relative and exact
  std::size_t table_bytes = 0;   ///< of everything else
};

/// Lowers a verified graph to which all passes were applied that its formats need. Quantizes and packs on
/// `scheduler`'s threads and gives the FP32 pages back. Throws Error{unsupported_model} for weights
/// in integers that are not finite.
LoweredModel lower(const graph::Graph& graph, const Weights& weights, const LoweringOptions& options,
                   const Scheduler& scheduler);

}  // namespace nybble::runtime
