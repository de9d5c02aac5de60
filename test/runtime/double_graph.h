// Runs a graph in double precision, straight from what its ops say: the oracle of the lowering.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "graph/ir.h"

namespace nybble::test {

/// Rows of a value, [rows][columns].
struct Rows {
  std::size_t columns = 0;
  std::vector<double> values;
  std::size_t count() const { return values.size() / columns; }
  double* operator[](std::size_t row) { return values.data() + row * columns; }
  const double* operator[](std::size_t row) const { return values.data() + row * columns; }
};

struct DoubleInputs {
  std::vector<std::int32_t> ids, positions, types, cu_seqlens;
};

/// The rows of the graph's only output. `weights`: by the name of a tensor. f32 graphs of the encoder's ops.
Rows run_in_double(const graph::Graph& graph, const std::map<std::string, std::vector<float>>& weights,
                   const DoubleInputs& inputs);

}  // namespace nybble::test
