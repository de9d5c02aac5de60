// The weights of a graph as a plan uses them: vectors and tables in FP32, linears packed.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "graph/ir.h"
#include "quant/packed_linear.h"
#include "runtime/onednn_matmul.h"
#include "runtime/safetensors.h"

namespace nybble::runtime {

/// Reads weights of `graph` out of the files. F32 tensors that are aligned stay where the file is mapped;
/// others are converted into memory of its own. Not thread-safe while it grows; what it gave out may be read
/// by any thread.
class Constants {
 public:
  Constants(const graph::Graph& graph, const Weights& weights) : graph_(graph), weights_(weights) {}

  /// The values of a weight, row-major, for as long as this object lives.
  std::span<const float> f32(graph::ValueId weight);
  /// Bytes that f32() has given out so far, mapped or not.
  std::size_t f32_bytes() const { return f32_bytes_; }

  /// The values of a weight in `scratch` or, where they stand in the file as they are, there. Thread-safe.
  std::span<const float> read(graph::ValueId weight, std::vector<float>& scratch) const;
  /// Rows [begin, end) of a weight of two extents, likewise.
  std::span<const float> read_rows(graph::ValueId weight, int begin, int end,
                                   std::vector<float>& scratch) const;
  /// Gives back the pages of a weight that was read for the last time. Thread-safe.
  void release(graph::ValueId weight) const;

 private:
  const graph::Value& value(graph::ValueId weight) const {
    return graph_.values[static_cast<std::size_t>(weight)];
  }

  const graph::Graph& graph_;
  const Weights& weights_;
  std::map<graph::ValueId, std::vector<float>> converted_;
  std::map<graph::ValueId, std::span<const float>> given_;
  std::size_t f32_bytes_ = 0;
};

}  // namespace nybble::runtime
