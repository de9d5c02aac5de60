// Attention within each sequence.
#include "runtime/step_binder.h"

namespace nybble::runtime {

const DistanceBias* StepBinder::distance_bias(int heads) {
  const std::string& position = graph::text(node_, "position");
  if (position == "none") return nullptr;
  step_.description.op += "+" + position;
  if (position == "disentangled") return nullptr;
  if (position == "alibi") return &binding_.positions.alibi(heads);
  const ValueId table = node_.inputs.back();
  return &binding_.positions.buckets(value(table).name, binding_.constants.f32(table), heads,
                                     static_cast<int>(graph::integer(node_, "max_distance")));
}

void StepBinder::attention() {
  const bool is_integer = graph::is_integer(node_);
  step_.description.format = is_integer ? "int8" : "f32";
  named(is_integer ? "attention_s8" : "attention_f32");
  const int heads = static_cast<int>(graph::integer(node_, "heads"));
  kernels::AttentionArgs args{};
  args.head_dim = static_cast<int>(graph::integer(node_, "head_dim"));
  args.scale = static_cast<float>(graph::number(node_, "scale"));
  // Q, K and V, Q and KV, or QKV: each stands in the last input unless it has one of its own.
  const DistanceBias* bias = distance_bias(heads);
  const std::size_t inputs = node_.inputs.size() - graph::position_inputs(node_);
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
  args.ld_bias = -1;
  const int longest = binding_.longest, window = static_cast<int>(graph::integer(node_, "window"));
  if (window > 0) args.window = window;
  step_.description.window = window;
  step_.own_bytes =
      is_integer ? kernels::attention_s8_scratch_bytes(longest, args.head_dim, args.window)
                 : sizeof(float) * kernels::attention_scratch_floats(longest, args.head_dim, args.window);
  const auto entry = is_integer ? binding_.kernels.attention_s8 : binding_.kernels.attention_f32;
  const RelativeAttention* relative = binding_.relative[index_];
  const std::size_t relative_own = (step_.own_bytes + 63) / 64 * 64;
  if (relative != nullptr) {
    step_.own_bytes = relative_own + relative->own_bytes();
    step_.description.weight_bytes = relative->bytes();
    step_.description.macs_per_position = relative->macs_per_position();
    step_.description.positions = relative->positions();
  }
  step_.run = [run = entry, args, relative, relative_own, bias, heads, q, k, v, k_offset, v_offset, first,
               q_by_sequence, out = out()](const Task& task) {
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
      call.bias = bias == nullptr ? nullptr : bias->of(i % heads);
      if (task.batch.key_bias != nullptr) {  // of every query the same; no encoder with a bias has it
        call.bias = task.batch.key_bias + row;
        call.ld_bias = 0;
      }
      if (relative == nullptr) {
        run(call);
      } else {
        relative->run(run, call, i % heads, task.own + relative_own);
      }
    }
  };
}

}  // namespace nybble::runtime
