// Ops that treat each row by itself, but for products.
#include <algorithm>
#include <array>
#include <span>
#include <vector>

#include "nybble/error.h"
#include "runtime/step_binder.h"

namespace nybble::runtime {

const std::int32_t* Batch::*StepBinder::indices(ValueId id) const {
  const std::string& name = value(id).name;
  if (name == "ids") return &Batch::ids;
  if (name == "positions") return &Batch::positions;
  if (name == "types") return &Batch::types;
  throw Error(
      ErrorCode::unsupported_model,
      "graph " + binding_.graph.name + ": expected the inputs ids, positions and types, found %" + name);
}

void StepBinder::embed_sum() {
  named("embed_tables");
  struct Table {
    const std::int32_t* Batch::*indices;
    const float* values;
  };
  std::array<Table, kernels::kEmbedTables> tables{};
  const int count = static_cast<int>(node_.inputs.size() / 2);
  for (std::size_t i = 0; i < node_.inputs.size() / 2; ++i)
    tables[i] = {indices(node_.inputs[i]), weight(node_.inputs.size() / 2 + i)};
  step_.run = [run = binding_.kernels.embed_tables, tables, count, n = width(),
               out = out()](const Task& task) {
    kernels::EmbedTable rows[kernels::kEmbedTables] = {};
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
      rows[i].ids = task.batch.*tables[i].indices + task.begin;
      rows[i].values = tables[i].values;
    }
    run({rows, count, task.end - task.begin, n, task.rows<float>(out), stride(out)});
  };
}

