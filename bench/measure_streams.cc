// Few rows against more weights than the last cache holds, as a model's layers are when single texts come in:
// memory is the limit, and fewer bits a weight are speed.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "bench/case.h"
#include "bench/kernel_run.h"
#include "bench/operands.h"
#include "bench/read_memory.h"
#include "kernels/cpu.h"

namespace nybble::bench {
namespace {

constexpr int kN = 3072, kK = 768;  // bert-base's widest layer
// Of each layer one row is distinct: scalar has tens of layers to compute.
constexpr int kRows[] = {1, 2, 4};

std::size_t last_cache_bytes() {
  std::size_t bytes = std::size_t{8} << 20;
  for (const kernels::Cache& cache : kernels::caches()) bytes = std::max(bytes, cache.bytes);
  return bytes;
}

/// Layers of one product, with distinct weights, 2.5 times as many bytes as the last cache has.
std::vector<std::unique_ptr<Operands>> make_layers(const Product& product, const kernels::KernelSet& set,
                                                   const LayerData& data) {
  const std::size_t wanted = last_cache_bytes() / 2 * 5, one = kernels::packed_bytes(kN, kK, product.format);
  std::vector<std::unique_ptr<Operands>> layers;
  for (std::size_t i = 0; i < (wanted + one - 1) / one; ++i) {
    const int variant = static_cast<int>(i * 64 % kMaxVariants);
    layers.push_back(std::make_unique<Operands>(product, set, data, *std::rbegin(kRows), 1, variant));
  }
  return layers;
}

Record measure_layers(const Product& product, const kernels::KernelSet& set,
                      const std::vector<std::unique_ptr<Operands>>& layers, int m, int rounds) {
  Case it;
  it.kind = RecordKind::streamed;
  it.kernel = product.name;
  it.isa = set.name;
  it.layers = static_cast<int>(layers.size());
  it.what = fmt::format("{} layers", it.layers);
  it.m = m, it.n = kN, it.k = kK;
  it.macs = 1.0 * it.layers * m * kN * kK;
  it.scalar_seconds = 0;
  for (const auto& layer : layers) {
    it.weight_bytes += static_cast<double>(layer->pack().size());
    it.bytes += layer->bytes(m);
    it.scalar_seconds += layer->scalar_seconds_a_row() * m;
  }
  it.memory_bytes = it.weight_bytes;
  it.peak = product_peak(set.name, product.multiplier);
  it.verify = [&] {
    for (const auto& layer : layers) {
      if (const std::string wrong = layer->verify(m); !wrong.empty()) return wrong;
    }
    return std::string();
  };
  it.call = [&] {
    for (const auto& layer : layers) layer->run(m);
  };
  const auto read = [&](int streams) {
    for (const auto& layer : layers) read_memory(set.name, layer->pack(), streams);
  };
  it.memory_readers = {[read] { read(1); }, [read] { read(4); }};
  return measure(it, 2 * rounds);
}

/// Reads `bytes` again and again: the best of one stream and four.
Record measure_bandwidth(std::string_view isa, const std::string& level, std::size_t bytes, int rounds) {
  const quant::Pages pages(bytes);
  Case it;
  it.kind = RecordKind::bandwidth;
  it.kernel = level;
  it.isa = isa;
  it.memory_bytes = static_cast<double>(bytes);
  const auto read = [&](int streams) { read_memory(isa, {pages.data(), bytes}, streams); };
  std::fill(pages.data(), pages.data() + bytes, std::byte{1});  // pages never written are all the same one
  it.memory_readers = {[read] { read(1); }, [read] { read(4); }};
  it.verify = [] { return std::string(); };
  return measure(it, rounds);
}

}  // namespace

void measure_streams(const kernels::KernelSet& set, const KernelPlan& plan, const Sink& sink) {
  const LayerData data(kN, kK);
  for (const Product& product : products()) {
    if (!plan.wants(product.name) && !plan.wants(product.entry)) continue;
    const auto layers = make_layers(product, set, data);
    for (const int m : kRows) sink(measure_layers(product, set, layers, m, plan.rounds));
    sink({.kind = RecordKind::done});
  }
}

void measure_bandwidths(const kernels::KernelSet& set, const KernelPlan& plan, const Sink& sink) {
  for (const kernels::Cache& cache : kernels::caches()) {
    if (cache.type == "instruction") continue;
    sink(measure_bandwidth(set.name, fmt::format("L{}", cache.level), cache.bytes / 2, plan.rounds));
  }
  sink(measure_bandwidth(set.name, "memory", last_cache_bytes() / 2 * 5, plan.rounds));
}

}  // namespace nybble::bench
