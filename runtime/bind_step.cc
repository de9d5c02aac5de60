#include "runtime/bind_step.h"

#include <algorithm>
#include <string>

#include "graph/text.h"
#include "nybble/error.h"
#include "runtime/quantized_linear.h"

namespace nybble::runtime {
namespace {

using graph::Node;
using graph::Op;
using graph::ValueId;
using kernels::KernelSet;

/// Binds one node: what it reads and writes, then the kernel.
class Binder {
 public:
  Binder(const Binding& binding, std::size_t index)
      : binding_(binding), index_(index), node_(binding.graph.nodes[index]) {}

  Step bind() {
    step_.description.op = std::string(graph::op_name(node_.op));
    step_.description.shape = shape_text();
    count_bytes();
    switch (node_.op) {
      case Op::embed_sum:
        embed_sum();
        break;
      case Op::layernorm:
        layernorm();
        break;
      case Op::linear:
        linear();
        break;
      case Op::add_bias:
        add_bias();
        break;
      case Op::add:
        add();
        break;
      case Op::activation:
        activation();
        break;
      case Op::attention:
        attention();
        break;
      case Op::quantize_rows:
        quantize_rows();
        break;
      case Op::pool:
        pool();
        break;
      case Op::l2_normalize:
        l2_normalize();
        break;
    }
    return std::move(step_);
  }

 private:
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

  std::string shape_text() const {
    std::string text;
    for (const ValueId input : node_.inputs) {
      if (value(input).kind == graph::ValueKind::weight && node_.op != Op::linear) continue;
      if (value(input).shape.size() < 2 && value(input).kind == graph::ValueKind::weight) continue;
      text += (text.empty() ? "" : " × ") + graph::print_type(value(input).type, value(input).shape);
    }
    return text + " -> " + graph::print_type(value(node_.output).type, value(node_.output).shape);
  }

  void named(const char* entry) {
    step_.description.kernel = std::string(entry) + "_" + binding_.kernels.name;
  }

  /// Rows of the values before and behind the node, and of the tables that it looks up.
  void count_bytes() {
    for (std::size_t i = 0; i < node_.inputs.size(); ++i) {
      const ValueId id = node_.inputs[i];
      if (value(id).kind == graph::ValueKind::result) {
        add_pass(id, false, reads_codes(binding_.graph, node_, i));
      } else if (value(id).kind == graph::ValueKind::weight && node_.op == Op::embed_sum) {
        step_.description.bytes_per_token += sizeof(float) * static_cast<std::size_t>(columns(id));
      }
    }
    const graph::ElementType type = value(node_.output).type;
    if (reads_as(type, graph::ElementType::f32)) add_pass(node_.output, true, false);
    if (reads_as(type, graph::ElementType::u8_rows)) add_pass(node_.output, true, true);
  }

  void add_pass(ValueId id, bool writes, bool codes) {
    const ValueHome& at = home(id);
    const bool first_rows = node_.op == Op::pool && graph::text(node_, "mode") == "cls";
    const bool per_sequence = first_rows || value(id).shape[0].kind == graph::Extent::Kind::sequences;
    const std::size_t bytes = codes ? at.codes.row_bytes + at.scales.row_bytes : at.data.row_bytes;
    StepDescription& description = step_.description;
    (per_sequence ? description.bytes_per_sequence : description.bytes_per_token) += bytes;
    description.passes.push_back({value(id).name, writes, codes, per_sequence, bytes});
  }

  // ---- one function an op ----

  void embed_sum() {
    named("embed_tables");
    step_.run = [run = binding_.kernels.embed_tables, word = weight(3), position = weight(4),
                 type = weight(5), n = width(), out = out()](const Task& task) {
      const Batch& batch = task.batch;
      const kernels::EmbedTable tables[] = {{batch.ids + task.begin, word},
                                            {batch.positions + task.begin, position},
                                            {batch.types + task.begin, type}};
      run({tables, 3, task.end - task.begin, n, task.rows<float>(out), stride(out)});
    };
  }

