// Counts the instructions of each product of a set, and of oneDNN's, by the time-stamp counter: for an
// emulated CPU (test/emulate), where a tick is a retired instruction.
//
//   count_products --isa NAME [--product NAME]...      prints one JSON object a line
//
// A product is one call for all of C, f32 results with scales, zero points and bias. oneDNN's are its whole
// matmul primitives u8s8s32 and u8s8f32, weights in the layout that they ask for.
#include <x86intrin.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <dnnl.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "bench/products.h"
#include "kernels/float_environment.h"
#include "kernels/registry.h"
#include "nybble/error.h"

namespace nybble::bench {
namespace {

using namespace kernels;

struct Shape {
  int m, n, k;
};

/// Zeroed memory at a 64-byte boundary.
class Buffer {
 public:
  explicit Buffer(std::size_t bytes) : memory_(bytes + 64) {}
  template <class T>
  T* as() {
    const auto at = reinterpret_cast<std::uintptr_t>(memory_.data());
    return reinterpret_cast<T*>(memory_.data() + (64 - at % 64) % 64);
  }

 private:
  std::vector<std::byte> memory_;
};

template <class Call>
std::uint64_t ticks(Call call) {
  const std::uint64_t start = __rdtsc();
  call();
  return __rdtsc() - start;
}

template <class Call>
std::uint64_t instructions_of(Call call) {
  return ticks(call) - ticks([] {});
}

void print(std::string_view kernel, const std::string& isa, const Shape& s, std::uint64_t instructions) {
  const double macs = static_cast<double>(s.m) * s.n * s.k;
  std::printf(
      "{\"kernel\":\"%s\",\"isa\":\"%s\",\"m\":%d,\"n\":%d,\"k\":%d,\"instructions\":%llu,\"per_mac\":%.6f}"
      "\n",
      std::string(kernel).c_str(), isa.c_str(), s.m, s.n, s.k, static_cast<unsigned long long>(instructions),
      static_cast<double>(instructions) / macs);
  std::fflush(stdout);
}

/// One layer packed in the format of a product; for every m. Counts depend on shapes alone, so the values are
/// any.
void count_product(const KernelSet& set, const Product& product, int n, int k,
                   const std::vector<int>& row_counts) {
  const int most = row_counts.back(), ldc = padded_columns(n);
  const std::vector<float> weights(static_cast<std::size_t>(n) * k, 3.0F), bias(n, 0.5F);
  const std::vector<float> x(static_cast<std::size_t>(most) * k, 0.7F);
  Buffer pack(packed_bytes(n, k, product.format)), c(static_cast<std::size_t>(most) * ldc * 4);
  pack_weights(product, set, weights, bias, n, k, pack.as<std::byte>());
  const QuantizedRows rows(product, set, x, most, k);
  for (const int m : row_counts) {
    const GemmArgs args{.a = rows.codes.data(),
                        .lda = static_cast<std::ptrdiff_t>(rows.row_bytes),
                        .rows = rows.scales.data(),
                        .b = pack.as<std::byte>(),
                        .m = m,
                        .n = n,
                        .k = k,
                        .panel_begin = 0,
                        .panel_end = panel_count(n),
                        .c = c.as<float>(),
                        .ldc = ldc,
                        .epilogue = nullptr,
                        .format = product.format};
    print(product.name, set.name, {m, n, k}, instructions_of([&] { (set.*product.gemm)(args); }));
  }
}

/// `as_floats`: results in f32 with a scale a column, a bias and one zero point for all rows; else the bare
/// int32 sums. It has no parameters by row.
void count_onednn(const std::string& isa, const Shape& s, bool as_floats) {
  using dnnl::memory;
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  const memory::desc a_desc({s.m, s.k}, memory::data_type::u8, memory::format_tag::ab);
  const memory::desc any_desc({s.k, s.n}, memory::data_type::s8, memory::format_tag::any);
  const memory::desc c_desc({s.m, s.n}, as_floats ? memory::data_type::f32 : memory::data_type::s32,
                            memory::format_tag::ab);
  const memory::desc bias_desc({1, s.n}, memory::data_type::f32, memory::format_tag::ab);
  dnnl::primitive_attr attributes;
  memory scales({{s.n}, memory::data_type::f32, memory::format_tag::a}, engine), bias(bias_desc, engine);
  memory zero({{1}, memory::data_type::s32, memory::format_tag::a}, engine);
  std::fill_n(static_cast<float*>(scales.get_data_handle()), s.n, 0.01F);
  std::fill_n(static_cast<float*>(bias.get_data_handle()), s.n, 0.5F);
  *static_cast<std::int32_t*>(zero.get_data_handle()) = 7;
  std::unordered_map<int, memory> arguments;
  if (as_floats) arguments = {{DNNL_ARG_BIAS, bias}};
#if DNNL_VERSION_MAJOR >= 3
  if (as_floats) {
    attributes.set_scales_mask(DNNL_ARG_WEIGHTS, 2), attributes.set_zero_points_mask(DNNL_ARG_SRC, 0);
    arguments.emplace(DNNL_ARG_ATTR_SCALES | DNNL_ARG_WEIGHTS, scales);
    arguments.emplace(DNNL_ARG_ATTR_ZERO_POINTS | DNNL_ARG_SRC, zero);
  }
  const auto description =
      as_floats ? dnnl::matmul::primitive_desc(engine, a_desc, any_desc, bias_desc, c_desc, attributes)
                : dnnl::matmul::primitive_desc(engine, a_desc, any_desc, c_desc);
#else
  if (as_floats) {
    attributes.set_output_scales(2, std::vector<float>(s.n, 0.01F));
    attributes.set_zero_points(DNNL_ARG_SRC, 0, {7});
  }
  const dnnl::matmul::desc operation = as_floats ? dnnl::matmul::desc(a_desc, any_desc, bias_desc, c_desc)
                                                 : dnnl::matmul::desc(a_desc, any_desc, c_desc);
  const dnnl::matmul::primitive_desc description(operation, attributes, engine);
#endif
  const dnnl::matmul primitive(description);
  memory a(a_desc, engine), w(description.weights_desc(), engine), c(c_desc, engine);
  for (const memory* each : {&a, &w}) std::memset(each->get_data_handle(), 1, each->get_desc().get_size());
  arguments.insert({{DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, w}, {DNNL_ARG_DST, c}});
  const auto execute = [&] {
    primitive.execute(stream, arguments);
    stream.wait();
  };
  execute();  // the first call resolves symbols and allocates
  const std::uint64_t count = instructions_of(execute);
  const std::string name = as_floats ? "oneDNN f32 " : "oneDNN s32 ";
  print(name + description.impl_info_str(), isa, s, count);
}

/// `wanted` names products, "oneDNN" among them; empty: all.
void count_all(const KernelSet& set, const std::vector<std::string>& wanted) {
  const auto want = [&](std::string_view name) {
    return wanted.empty() || std::find(wanted.begin(), wanted.end(), name) != wanted.end();
  };
  const FloatEnvironment environment;
  const std::vector<int> row_counts = {1, 16, 32, 128};
  for (const auto& [n, k] : {std::pair{384, 384}, {1536, 384}, {768, 768}, {768, 3072}}) {
    for (const Product& product : products()) {
      if (want(product.name)) count_product(set, product, n, k, row_counts);
    }
    for (const int m : row_counts) {
      if (want("oneDNN")) count_onednn(set.name, {m, n, k}, false), count_onednn(set.name, {m, n, k}, true);
    }
  }
}

}  // namespace
}  // namespace nybble::bench

int main(int argc, char** argv) {
  std::string isa;
  std::vector<std::string> wanted;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string flag = argv[i];
    if (flag == "--isa") isa = argv[i + 1];
    if (flag == "--product") wanted.emplace_back(argv[i + 1]);
  }
  if (isa.empty() || argc % 2 == 0)
    return std::fprintf(stderr, "usage: count_products --isa NAME [--product NAME]...\n"), 2;
  try {
    nybble::bench::count_all(nybble::kernels::find_set(isa), wanted);
  } catch (const std::exception& error) {
    return std::fprintf(stderr, "count_products: %s\n", error.what()), 1;
  }
}
