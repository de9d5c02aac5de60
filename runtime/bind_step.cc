#include "runtime/bind_step.h"

#include "graph/text.h"
#include "runtime/step_binder.h"

namespace nybble::runtime {

Step bind_step(const Binding& binding, std::size_t index) { return StepBinder(binding, index).bind(); }

Step StepBinder::bind() {
  step_.description.op = std::string(graph::op_name(node_.op));
  step_.description.shape = shape_text();
  count_bytes();
  bind_op();
  return std::move(step_);
}

void StepBinder::bind_op() {
  switch (node_.op) {
    case Op::embed_sum:
      return embed_sum();
    case Op::layernorm:
      return layernorm();
    case Op::linear:
      return linear();
    case Op::add_bias:
      return add_bias();
    case Op::add:
      return add();
    case Op::activation:
      return activation();
    case Op::gate:
      return gate();
    case Op::rotary:
      return rotary();
    case Op::attention:
      return attention();
    case Op::quantize_rows:
      return quantize_rows();
    case Op::pool:
      return pool();
    case Op::concat:
      return concat();
    case Op::unfold:
      return unfold();
    case Op::copy:
      return copy();
    case Op::l2_normalize:
      return l2_normalize();
  }
}

std::string StepBinder::shape_text() const {
  std::string text;
  for (const ValueId input : node_.inputs) {
    if (value(input).kind == graph::ValueKind::weight && node_.op != Op::linear) continue;
    if (value(input).shape.size() < 2 && value(input).kind == graph::ValueKind::weight) continue;
    text += (text.empty() ? "" : " × ") + graph::print_type(value(input).type, value(input).shape);
  }
  return text + " -> " + graph::print_type(value(node_.output).type, value(node_.output).shape);
}

void StepBinder::named(const char* entry) {
  step_.description.kernel = std::string(entry) + "_" + binding_.kernels.name;
}

void StepBinder::count_bytes() {
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

void StepBinder::add_pass(ValueId id, bool writes, bool codes) {
  const ValueHome& at = home(id);
  const bool first_rows =
      node_.op == Op::pool && (graph::text(node_, "mode") == "cls" || graph::text(node_, "mode") == "last");
  const bool per_sequence = first_rows || value(id).shape[0].kind == graph::Extent::Kind::sequences;
  const std::size_t bytes = codes ? at.codes.row_bytes + at.scales.row_bytes : at.data.row_bytes;
  StepDescription& description = step_.description;
  (per_sequence ? description.bytes_per_sequence : description.bytes_per_token) += bytes;
  description.passes.push_back({value(id).name, writes, codes, per_sequence, bytes});
}

}  // namespace nybble::runtime
