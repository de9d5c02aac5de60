#include <fmt/format.h>

#include <algorithm>

#include "bench/case.h"
#include "bench/entry_bench.h"
#include "bench/operands.h"
#include "kernels/registry.h"

namespace nybble::bench {
namespace {

// The list to extend with an entry that is not a product.
constexpr MeasuredEntry kEntries[] = {
    {"linear_f32", bench_linear_f32},
    {"quantize_rows_u8", bench_quantize_rows_u8},
    {"quantize_rows_u4", bench_quantize_rows_u4},
    {"quantize_ranged_u8", bench_quantize_ranged_u8},
    {"gelu_quantize_rows_u8", bench_gelu_quantize_rows_u8},
    {"softmax", bench_softmax},
    {"rotary", bench_rotary},
    {"gather_relative", bench_gather_relative},
    {"absmax", bench_absmax},
    {"pack", bench_pack},
    {"unpack", bench_unpack},
    {"gelu_erf", bench_gelu_erf},
    {"gelu_erf_q", bench_gelu_erf_q},
    {"gelu_tanh", bench_gelu_tanh},
    {"relu", bench_relu},
    {"layernorm", bench_layernorm},
    {"attention_f32", bench_attention_f32},
    {"attention_s8", bench_attention_s8},
    {"mean_pool", bench_mean_pool},
    {"l2_normalize", bench_l2_normalize},
    {"silu", bench_silu},
    {"sigmoid", bench_sigmoid},
    {"tanh", bench_tanh},
    {"add_residual", bench_add_residual},
    {"gate_silu", bench_gate_silu},
    {"gate_gelu_erf", bench_gate_gelu_erf},
    {"gate_gelu_tanh", bench_gate_gelu_tanh},
    {"rmsnorm", bench_rmsnorm},
    {"embed_tables", bench_embed_tables},
    {"quantize_rows_s8", bench_quantize_rows_s8},
    {"max_pool", bench_max_pool},
    {"cls_pool", bench_cls_pool},
};

/// The first byte in which two results differ, as a sentence; nothing where they are equal.
std::string difference(std::span<const std::byte> expected, std::span<const std::byte> found) {
  const auto [a, b] = std::mismatch(expected.begin(), expected.end(), found.begin());
  if (a == expected.end()) return "";
  return fmt::format("byte {} of {}: expected 0x{:02x} as the scalar set has it, found 0x{:02x}",
                     a - expected.begin(), expected.size(), static_cast<unsigned>(*a),
                     static_cast<unsigned>(*b));
}

void fill(const std::vector<std::span<std::byte>>& parts) {
  for (const auto part : parts) std::fill(part.begin(), part.end(), std::byte{0xA5});
}

std::vector<std::byte> joined(const std::vector<std::span<std::byte>>& parts) {
  std::vector<std::byte> all;
  for (const auto part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

}  // namespace

std::span<const MeasuredEntry> measured_entries() { return kEntries; }

Floats::Floats(std::size_t n, float deviation) : memory_(n + 16), count_(n) {
  fill_normal(memory_, 1);
  for (float& x : memory_) x *= deviation;
  const auto address = reinterpret_cast<std::uintptr_t>(memory_.data());
  first_ = memory_.data() + (64 - address % 64) % 64 / 4;
}

void EntryBench::time(const EntryWork& work, const std::vector<std::span<std::byte>>& outputs,
                      const SetCall& call, const Beside& beside, const std::function<void()>& prepare) {
  const kernels::KernelSet& scalar = kernels::find_set("scalar");
  const auto begin = [&] { prepare ? prepare() : fill(outputs); };
  Case it;
  it.kind = RecordKind::entry;
  it.kernel = entry_;
  it.isa = set_.name;
  it.what = work.what;
  it.m = work.m, it.n = work.n;
  it.elements = work.elements;
  it.bytes = work.bytes;
  it.macs = work.products;
  if (work.products > 0 && &set_ != &scalar) {
    it.peak = work.are_integers ? integer_peak(set_.name) : float_peak(set_.name);
  }
  begin();
  it.scalar_seconds = seconds_of_call([&] { call(scalar); });
  const std::vector<std::byte> expected = joined(outputs);
  it.verify = [&] {
    begin();
    call(set_);
    return difference(expected, joined(outputs));
  };
  it.call = [&] { call(set_); };
  it.beside = beside.call;
  it.beside_name = beside.name;
  // With another part of the call that is no part of the entry, scalar's time says nothing of the entry.
  if (!beside.name.empty()) it.scalar_seconds = kNone;
  sink_(measure(it, rounds_));
}

void measure_entries(const kernels::KernelSet& set, const KernelPlan& plan, const Sink& sink) {
  for (const MeasuredEntry& entry : kEntries) {
    if (!plan.wants(entry.name)) continue;
    EntryBench bench(entry.name, set, plan.rounds, sink);
    entry.run(bench);
    sink({.kind = RecordKind::done});
  }
}

}  // namespace nybble::bench
