// gemm_u8s8's exact sums against oneDNN's u8s8s32 matmul, an oracle written by others.
#include <catch2/catch.hpp>
#include <dnnl.hpp>
#include <vector>

#include "kernels/cpu.h"
#include "kernels/float_environment.h"
#include "kernels/registry.h"
#include "test/kernels/check.h"

namespace nybble::kernels {
namespace {

using test::Random;

/// A · Wᵀ as int32 by oneDNN; a is [m][k], w is [n][k].
std::vector<std::int32_t> onednn_product(std::vector<std::uint8_t>& a, std::vector<std::int8_t>& w, int m,
                                         int n, int k) {
  using dnnl::memory;
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  const memory::desc a_desc({m, k}, memory::data_type::u8, memory::format_tag::ab);
  const memory::desc w_desc({k, n}, memory::data_type::s8, memory::format_tag::ba);
  const memory::desc c_desc({m, n}, memory::data_type::s32, memory::format_tag::ab);
  std::vector<std::int32_t> c(static_cast<std::size_t>(m) * n);
#if DNNL_VERSION_MAJOR >= 3
  const dnnl::matmul::primitive_desc description(engine, a_desc, w_desc, c_desc);
#else
  const dnnl::matmul::primitive_desc description(dnnl::matmul::desc(a_desc, w_desc, c_desc), engine);
#endif
  dnnl::matmul(description)
      .execute(stream, {{DNNL_ARG_SRC, memory(a_desc, engine, a.data())},
                        {DNNL_ARG_WEIGHTS, memory(w_desc, engine, w.data())},
                        {DNNL_ARG_DST, memory(c_desc, engine, c.data())}});
  stream.wait();
  return c;
}

/// The same by a set: scale 1 and zero 1, so that C + colsum is the sum, exact in a float below 2^24.
std::vector<std::int32_t> our_product(const KernelSet& set, const std::vector<std::uint8_t>& a,
                                      const std::vector<std::int8_t>& w, int m, int n, int k) {
  const std::vector<float> weights(w.begin(), w.end()), ones(n, 1.0F);
  std::vector<std::byte> memory(packed_bytes(n, k) + 64);
  std::byte* pack = memory.data() + (64 - reinterpret_cast<std::uintptr_t>(memory.data()) % 64) % 64;
  for (int p = 0; p < panel_count(n); ++p)
    set.pack({weights.data(), k, n, k, ones.data(), nullptr, nullptr, pack}, p);
  const int lda = padded_depth(k), ldc = padded_columns(n);
  std::vector<std::uint8_t> padded(static_cast<std::size_t>(m) * lda, 128);
  for (int i = 0; i < m; ++i) std::copy_n(&a[i * k], k, &padded[i * lda]);
  const std::vector<RowScale> rows(m, RowScale{1.0F, 1});
  std::vector<float> c(static_cast<std::size_t>(m) * ldc);
  set.gemm_u8s8({padded.data(), lda, rows.data(), pack, m, n, k, 0, panel_count(n), c.data(), ldc, nullptr});
  std::vector<std::int32_t> sums(static_cast<std::size_t>(m) * n);
  for (int j = 0; j < n; ++j) {
    std::int32_t colsum = 0;
    for (int i = 0; i < k; ++i) colsum += w[j * k + i];
    for (int i = 0; i < m; ++i) sums[i * n + j] = static_cast<std::int32_t>(c[i * ldc + j]) + colsum;
  }
  return sums;
}

TEST_CASE("every runnable set has the sums of oneDNN's u8s8s32 product") {
  // Without VNNI oneDNN adds pairs of products in 16 bits, which saturate beyond |w| = 63.
  const int largest = cpu_features().avx512_vnni ? 127 : 63;
  const FloatEnvironment environment;
  Random random(7);
  for (const auto& [m, n, k] : {std::tuple{1, 64, 64}, {5, 100, 37}, {32, 384, 384}, {13, 17, 1000}}) {
    std::vector<std::uint8_t> a(m * k);
    std::vector<std::int8_t> w(n * k);
    for (auto& code : a) code = static_cast<std::uint8_t>(random.integer(0, 255));
    for (auto& code : w) code = static_cast<std::int8_t>(random.integer(-largest, largest));
    const auto expected = onednn_product(a, w, m, n, k);
    for (const RegisteredSet& entry : registered_sets()) {
      if (!entry.runnable) continue;
      INFO(entry.set->name << " " << m << " x " << n << " x " << k);
      CHECK(our_product(*entry.set, a, w, m, n, k) == expected);
    }
  }
}

}  // namespace
}  // namespace nybble::kernels
