#include "runtime/numa.h"

#include <oneapi/tbb/info.h>

#include <algorithm>

namespace nybble::runtime {

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define NYBBLE_ADDRESS_SANITIZER
#endif
#endif

std::vector<NodeThreads> numa_nodes() {
#ifdef NYBBLE_ADDRESS_SANITIZER
  // TBB opens hwloc with RTLD_DEEPBIND, at which clang's sanitizer ends the process.
  return {{NodeThreads::kAnyNode, oneapi::tbb::info::default_concurrency()}};
#else
  std::vector<NodeThreads> nodes;
  for (const oneapi::tbb::numa_node_id id : oneapi::tbb::info::numa_nodes())
    nodes.push_back({static_cast<int>(id), oneapi::tbb::info::default_concurrency(id)});
  return nodes;
#endif
}

std::vector<NodeThreads> share_threads(int threads, const std::vector<NodeThreads>& nodes) {
  int cpus = 0, most = 0;
  for (const NodeThreads& node : nodes) {
    cpus += node.threads;
    most = std::max(most, node.threads);
  }
  if (nodes.size() <= 1 || threads <= most) return {{NodeThreads::kAnyNode, threads}};
  std::vector<NodeThreads> shares;
  int cpus_before = 0, threads_before = 0;
  for (const NodeThreads& node : nodes) {
    cpus_before += node.threads;
    // What all nodes up to here get together is rounded: so no thread is lost.
    const int threads_here = threads * cpus_before / cpus - threads_before;
    if (threads_here > 0) shares.push_back({node.node, threads_here});
    threads_before += threads_here;
  }
  return shares;
}

}  // namespace nybble::runtime