  void layernorm() {
    const bool has_residual = node_.inputs.size() == 4;
    if (has_residual) step_.description.op += "+residual";
    named("layernorm");
    const std::size_t first_weight = has_residual ? 2 : 1;
    kernels::NormArgs args{};
    args.gamma = weight(first_weight);
    args.beta = weight(first_weight + 1);
    args.epsilon = static_cast<float>(graph::number(node_, "epsilon"));
    args.n = width();
    args.ldx = stride(in(0));
    args.ldr = has_residual ? stride(in(1)) : 0;
    args.ldy = stride(out());
    const bool makes_codes = value(node_.output).type == graph::ElementType::f32_u8_rows;
    if (makes_codes) step_.description.op += "+quantize";
    args.ldq = static_cast<std::ptrdiff_t>(home(node_.output).codes.row_bytes);
    step_.run = [run = binding_.kernels.layernorm, args, x = in(0), residual = has_residual ? in(1) : in(0),
                 has_residual, makes_codes, out = out(), to = home(node_.output)](const Task& task) {
      kernels::NormArgs call = args;
      call.x = task.rows<float>(x);
      call.residual = has_residual ? task.rows<float>(residual) : nullptr;
      call.m = task.end - task.begin;
      call.y = task.rows<float>(out);
      call.q = makes_codes ? task.rows<std::uint8_t>(to.codes) : nullptr;
      call.rows = makes_codes ? task.rows<kernels::RowScale>(to.scales) : nullptr;
      run(call);
    };
  }

  void linear() {
    step_.description.format = graph::text(node_, "format");
    step_.description.macs_per_token = static_cast<double>(columns(node_.inputs[1])) * width();
    if (node_.inputs.size() == 3) step_.description.op += "+bias";
    if (graph::has(node_, "activation")) step_.description.op += "+" + graph::text(node_, "activation");
    if (graph::is_integer(node_)) {
      linear_integer();
    } else {
      linear_f32();
    }
  }

  void linear_integer() {
    const quant::PackedLinear& weights = *binding_.packed[index_];
    const auto product = binding_.kernels.*weights.format().product;
    named(weights.format().entry.data());
    step_.description.weight_bytes = weights.bytes();
    kernels::GemmArgs args{};
    args.b = weights.data();
    args.format = weights.format().pack;
    args.n = weights.n();
    args.k = weights.k();
    args.panel_end = kernels::panel_count(args.n);
    args.lda = static_cast<std::ptrdiff_t>(home(node_.inputs[0]).codes.row_bytes);
    if (value(node_.output).type == graph::ElementType::u8_rows) return quantized_linear(product, args);
    step_.panels = args.panel_end;
    args.ldc = stride(out());
    args.epilogue = epilogue();
    step_.run = [run = product, args, x = home(node_.inputs[0]), panels = step_.panels,
                 out = out()](const Task& task) {
      kernels::GemmArgs call = args;
      call.panel_begin = task.panel_begin;
      call.panel_end = std::min(task.panel_end, panels);
      call.a = task.rows<std::uint8_t>(x.codes);
      call.rows = task.rows<kernels::RowScale>(x.scales);
      call.m = task.end - task.begin;
      call.c = task.rows<float>(out);
      run(call);
    };
  }

  void quantized_linear(QuantizedLinear::Product product, const kernels::GemmArgs& weights) {
    const QuantizedLinear linear(binding_.kernels, product, weights, graph::text(node_, "activation"));
    step_.description.op += "+quantize";
    step_.own_bytes = linear.own_bytes();
    // One block is a whole row: tasks share out rows.
    step_.panels = linear.blocks() > 1 ? linear.blocks() : 0;
    step_.run = [linear, x = home(node_.inputs[0]), to = home(node_.output)](const Task& task) {
      const QuantizedLinear::Rows rows{task.rows<std::uint8_t>(x.codes),
                                       task.rows<kernels::RowScale>(x.scales), task.end - task.begin};
      const QuantizedLinear::Result result{task.rows<std::uint8_t>(to.codes),
                                           static_cast<std::ptrdiff_t>(to.codes.row_bytes),
                                           task.rows<kernels::RowScale>(to.scales)};
      linear.run(rows, task.panel_begin, std::min(task.panel_end, linear.blocks()), result, task.own);
    };
  }

