// Binds one node of a graph: what every op needs, and one function an op. The functions stand in
// bind_linear.cc, bind_attention.cc, bind_rows.cc and bind_pooling.cc.
#pragma once

#include <algorithm>
#include <string>

#include "runtime/bind_step.h"
#include "runtime/quantized_gate.h"
#include "runtime/quantized_linear.h"

namespace nybble::runtime {

/// Used once: bind() gives the step away.
class StepBinder {
 public:
  StepBinder(const Binding& binding, std::size_t index)
      : binding_(binding), index_(index), node_(binding.graph.nodes[index]) {}

  Step bind();

 private:
  using Node = graph::Node;
  using Op = graph::Op;
  using ValueId = graph::ValueId;
  using KernelSet = kernels::KernelSet;

  // ---- what the node names ----

  const graph::Value& value(ValueId id) const { return binding_.graph.values[static_cast<std::size_t>(id)]; }
  const ValueHome& home(ValueId id) const { return binding_.homes[static_cast<std::size_t>(id)]; }
  Location in(std::size_t i) const { return home(node_.inputs[i]).data; }
  Location out() const { return home(node_.output).data; }
  int columns(ValueId id) const { return static_cast<int>(value(id).shape[1].size); }
  int width() const { return columns(node_.output); }
  const float* weight(std::size_t i) const { return binding_.constants.f32(node_.inputs[i]).data(); }
  static std::ptrdiff_t stride(const Location& location) {
    return static_cast<std::ptrdiff_t>(location.row_bytes / sizeof(float));
  }
  std::string shape_text() const;
  void named(const char* entry);
  /// Rows of the values before and behind the node, and of the tables that it looks up.
  void count_bytes();
  void add_pass(ValueId id, bool writes, bool codes);

  // ---- ops ----

  void bind_op();

  /// Where a batch has the graph's input %`name`.
  const std::int32_t* Batch::*indices(ValueId id) const;
  void embed_sum();
  void layernorm();
  kernels::TileEpilogue activation_kernel(const std::string& kind) const;
  void activation();
  QuantizedGate::Gate gate_kernel(const std::string& kind) const;
  void gate();
  void rotary();
  void stretched_rotary(const kernels::RotaryArgs& args, const RotaryStretch& stretch);
  void add_bias();
  void add();
  void quantize_rows();
  void concat();
  void unfold();
  void copy();

  void linear();
  void linear_integer();
  void quantized_linear(QuantizedLinear::Product product, const kernels::GemmArgs& weights);
  /// The step of a QuantizedLinear or a QuantizedGate.
  template <class Linear>
  void run_to_codes(const Linear& linear);
  void linear_f32();
  void linear_exact();
  kernels::TileEpilogue epilogue() const;

  /// The biases that attention adds to its scores, or null.
  const DistanceBias* distance_bias(int heads);
  void attention();

  void pool();
  bool skips_prompt() const { return graph::has(node_, "skip_prompt"); }
  /// `sqrt_len`: the result times the root of the number of tokens.
  void pool_all(const char* name, decltype(KernelSet::mean_pool) entry, bool sqrt_len = false);
  void pool_weighted();
  void pool_one(bool last);
  void l2_normalize();

  // ---- rows ----

  template <class Body>
  static void for_each_row(const Task& task, const Location& x, const Location& out, Body&& body) {
    const float* from = task.rows<float>(x);
    float* to = task.rows<float>(out);
    for (int row = task.begin; row < task.end; ++row, from += stride(x), to += stride(out)) body(from, to);
  }

  /// Each sequence of the task: its first row of `x` that counts, how many stand before that, how many do
  /// count, and its row of `out`.
  template <class Body>
  static void for_each_sequence(const Task& task, const Location& x, const Location& out, bool skips_prompt,
                                Body&& body) {
    const Batch& batch = task.batch;
    for (int sequence = task.begin; sequence < task.end; ++sequence) {
      const int skipped = skips_prompt && batch.pool_from != nullptr ? batch.pool_from[sequence] : 0;
      const int row = batch.cu_seqlens[sequence] + skipped;
      body(task.row<float>(x, row), skipped, batch.cu_seqlens[sequence + 1] - row,
           task.rows<float>(out) + (sequence - task.begin) * stride(out));
    }
  }

  static void copy_rows(const Task& task, const Location& x, const Location& out, int n) {
    for_each_row(task, x, out, [n](const float* from, float* to) { std::copy_n(from, n, to); });
  }

  const Binding& binding_;
  std::size_t index_;
  const Node& node_;
  Step step_;
};

}  // namespace nybble::runtime
