// Products on hot weights: shape by shape, so that oneDNN's primitive of a shape serves all our formats.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "bench/case.h"
#include "bench/kernel_run.h"
#include "bench/onednn_rival.h"
#include "bench/operands.h"

namespace nybble::bench {
namespace {

/// oneDNN's products of one shape, made when first asked for.
class Rivals {
 public:
  Rivals(int n, int k) : n_(n), k_(k) {}
  const std::optional<OnednnRival>& of(OnednnRival::Type type, int m) {
    const auto [entry, is_new] = made_.try_emplace({type, m});
    if (is_new) entry->second = OnednnRival::make(type, m, n_, k_);
    return entry->second;
  }

 private:
  int n_, k_;
  std::map<std::pair<OnednnRival::Type, int>, std::optional<OnednnRival>> made_;
};

/// Below VNNI oneDNN's INT8 saturates: what a user would run there is FP32.
bool wants_f32(std::string_view isa) { return isa == "avx2" || isa == "avx512"; }

Record measure_one(const Product& product, const kernels::KernelSet& set, const Operands& operands,
                   const LayerShape& shape, int m, Rivals& rivals, int rounds) {
  Case it;
  it.kernel = product.name;
  it.isa = set.name;
  it.what = shape.name;
  it.m = m, it.n = shape.n, it.k = shape.k;
  it.macs = 1.0 * m * shape.n * shape.k;
  it.weight_bytes = static_cast<double>(operands.pack().size()) * operands.block_count(m);
  it.bytes = operands.bytes(m);
  it.peak = product_peak(set.name, product.multiplier);
  it.verify = [&] { return operands.verify(m); };
  it.call = [&] { operands.run(m); };
  it.scalar_seconds = operands.scalar_seconds_a_row() * m;
  const bool has_level = std::string_view(set.name) != "scalar";
  if (const auto& rival = rivals.of(OnednnRival::Type::int8, m); has_level && rival) {
    it.onednn = [&rival] { rival->run(); };
    it.onednn_name = rival->name();
  }
  if (wants_f32(set.name)) {
    if (const auto& rival = rivals.of(OnednnRival::Type::f32, m)) it.onednn_f32 = [&rival] { rival->run(); };
  }
  return measure(it, rounds);
}

}  // namespace

void measure_products(const kernels::KernelSet& set, const KernelPlan& plan, const Sink& sink) {
  const int max_rows = *std::max_element(plan.rows.begin(), plan.rows.end());
  for (const LayerShape& shape : plan.shapes) {
    const LayerData data(shape.n, shape.k);
    Rivals rivals(shape.n, shape.k);
    for (const Product& product : products()) {
      if (!plan.wants(product.name) && !plan.wants(product.entry)) continue;
      const Operands operands(product, set, data, max_rows);
      for (const int m : plan.rows) {
        sink(measure_one(product, set, operands, shape, m, rivals, plan.rounds));
      }
      sink({.kind = RecordKind::done});
    }
  }
}

}  // namespace nybble::bench
