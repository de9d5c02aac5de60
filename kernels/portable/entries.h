// The float entries of a set, all from the vector type of its registers.
#pragma once

#include "kernels/portable/attention_f32.h"
#include "kernels/portable/epilogues.h"
#include "kernels/portable/linear.h"
#include "kernels/portable/norms.h"
#include "kernels/portable/pack.h"
#include "kernels/portable/quantize.h"
#include "kernels/portable/quantize_activated.h"
#include "kernels/portable/relative.h"
#include "kernels/portable/rotary.h"
#include "kernels/portable/rows.h"
#include "kernels/portable/softmax.h"

namespace nybble::kernels {

/// A set with every portable entry on V; its products are left to isa/NAME.cc.
template <class V>
constexpr KernelSet portable_entries(const char* name) {
  KernelSet set{};
  set.name = name;
  set.linear_f32 = linear_f32<V>;
  set.quantize_rows_u8 = quantize_rows_u8<V>;
  set.quantize_rows_u4 = quantize_rows_u4<V>;
  set.quantize_ranged_u8 = quantize_ranged_u8<V>;
  set.gelu_quantize_rows_u8 = activate_quantize_rows_u8<V, gelu_erf_q_ranged<V>>;
  set.absmax = absmax<V>;
  set.pack = pack<V>;
  set.unpack = unpack<V>;
  set.gelu_erf = each<V, gelu_erf<V>>;
  set.gelu_erf_q = each<V, gelu_erf_q<V>>;
  set.gelu_tanh = each<V, gelu_tanh<V>>;
  set.relu = each<V, relu<V>>;
  set.silu = each<V, silu<V>>;
  set.sigmoid = each<V, sigmoid<V>>;
  set.tanh = each<V, tanh<V>>;
  set.add_residual = add_residual<V>;
  set.gate_silu = multiply_gate<V, silu<V>>;
  set.gate_gelu_erf = multiply_gate<V, gelu_erf<V>>;
  set.gate_gelu_tanh = multiply_gate<V, gelu_tanh<V>>;
  set.layernorm = norm<V, true>;
  set.rmsnorm = norm<V, false>;
  set.softmax = softmax<V>;
  set.rotary = rotary<V>;
  set.gather_relative = gather_relative<V>;
  set.attention_f32 = attention_f32<V>;
  set.embed_tables = embed_tables<V>;
  set.quantize_rows_s8 = quantize_rows_s8<V>;
  set.mean_pool = mean_pool<V>;
  set.max_pool = max_pool<V>;
  set.cls_pool = cls_pool<V>;
  set.l2_normalize = l2_normalize<V>;
  return set;
}

}  // namespace nybble::kernels