void StepBinder::layernorm() {
  const bool has_residual = graph::has_residual(binding_.graph, node_);
  if (has_residual) step_.description.op += "+residual";
  named("layernorm");
  const std::size_t first_weight = has_residual ? 2 : 1;
  kernels::NormArgs args{};
  args.gamma = weight(first_weight);
  args.beta = node_.inputs.size() > first_weight + 1 ? weight(first_weight + 1) : nullptr;
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

kernels::TileEpilogue StepBinder::activation_kernel(const std::string& kind) const {
  if (kind == "gelu_erf") return binding_.kernels.gelu_erf;
  if (kind == "gelu_erf_q") return binding_.kernels.gelu_erf_q;
  if (kind == "gelu_tanh") return binding_.kernels.gelu_tanh;
  if (kind == "silu") return binding_.kernels.silu;
  if (kind == "sigmoid") return binding_.kernels.sigmoid;
  if (kind == "tanh") return binding_.kernels.tanh;
  return binding_.kernels.relu;
}

void StepBinder::activation() {
  const std::string& kind = graph::text(node_, "kind");
  step_.description.op += "+" + kind;
  named(kind.c_str());
  step_.run = [run = activation_kernel(kind), x = in(0), out = out(), n = width()](const Task& task) {
    copy_rows(task, x, out, n);
    run({task.rows<float>(out), stride(out), task.end - task.begin, n}, nullptr);
  };
}

QuantizedGate::Gate StepBinder::gate_kernel(const std::string& kind) const {
  if (kind == "silu") return binding_.kernels.gate_silu;
  return kind == "gelu_erf" ? binding_.kernels.gate_gelu_erf : binding_.kernels.gate_gelu_tanh;
}

void StepBinder::gate() {
  const std::string& kind = graph::text(node_, "kind");
  named(("gate_" + kind).c_str());
  const int n = width(), up_first = static_cast<int>(graph::integer(node_, "up_first"));
  step_.run = [run = gate_kernel(kind), x = in(0), out = out(), n, up_first](const Task& task) {
    const float* both = task.rows<float>(x);
    const float *gate = both + up_first * n, *up = both + (1 - up_first) * n;
    run({gate, up, stride(x), task.end - task.begin, n, task.rows<float>(out), stride(out), nullptr});
  };
}

void StepBinder::rotary() {
  named("rotary");
  const RotaryTable& table = binding_.positions.rotary(node_);
  kernels::RotaryArgs args{};
  args.heads = static_cast<int>(graph::integer(node_, "heads"));
  args.head_dim = static_cast<int>(graph::integer(node_, "head_dim"));
  args.rotary_dim = static_cast<int>(graph::integer(node_, "rotary_dim"));
  args.interleaved = graph::integer(node_, "interleaved") == 1;
  args.cos = table.cos.data();
  args.sin = table.sin.data();
  args.ldx = stride(out());
  const RotaryStretch stretch(node_);
  if (stretch.trained < binding_.longest) return stretched_rotary(args, stretch);
  step_.run = [run = binding_.kernels.rotary, args, x = in(0), out = out(), n = width()](const Task& task) {
    if (task.rows<float>(x) != task.rows<float>(out)) copy_rows(task, x, out, n);
    kernels::RotaryArgs call = args;
    call.x = task.rows<float>(out);
    call.m = task.end - task.begin;
    call.positions = task.batch.positions + task.begin;
    run(call);
  };
}

namespace {

/// Rows of a long sequence whose angles are made at a time.
constexpr int kAngledRows = 64;

/// Rows [begin, end) of a task, all of one sequence.
struct SequenceRows {
  int begin, end, length;
};

/// The first of them at row `begin` of the batch.
SequenceRows rows_at(const Task& task, int begin) {
  const std::int32_t* borders = task.batch.cu_seqlens;
  const std::int32_t* behind = std::upper_bound(borders, borders + task.batch.sequences + 1, begin);
  return {begin, std::min(task.end, static_cast<int>(*behind)), *behind - behind[-1]};
}

/// What the angles of such rows take: frequencies, and rows of cos and of sin.
constexpr std::size_t angle_floats(int rotary_dim) {
  return static_cast<std::size_t>(rotary_dim / 2) * (1 + 2 * kAngledRows);
}

/// Turns rows of one sequence, whose frequencies stand at the start of `own`, with angles made here.
void turn_stretched(void (*run)(const kernels::RotaryArgs&) noexcept, kernels::RotaryArgs args, int position,
                    float* own) {
  const std::ptrdiff_t pairs = args.rotary_dim / 2;
  const std::span<const float> frequencies(own, static_cast<std::size_t>(pairs));
  float *cos = own + pairs, *sin = cos + kAngledRows * pairs;
  args.cos = cos;
  args.sin = sin;
  args.positions = nullptr;
  args.first_position = 0;
  for (int left = args.m; left > 0; left -= args.m) {
    args.m = std::min(left, kAngledRows);
    for (int row = 0; row < args.m; ++row)
      rotary_angles(position + row, frequencies, cos + row * pairs, sin + row * pairs);
    run(args);
    args.x += args.m * args.ldx;
    position += args.m;
  }
}

}  // namespace

void StepBinder::stretched_rotary(const kernels::RotaryArgs& args, const RotaryStretch& stretch) {
  step_.description.op += "+stretch";
  step_.own_bytes = sizeof(float) * angle_floats(args.rotary_dim);
  const double theta = graph::number(node_, "theta");
  const double factor = graph::has(node_, "factor") ? graph::number(node_, "factor") : 1.0;
  step_.run = [run = binding_.kernels.rotary, args, stretch, theta, factor, x = in(0), out = out(),
               n = width()](const Task& task) {
    if (task.rows<float>(x) != task.rows<float>(out)) copy_rows(task, x, out, n);
    kernels::RotaryArgs call = args;
    call.x = task.rows<float>(out);
    for (int begin = task.begin; begin < task.end; begin += call.m, call.x += call.m * call.ldx) {
      const SequenceRows rows = rows_at(task, begin);
      call.m = rows.end - rows.begin;
      call.positions = task.batch.positions + begin;
      if (rows.length <= stretch.trained) {
        run(call);
        continue;
      }
      const double stretched = stretch.theta(theta, rows.length, args.rotary_dim);
      float* own = reinterpret_cast<float*>(task.own);
      rotary_frequencies(stretched, factor, {own, static_cast<std::size_t>(args.rotary_dim / 2)});
      turn_stretched(run, call, *call.positions, own);
    }
  };
}

void StepBinder::add_bias() {
  step_.description.kernel = "add_bias";
  step_.run = [bias = weight(1), x = in(0), out = out(), n = width()](const Task& task) {
    for_each_row(task, x, out, [&](const float* from, float* to) {
      for (int i = 0; i < n; ++i) to[i] = from[i] + bias[i];
    });
  };
}

void StepBinder::add() {
  step_.description.kernel = "add";
  step_.run = [x = in(0), y = in(1), out = out(), n = width()](const Task& task) {
    const float* other = task.rows<float>(y);
    for_each_row(task, x, out, [&](const float* from, float* to) {
      for (int i = 0; i < n; ++i) to[i] = from[i] + other[i];
      other += stride(y);
    });
  };
}

void StepBinder::quantize_rows() {
  named("quantize_rows_u8");
  step_.run = [run = binding_.kernels.quantize_rows_u8, x = in(0), out = home(node_.output),
               k = width()](const Task& task) {
    run(task.rows<float>(x), stride(x), task.end - task.begin, k, task.rows<std::uint8_t>(out.codes),
        static_cast<std::ptrdiff_t>(out.codes.row_bytes), task.rows<kernels::RowScale>(out.scales));
  };
}

void StepBinder::concat() {
  step_.description.kernel = "copy";
  struct Part {
    Location at;
    int columns;
  };
  std::vector<Part> parts;
  for (std::size_t i = 0; i < node_.inputs.size(); ++i) parts.push_back({in(i), columns(node_.inputs[i])});
  step_.run = [parts, out = out()](const Task& task) {
    for (int row = 0; row < task.end - task.begin; ++row) {
      float* to = task.rows<float>(out) + row * stride(out);
      for (const Part& part : parts)
        to = std::copy_n(task.rows<float>(part.at) + row * stride(part.at), part.columns, to);
    }
  };
}

void StepBinder::unfold() {
  step_.description.kernel = "copy";
  const int n = columns(node_.inputs[0]), kernel = static_cast<int>(graph::integer(node_, "kernel"));
  step_.run = [x = in(0), out = out(), n, kernel](const Task& task) {
    const std::int32_t* borders = task.batch.cu_seqlens;
    const std::int32_t* end = std::upper_bound(borders, borders + task.batch.sequences, task.begin);
    float* to = task.rows<float>(out);
    for (int row = task.begin; row < task.end; ++row, to += stride(out)) {
      while (*end <= row) ++end;
      for (int tap = 0; tap < kernel; ++tap) {
        const int other = row + tap - kernel / 2;
        const bool is_inside = other >= end[-1] && other < *end;
        const float* from = is_inside ? task.row<float>(x, other) : nullptr;
        for (int i = 0; i < n; ++i) to[i * kernel + tap] = is_inside ? from[i] : 0.0F;
      }
    }
  };
}

void StepBinder::copy() {
  step_.description.kernel = "copy";
  step_.run = [x = in(0), out = out(), n = width()](const Task& task) { copy_rows(task, x, out, n); };
}

}  // namespace nybble::runtime
