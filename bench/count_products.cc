// Counts the instructions of each product of a set, and of oneDNN's, by the time-stamp counter: for an
// emulated CPU (test/emulate), where a tick is a retired instruction.
//
//   count_products --isa NAME [--product NAME]...      prints one JSON object a line
//
// A product is one call for all of C, f32 results with scales, zero points and bias; oneDNN's is its whole
// u8s8s32 matmul primitive with weights in the layout that it asks for and int32 results, so it does less.
#include <x86intrin.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <dnnl.hpp>
#include <string>
#include <vector>

#include "kernels/float_environment.h"
#include "kernels/registry.h"
#include "nybble/error.h"

namespace nybble::bench {
namespace {

using namespace kernels;

struct Shape {
  int m, n, k;
};

struct Product {
  const char* name;
  void (*KernelSet::*entry)(const GemmArgs&) noexcept;
  PackFormat format;
  int row_bits = 8;
};

// The list to extend with a product.
constexpr Product kProducts[] = {
    {"u8s8", &KernelSet::gemm_u8s8, {}},
    {"u8s7", &KernelSet::gemm_u8s7, {.bits = 7}},
    {"u8s6", &KernelSet::gemm_u8s6, {.bits = 6}},
    {"u8s5", &KernelSet::gemm_u8s5, {.bits = 5}},
    {"u8s5 g128", &KernelSet::gemm_u8s5, {.bits = 5, .group = 128}},
    {"u8s4", &KernelSet::gemm_u8s4, {.bits = 4}},
    {"u8s4 g128", &KernelSet::gemm_u8s4, {.bits = 4, .group = 128}},
    {"u8s4 g32", &KernelSet::gemm_u8s4, {.bits = 4, .group = 32}},
    {"u4s4", &KernelSet::gemm_u4s4, {.bits = 4}, 4},
    {"u4s4 b64", &KernelSet::gemm_u4s4, {.bits = 4, .group = 64, .row_block = 64}, 4},
};

/// 64-byte aligned bytes, each 0x55: a code of every format.
class Buffer {
 public:
  explicit Buffer(std::size_t bytes) : memory_(bytes + 64, std::byte{0x55}) {}
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

void print(const char* kernel, const std::string& isa, const Shape& s, std::uint64_t instructions) {
  const double macs = static_cast<double>(s.m) * s.n * s.k;
  std::printf(
      "{\"kernel\":\"%s\",\"isa\":\"%s\",\"m\":%d,\"n\":%d,\"k\":%d,\"instructions\":%llu,\"per_mac\":%.6f}"
      "\n",
      kernel, isa.c_str(), s.m, s.n, s.k, static_cast<unsigned long long>(instructions),
      static_cast<double>(instructions) / macs);
  std::fflush(stdout);
}

/// One layer packed in the format of a product; for every m.
void count_product(const KernelSet& set, const Product& product, int n, int k,
                   const std::vector<int>& row_counts) {
  const int groups = std::max(1, group_count(k, product.format)), most = row_counts.back();
  const std::vector<float> weights(static_cast<std::size_t>(n) * k, 3.0F), bias(n, 0.5F);
  const std::vector<float> scale(static_cast<std::size_t>(n) * groups, 1.0F);
  Buffer pack(packed_bytes(n, k, product.format)), c(static_cast<std::size_t>(most) * padded_columns(n) * 4);
  for (int p = 0; p < panel_count(n); ++p)
    set.pack(
        {weights.data(), k, n, k, scale.data(), nullptr, bias.data(), pack.as<std::byte>(), product.format},
        p);
  const int lda = padded_depth(k) * product.row_bits / 8;
  Buffer a(static_cast<std::size_t>(most) * lda);
  const std::vector<RowScale> rows(static_cast<std::size_t>(most) * row_block_count(k, product.format),
                                   {0.01F, 7});
  for (const int m : row_counts) {
    const GemmArgs args{.a = a.as<std::uint8_t>(),
                        .lda = lda,
                        .rows = rows.data(),
                        .b = pack.as<std::byte>(),
                        .m = m,
                        .n = n,
                        .k = k,
                        .panel_begin = 0,
                        .panel_end = panel_count(n),
                        .c = c.as<float>(),
                        .ldc = padded_columns(n),
                        .epilogue = nullptr,
                        .format = product.format};
    print(product.name, set.name, {m, n, k}, instructions_of([&] { (set.*product.entry)(args); }));
  }
}

void count_onednn(const std::string& isa, const Shape& s) {
  using dnnl::memory;
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  const memory::desc a_desc({s.m, s.k}, memory::data_type::u8, memory::format_tag::ab);
  const memory::desc any_desc({s.k, s.n}, memory::data_type::s8, memory::format_tag::any);
  const memory::desc c_desc({s.m, s.n}, memory::data_type::s32, memory::format_tag::ab);
#if DNNL_VERSION_MAJOR >= 3
  const dnnl::matmul::primitive_desc description(engine, a_desc, any_desc, c_desc);
#else
  const dnnl::matmul::primitive_desc description(dnnl::matmul::desc(a_desc, any_desc, c_desc), engine);
#endif
  const dnnl::matmul primitive(description);
  memory a(a_desc, engine), w(description.weights_desc(), engine), c(c_desc, engine);
  for (const memory* each : {&a, &w}) std::memset(each->get_data_handle(), 1, each->get_desc().get_size());
  const std::unordered_map<int, memory> arguments = {
      {DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, w}, {DNNL_ARG_DST, c}};
  const auto execute = [&] {
    primitive.execute(stream, arguments);
    stream.wait();
  };
  execute();  // the first call resolves symbols and allocates
  const std::uint64_t count = instructions_of(execute);
  print((std::string("oneDNN ") + description.impl_info_str()).c_str(), isa, s, count);
}

/// `wanted` names products, "oneDNN" among them; empty: all.
void count_all(const KernelSet& set, const std::vector<std::string>& wanted) {
  const auto want = [&](const char* name) {
    return wanted.empty() || std::find(wanted.begin(), wanted.end(), name) != wanted.end();
  };
  const FloatEnvironment environment;
  const std::vector<int> row_counts = {1, 16, 32, 128};
  for (const auto& [n, k] : {std::pair{384, 384}, {1536, 384}, {768, 768}, {768, 3072}}) {
    for (const Product& product : kProducts) {
      if (want(product.name)) count_product(set, product, n, k, row_counts);
    }
    for (const int m : row_counts) {
      if (want("oneDNN")) count_onednn(set.name, {m, n, k});
    }
  }
}

}  // namespace
}  // namespace nybble::bench

int main(int argc, char** argv) {
  std::string isa;
  std::vector<std::string> products;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string flag = argv[i];
    if (flag == "--isa") isa = argv[i + 1];
    if (flag == "--product") products.emplace_back(argv[i + 1]);
  }
  if (isa.empty() || argc % 2 == 0)
    return std::fprintf(stderr, "usage: count_products --isa NAME [--product NAME]...\n"), 2;
  try {
    nybble::bench::count_all(nybble::kernels::find_set(isa), products);
  } catch (const std::exception& error) {
    return std::fprintf(stderr, "count_products: %s\n", error.what()), 1;
  }
}