  void linear_f32() {
    const OnednnMatmul& matmul = *binding_.matmuls[index_];
    step_.description.kernel = matmul.name();
    step_.description.weight_bytes = matmul.bytes();
    step_.run = [&matmul, x = in(0), out = out(), n = width(), epilogue = epilogue()](const Task& task) {
      const int rows = task.end - task.begin;
      matmul.run(task.rows<float>(x), rows, task.rows<float>(out));
      if (epilogue) epilogue({task.rows<float>(out), stride(out), rows, n}, nullptr);
    };
  }

  kernels::TileEpilogue epilogue() const {
    return graph::has(node_, "activation") ? activation_kernel(graph::text(node_, "activation")) : nullptr;
  }

  kernels::TileEpilogue activation_kernel(const std::string& kind) const {
    if (kind == "gelu_erf") return binding_.kernels.gelu_erf;
    if (kind == "gelu_erf_q") return binding_.kernels.gelu_erf_q;
    if (kind == "gelu_tanh") return binding_.kernels.gelu_tanh;
    return binding_.kernels.relu;
  }

  void activation() {
    const std::string& kind = graph::text(node_, "kind");
    step_.description.op += "+" + kind;
    named(kind.c_str());
    step_.run = [run = activation_kernel(kind), x = in(0), out = out(), n = width()](const Task& task) {
      copy_rows(task, x, out, n);
      run({task.rows<float>(out), stride(out), task.end - task.begin, n}, nullptr);
    };
  }

  void add_bias() {
    step_.description.kernel = "add_bias";
    step_.run = [bias = weight(1), x = in(0), out = out(), n = width()](const Task& task) {
      for_each_row(task, x, out, [&](const float* from, float* to) {
        for (int i = 0; i < n; ++i) to[i] = from[i] + bias[i];
      });
    };
  }

  void add() {
    step_.description.kernel = "add";
    step_.run = [x = in(0), y = in(1), out = out(), n = width()](const Task& task) {
      const float* other = task.rows<float>(y);
      for_each_row(task, x, out, [&](const float* from, float* to) {
        for (int i = 0; i < n; ++i) to[i] = from[i] + other[i];
        other += stride(y);
      });
    };
  }

