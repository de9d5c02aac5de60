// Which threads run on which NUMA node.
#pragma once

#include <vector>

namespace nybble::runtime {

/// Threads that stay on one NUMA node.
struct NodeThreads {
  static constexpr int kAnyNode = -1;
  int node = kAnyNode;  ///< as TBB numbers them, or threads that may run anywhere
  int threads = 1;
};

/// The NUMA nodes on which this process may run, with its CPUs there (by hwloc, through TBB). One entry where
/// hwloc is missing or the machine is no NUMA machine. At least one.
std::vector<NodeThreads> numa_nodes();

/// Shares `threads` out among `nodes` by their CPUs: at most one entry a node, none without threads. Threads
/// for which one node has CPUs enough are not shared out: they may run anywhere. Nor are those of one node.
std::vector<NodeThreads> share_threads(int threads, const std::vector<NodeThreads>& nodes);

}  // namespace nybble::runtime
