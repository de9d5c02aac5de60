#include "kernels/log1p.h"

#include <cstdint>
#include <cstring>

namespace nybble::kernels {
namespace {

constexpr float kLn2High = 0x1.62e4p-1F;  // 15 bits: k times it is exact
constexpr float kLn2Low = 0x1.7f7d1cp-20F;

std::uint32_t bits_of(float x) {
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}

float of_bits(std::uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

/// log(1 + f) = 2·atanh(s), s = f / (2 + f), and f - 2s = s·f: the series of atanh to s⁹, |s| < 0.172.
float less_log_of_one_plus(float f) {
  const float s = f / (2.0F + f), z = s * s;
  float r = 2.0F / 9.0F;
  r = __builtin_fmaf(r, z, 2.0F / 7.0F);
  r = __builtin_fmaf(r, z, 2.0F / 5.0F);
  r = __builtin_fmaf(r, z, 2.0F / 3.0F);
  return s * (f - r * z);
}

}  // namespace

float log1p_relu(float x) noexcept {
  if (x != x) return of_bits(0x7FC00000);
  if (!(x > 0)) return 0;
  const float u = 1.0F + x;
  if (u == __builtin_inff()) return u;
  // What 1 + x lost, exactly; then u = 2^k · (1 + f), 1 + f from 0.7 to 1.42.
  const float lost = x < 1.0F ? x - (u - 1.0F) : 1.0F - (u - x);
  constexpr std::uint32_t kRootHalf = 0x3F3504F3, kOne = 0x3F800000;
  const std::uint32_t shifted = bits_of(u) + (kOne - kRootHalf);
  const auto k = static_cast<float>(static_cast<std::int32_t>(shifted >> 23) - 127);
  const float f = of_bits((shifted & 0x007FFFFF) + kRootHalf) - 1.0F;
  const float low = __builtin_fmaf(k, kLn2Low, lost / u);
  return __builtin_fmaf(k, kLn2High, f - (less_log_of_one_plus(f) - low));
}

}  // namespace nybble::kernels
