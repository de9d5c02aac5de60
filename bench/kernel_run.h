// The measurements of `nybble bench kernels`: what is asked for, and each part of it.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/layer_shapes.h"
#include "bench/record.h"
#include "kernels/kernel_set.h"

namespace nybble::bench {

struct KernelPlan {
  std::vector<std::string> sets;   ///< instruction sets, by name
  std::vector<std::string> ops;    ///< names that operation_names() lists; empty: all
  std::vector<LayerShape> shapes;  ///< for the products
  std::vector<int> rows;           ///< M
  int rounds = 9;
  bool stream = false;      ///< weights beyond the last cache instead of hot ones
  bool bandwidths = false;  ///< the read bandwidth of each cache and of memory, too

  bool wants(std::string_view name) const;
};

using Sink = std::function<void(const Record&)>;

/// Every entry of a KernelSet and variant of a product that may be named: products first.
std::vector<std::string> operation_names();

/// Records of kind `done` that each set of this plan gives.
int operation_count(const KernelPlan& plan);

/// Measures each set in a process of its own, since oneDNN's instruction set is chosen once a process, and
/// hands the records over as they come. The calling process must have one thread. Throws Error for a wrong
/// result, and for a process that died.
void measure_kernels(const KernelPlan& plan, const Sink& sink);

/// The parts, on the calling thread. FloatEnvironment is the caller's.
void measure_products(const kernels::KernelSet& set, const KernelPlan& plan, const Sink& sink);
void measure_streams(const kernels::KernelSet& set, const KernelPlan& plan, const Sink& sink);
void measure_entries(const kernels::KernelSet& set, const KernelPlan& plan, const Sink& sink);
void measure_bandwidths(const kernels::KernelSet& set, const KernelPlan& plan, const Sink& sink);

}  // namespace nybble::bench
