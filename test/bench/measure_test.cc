#include <catch2/catch.hpp>
#include <set>

#include "bench/case.h"
#include "bench/entry_bench.h"
#include "bench/kernel_run.h"
#include "bench/operands.h"
#include "kernels/float_environment.h"
#include "kernels/registry.h"

namespace nybble::bench {
namespace {

using Catch::Matchers::Contains;
using kernels::KernelSet;

TEST_CASE("every entry of a KernelSet is measured") {
  std::set<std::string_view> entries;
  for (const Product& product : products()) entries.insert(product.entry);
  for (const MeasuredEntry& entry : measured_entries()) entries.insert(entry.name);
  CHECK(entries.size() == sizeof(KernelSet) / sizeof(void*) - 1);  // what follows the name
}

TEST_CASE("a product's rows are compared with the scalar set's, in blocks as in one call") {
  const kernels::FloatEnvironment environment;
  const LayerData data(80, 130);
  for (const Product& product : products()) {
    const Operands operands(product, kernels::best_set(), data, 300);
    for (const int m : {1, 18, 300}) {
      INFO(product.name << " " << m);
      CHECK(operands.verify(m).empty());
    }
  }
}

void one_value_wrong(const kernels::GemmArgs& args) noexcept {
  kernels::best_set().gemm_u8s8(args);
  args.c[(args.m - 1) * args.ldc + 3] += 1e-5F;
}

TEST_CASE("a product with one wrong value is a failure and is not timed") {
  KernelSet set = kernels::best_set();
  set.gemm_u8s8 = one_value_wrong;
  KernelPlan plan;
  plan.ops = {"gemm_u8s8"}, plan.shapes = {{"tiny", 16, 64}}, plan.rows = {5}, plan.rounds = 1;
  std::vector<Record> records;
  measure_products(set, plan, [&](const Record& record) { records.push_back(record); });
  REQUIRE(records.size() == 2);
  CHECK(records[0].kind == RecordKind::failure);
  CHECK_THAT(records[0].sentence, Contains("gemm_u8s8") && Contains("row 4, column 3"));
  CHECK(std::isnan(records[0].gmac_s));
}

void one_bit_wrong(const float* x, int n, float* y) noexcept {
  kernels::best_set().l2_normalize(x, n, y);
  y[n - 1] = -y[n - 1];
}

TEST_CASE("an entry with one wrong bit is a failure") {
  KernelSet set = kernels::best_set();
  set.l2_normalize = one_bit_wrong;
  KernelPlan plan;
  plan.ops = {"l2_normalize"}, plan.rounds = 1;
  std::vector<Record> records;
  measure_entries(set, plan, [&](const Record& record) { records.push_back(record); });
  REQUIRE(records.size() == 2);
  CHECK(records[0].kind == RecordKind::failure);
}

TEST_CASE("a process that measures hands over its records, and its failure") {
  KernelPlan plan;
  plan.sets = {"scalar"}, plan.ops = {"gemm_u8s4/g64", "relu"}, plan.shapes = {{"tiny", 8, 64}},
  plan.rows = {1, 2};
  plan.rounds = 1;
  std::vector<std::string> kernels;
  int done = 0;
  measure_kernels(plan, [&](const Record& record) {
    if (record.kind == RecordKind::done) {
      ++done;
    } else {
      kernels.emplace_back(record.kernel);
    }
  });
  CHECK(kernels == std::vector<std::string>{"gemm_u8s4/g64", "gemm_u8s4/g64", "relu"});
  CHECK(done == operation_count(plan));
  plan.sets = {"frobnicate"};
  CHECK_THROWS_WITH(measure_kernels(plan, [](const Record&) {}), Contains("frobnicate"));
}

TEST_CASE("what stands beside a call is subtracted, and rates follow from the rest") {
  Case it;
  it.kernel = "work", it.isa = "scalar";
  it.macs = 1e6, it.weight_bytes = 5e5, it.bytes = 1e6;
  it.verify = [] { return std::string(); };
  volatile int sink = 0;
  const auto spin = [&] {
    for (int i = 0; i < 20000; ++i) sink = i;
  };
  it.call = [&] { spin(), spin(), spin(); };
  it.beside = spin, it.beside_name = "a third";
  const Record record = measure(it, 3);
  CHECK(record.gmac_s > 0);
  CHECK(record.weight_gb_s == Approx(record.gmac_s / 2));
  CHECK(record.macs_per_byte == 1);
  CHECK(record.mac_per_cycle == Approx(record.gmac_s / record.gigahertz));
  CHECK(std::isnan(record.peak_share));
  CHECK(std::isnan(record.vs_onednn));
}

}  // namespace
}  // namespace nybble::bench
