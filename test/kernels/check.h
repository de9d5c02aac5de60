// What the checks of every kernel share: the two sets, random values, comparison by bits.
#pragma once

#include <cstdint>
#include <string>

#include "kernels/kernel_set.h"
#include "test/kernels/guarded.h"

namespace nybble::kernels::test {

/// splitmix64: the same numbers from the same seed everywhere.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next();
  /// Uniform in [low, high].
  int integer(int low, int high);
  /// Uniform in [-1, 1).
  float unit();
  /// Roughly normal, deviation 1.
  float normal();

 private:
  std::uint64_t state_;
};

/// One run of one entry's check: `set` against `reference`.
struct Context {
  const KernelSet& set;
  const KernelSet& reference;
  Random random;
  long every = 1;    ///< how many cases share one that is run
  long offered = 0;  ///< cases that takes() was asked about
  long cases = 0;
  int failures = 0;

  /// Whether to run the case at hand: all of them, or with `every` each such one. A check asks at the head of
  /// what runs one case, before it makes the operands.
  bool takes() { return offered++ % every == 0; }

  /// Counts a case; reports the first differing value where the two outputs are not the same bytes. Compares
  /// what stands around the values too.
  template <class T>
  void expect_same(const Guarded<T>& expected, const Guarded<T>& actual, const std::string& what) {
    compare(expected.bytes(), actual.bytes(), reinterpret_cast<const std::byte*>(expected.data()), sizeof(T),
            what);
  }
  void expect(bool holds, const std::string& what);

 private:
  void compare(std::span<const std::byte> expected, std::span<const std::byte> actual, const std::byte* first,
               std::size_t value_bytes, const std::string& what);
};

/// Kinds of rows that broke an obvious implementation, and ordinary ones.
enum class RowKind {
  normal,
  all_positive,
  all_negative,
  tiny_span,
  denormal,
  one_huge,
  zeros,
  minus_zeros,
  overflowing_span,
  half_steps,  // the least value is half a step from a code: unclamped codes would be 0 and 256
  with_nan,
  with_infinity,
  mixed_specials,
  count
};

/// Fills x[0..n) with a row of that kind.
void fill_row(Random& random, RowKind kind, float* x, int n);
/// Fills with the kind picked at random, ordinary rows being the more common; specials only where allowed.
void fill_any(Random& random, float* x, int n, bool specials);

/// One entry of a KernelSet: how it is checked. The list is in check_kernels.cc.
struct Entry {
  const char* name;
  void (*check)(Context& context);
};

void check_gemm_u8s8(Context& context);
void check_gemm_u8s7(Context& context);
void check_gemm_u8s6(Context& context);
void check_gemm_u8s5(Context& context);
void check_gemm_u8s4(Context& context);
void check_gemm_u4s4(Context& context);
void check_linear_f32(Context& context);
void check_quantize_rows_u8(Context& context);
void check_quantize_rows_u4(Context& context);
void check_quantize_ranged_u8(Context& context);
void check_gelu_quantize_rows_u8(Context& context);
void check_absmax(Context& context);
void check_pack(Context& context);
void check_unpack(Context& context);
void check_gelu_erf(Context& context);
void check_gelu_erf_q(Context& context);
void check_gelu_tanh(Context& context);
void check_relu(Context& context);
void check_silu(Context& context);
void check_sigmoid(Context& context);
void check_tanh(Context& context);
void check_add_residual(Context& context);
void check_gate_silu(Context& context);
void check_gate_gelu_erf(Context& context);
void check_gate_gelu_tanh(Context& context);
void check_layernorm(Context& context);
void check_rmsnorm(Context& context);
void check_softmax(Context& context);
void check_gather_relative(Context& context);
void check_rotary(Context& context);
void check_attention_f32(Context& context);
void check_attention_s8(Context& context);
void check_embed_tables(Context& context);
void check_quantize_rows_s8(Context& context);
void check_mean_pool(Context& context);
void check_max_pool(Context& context);
void check_cls_pool(Context& context);
void check_l2_normalize(Context& context);

}  // namespace nybble::kernels::test