  void attention() {
    if (graph::text(node_, "position") != "none" || graph::integer(node_, "window") != 0) {
      throw Error(ErrorCode::unsupported_model,
                  "%" + value(node_.output).name +
                      ": attention has kernels for position = \"none\" and window = 0 only");
    }
    const bool is_integer = graph::is_integer(node_);
    step_.description.format = is_integer ? "int8" : "f32";
    named(is_integer ? "attention_s8" : "attention_f32");
    const int heads = static_cast<int>(graph::integer(node_, "heads"));
    kernels::AttentionArgs args{};
    args.head_dim = static_cast<int>(graph::integer(node_, "head_dim"));
    args.scale = static_cast<float>(graph::number(node_, "scale"));
    // Q, K and V, Q and KV, or QKV: each stands in the last input unless it has one of its own.
    const std::size_t inputs = node_.inputs.size();
    const std::ptrdiff_t hidden = width();
    const Location q = in(0), k = in(std::min<std::size_t>(1, inputs - 1)), v = in(inputs - 1);
    const std::ptrdiff_t k_offset = inputs == 1 ? hidden : 0;
    const std::ptrdiff_t v_offset = static_cast<std::ptrdiff_t>(3 - inputs) * hidden;
    const bool first = graph::has(node_, "queries") && graph::text(node_, "queries") == "first";
    const bool q_by_sequence = first && inputs > 1;
    if (first) step_.description.op += "+first";
    (first ? step_.description.macs_per_key : step_.description.macs_per_pair) = 2.0 * heads * args.head_dim;
    args.ldq = stride(q);
    args.ldk = stride(k);
    args.ldv = stride(v);
    args.ldo = stride(out());
    const int longest = binding_.longest;
    step_.own_bytes = is_integer ? kernels::attention_s8_scratch_bytes(longest, args.head_dim)
                                 : sizeof(float) * kernels::attention_scratch_floats(longest, args.head_dim);
    const auto entry = is_integer ? binding_.kernels.attention_s8 : binding_.kernels.attention_f32;
    step_.run = [run = entry, args, heads, q, k, v, k_offset, v_offset, first, q_by_sequence,
                 out = out()](const Task& task) {
      const int sequence = task.begin / heads;
      const int row = task.batch.cu_seqlens[sequence];
      kernels::AttentionArgs call = args;
      call.length = task.batch.cu_seqlens[sequence + 1] - row;
      call.row_begin = task.query_begin;
      call.row_end = std::min(task.query_end, first ? 1 : call.length);
      if (call.row_begin >= call.row_end) return;
      call.scratch = reinterpret_cast<float*>(task.own);
      for (int i = task.begin; i < task.end; ++i) {
        const std::ptrdiff_t column = static_cast<std::ptrdiff_t>(i % heads) * args.head_dim;
        call.q = task.row<float>(q, q_by_sequence ? sequence : row) + column;
        call.k = task.row<float>(k, row) + k_offset + column;
        call.v = task.row<float>(v, row) + v_offset + column;
        call.out = task.row<float>(out, first ? sequence : row) + column;
        run(call);
      }
    };
  }

  void quantize_rows() {
    named("quantize_rows_u8");
    step_.run = [run = binding_.kernels.quantize_rows_u8, x = in(0), out = home(node_.output),
                 k = width()](const Task& task) {
      run(task.rows<float>(x), stride(x), task.end - task.begin, k, task.rows<std::uint8_t>(out.codes),
          static_cast<std::ptrdiff_t>(out.codes.row_bytes), task.rows<kernels::RowScale>(out.scales));
    };
  }

  void pool() {
    const std::string& mode = graph::text(node_, "mode");
    step_.description.op += "+" + mode;
    if (mode == "mean") {
      named("mean_pool");
    } else {
      step_.description.kernel = "copy";
    }
    step_.run = [run = binding_.kernels.mean_pool, is_mean = mode == "mean", x = in(0), out = out(),
                 n = width()](const Task& task) {
      for (int sequence = task.begin; sequence < task.end; ++sequence) {
        const int row = task.batch.cu_seqlens[sequence];
        const int length = is_mean ? task.batch.cu_seqlens[sequence + 1] - row : 1;
        float* to = task.rows<float>(out) + (sequence - task.begin) * stride(out);
        const float* from = task.row<float>(x, row);
        if (is_mean) {
          run(from, stride(x), length, n, to);
        } else {
          std::copy_n(from, n, to);
        }
      }
    };
  }

  void l2_normalize() {
    named("l2_normalize");
    step_.run = [run = binding_.kernels.l2_normalize, x = in(0), out = out(), n = width()](const Task& task) {
      for_each_row(task, x, out, [&](const float* from, float* to) { run(from, n, to); });
    };
  }

  // ---- rows ----

  template <class Body>
  static void for_each_row(const Task& task, const Location& x, const Location& out, Body&& body) {
    const float* from = task.rows<float>(x);
    float* to = task.rows<float>(out);
    for (int row = task.begin; row < task.end; ++row, from += stride(x), to += stride(out)) body(from, to);
  }

  static void copy_rows(const Task& task, const Location& x, const Location& out, int n) {
    for_each_row(task, x, out, [n](const float* from, float* to) { std::copy_n(from, n, to); });
  }

  const Binding& binding_;
  std::size_t index_;
  const Node& node_;
  Step step_;
};

}  // namespace

Step bind_step(const Binding& binding, std::size_t index) { return Binder(binding, index).bind(); }

}  // namespace nybble::runtime
