// A model on the threads of one NUMA node, with the weights there; and a batch on those of several.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "nybble/nybble.h"
#include "runtime/lowering.h"
#include "runtime/numa.h"
#include "runtime/scheduler.h"
#include "runtime/workspace_pool.h"

namespace nybble::runtime {

struct NodeModel {
  /// Lowers `graph` on the node's threads, which so have its weights near. Up to `calls` calls compute at a
  /// time. What lower() throws.
  NodeModel(const NodeThreads& threads, const graph::Graph& graph, const Weights& weights,
            const LoweringOptions& options, int calls);

  /// Runs the plan on `batch`, with a workspace from the pool.
  void run(const Batch& batch, const EncodeOptions& options);

  Scheduler scheduler;
  LoweredModel lowered;
  WorkspacePool workspaces;
};

/// Runs `batch` on the node that has least to do, or, where it has work for all threads and they are idle, a
/// part of it on each. Any number of threads may call it. Rethrows what a part threw, after all have ended.
void run_on_nodes(std::span<const std::unique_ptr<NodeModel>> nodes, const Batch& batch,
                  const EncodeOptions& options);

/// Where to cut a batch: shares.size() + 1 sequences from 0 on, between which lie tokens as nearly in
/// proportion to `shares` as whole sequences can.
std::vector<int> cut_batch(const Batch& batch, const std::vector<int>& shares);

}  // namespace nybble::runtime
