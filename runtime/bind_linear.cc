// Products with weights.
#include "runtime/step_binder.h"

namespace nybble::runtime {

void StepBinder::linear() {
  const std::string& format = graph::text(node_, "format");
  step_.description.format = format == "exact_f32" ? "f32" : format;
  const graph::Value& weight = value(node_.inputs[1]);
  step_.description.macs_per_token =
      static_cast<double>(weight.shape[0].size) * static_cast<double>(weight.shape[1].size);
  if (node_.inputs.size() == 3) step_.description.op += "+bias";
  if (graph::has(node_, "activation")) step_.description.op += "+" + graph::text(node_, "activation");
  if (graph::has(node_, "gate")) step_.description.op += "+gate_" + graph::text(node_, "gate");
  if (graph::is_integer(node_)) {
    linear_integer();
  } else if (format == "exact_f32") {
    linear_exact();
  } else {
    linear_f32();
  }
}

void StepBinder::linear_integer() {
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

void StepBinder::quantized_linear(QuantizedLinear::Product product, const kernels::GemmArgs& weights) {
  if (graph::has(node_, "gate")) {
    const QuantizedGate::Gate gate = gate_kernel(graph::text(node_, "gate"));
    const bool up_first = graph::integer(node_, "up_first") == 1;
    return run_to_codes(QuantizedGate(binding_.kernels, product, weights, gate, up_first));
  }
  run_to_codes(QuantizedLinear(binding_.kernels, product, weights, graph::text(node_, "activation")));
}

template <class Linear>
void StepBinder::run_to_codes(const Linear& linear) {
  step_.description.op += "+quantize";
  step_.own_bytes = linear.own_bytes();
  // One block is a whole row: tasks share out rows.
  step_.panels = linear.blocks() > 1 ? linear.blocks() : 0;
  step_.run = [linear, x = home(node_.inputs[0]), to = home(node_.output)](const Task& task) {
    const QuantizedLinear::Rows rows{task.rows<std::uint8_t>(x.codes), task.rows<kernels::RowScale>(x.scales),
                                     task.end - task.begin};
    const QuantizedLinear::Result result{task.rows<std::uint8_t>(to.codes),
                                         static_cast<std::ptrdiff_t>(to.codes.row_bytes),
                                         task.rows<kernels::RowScale>(to.scales)};
    linear.run(rows, task.panel_begin, std::min(task.panel_end, linear.blocks()), result, task.own);
  };
}

void StepBinder::linear_f32() {
  const OnednnMatmul& matmul = *binding_.matmuls[index_];
  step_.description.kernel = matmul.name();
  step_.description.weight_bytes = matmul.bytes();
  step_.run = [&matmul, x = in(0), out = out(), n = width(), epilogue = epilogue()](const Task& task) {
    const int rows = task.end - task.begin;
    matmul.run(task.rows<float>(x), rows, task.rows<float>(out));
    if (epilogue) epilogue({task.rows<float>(out), stride(out), rows, n}, nullptr);
  };
}

void StepBinder::linear_exact() {
  named("linear_f32");
  const ExactLinear& weights = *binding_.exact[index_];
  step_.description.weight_bytes = weights.bytes();
  kernels::LinearArgs args = weights.args();
  args.ldx = stride(in(0));
  args.ldy = stride(out());
  step_.run = [run = binding_.kernels.linear_f32, args, x = in(0), out = out(),
               epilogue = epilogue()](const Task& task) {
    kernels::LinearArgs call = args;
    call.x = task.rows<float>(x);
    call.y = task.rows<float>(out);
    call.m = task.end - task.begin;
    run(call);
    if (epilogue) epilogue({call.y, call.ldy, call.m, call.n}, nullptr);
  };
}

kernels::TileEpilogue StepBinder::epilogue() const {
  return graph::has(node_, "activation") ? activation_kernel(graph::text(node_, "activation")) : nullptr;
}

}  // namespace nybble::runtime
