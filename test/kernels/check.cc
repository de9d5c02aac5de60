#include "test/kernels/check.h"

#include <bit>
#include <cstdio>
#include <limits>

namespace nybble::kernels::test {

std::uint64_t Random::next() {
  std::uint64_t z = state_ += 0x9E3779B97F4A7C15;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

int Random::integer(int low, int high) {
  return low + static_cast<int>(next() % static_cast<std::uint64_t>(high - low + 1));
}

float Random::unit() { return static_cast<float>(next() >> 40) * 0x1p-23F - 1.0F; }

float Random::normal() { return (unit() + unit() + unit()) * 1.0F; }

void Context::expect(bool holds, const std::string& what) {
  ++cases;
  if (holds) return;
  if (++failures <= 5) std::fprintf(stderr, "FAILED %s: %s\n", set.name, what.c_str());
}

void Context::compare(std::span<const std::byte> expected, std::span<const std::byte> actual,
                      const std::byte* first, std::size_t value_bytes, const std::string& what) {
  if (std::memcmp(expected.data(), actual.data(), expected.size()) == 0) return expect(true, what);
  std::size_t at = 0, differing = 0;
  for (std::size_t i = expected.size(); i-- > 0;) {
    if (expected[i] != actual[i]) at = i, ++differing;
  }
  const auto offset = (expected.data() + at - first) / static_cast<std::ptrdiff_t>(value_bytes);
  std::uint64_t want = 0, got = 0;
  const std::size_t start = at / value_bytes * value_bytes;
  std::memcpy(&want, expected.data() + start, value_bytes);
  std::memcpy(&got, actual.data() + start, value_bytes);
  char text[160];
  std::snprintf(text, sizeof text, ": value %td: expected 0x%llx, found 0x%llx (%zu bytes differ)", offset,
                static_cast<unsigned long long>(want), static_cast<unsigned long long>(got), differing);
  expect(false, what + text);
}

namespace {

float special(Random& random) {
  static constexpr std::uint32_t kBits[] = {0x7FC00000, 0xFFC00000, 0x7F800001, 0xFFABCDEF, 0x7F800000,
                                            0xFF800000, 0x80000000, 0x00000000, 0x00000001, 0x807FFFFF,
                                            0x7F7FFFFF, 0xFF7FFFFF, 0x00800000, 0x3F800000};
  return std::bit_cast<float>(kBits[random.integer(0, std::size(kBits) - 1)]);
}

float value_of(Random& random, RowKind kind) {
  switch (kind) {
    case RowKind::all_positive:
      return 3.0F + random.unit();
    case RowKind::all_negative:
      return -300.0F + random.unit();
    case RowKind::tiny_span:
      return 0x1p-101F * random.unit();
    case RowKind::denormal:
      return 0x1p-130F * random.unit();
    case RowKind::overflowing_span:
      return 3.3e38F * random.unit();
    case RowKind::zeros:
      return 0.0F;
    case RowKind::minus_zeros:
      return random.integer(0, 1) != 0 ? -0.0F : 0.0F;
    case RowKind::mixed_specials:
      return special(random);
    default:
      return random.normal();
  }
}

}  // namespace

void fill_row(Random& random, RowKind kind, float* x, int n) {
  for (int i = 0; i < n; ++i) x[i] = value_of(random, kind);
  float& one = x[random.integer(0, n - 1)];
  if (kind == RowKind::one_huge) one = 1e30F * random.unit();
  if (kind == RowKind::overflowing_span) x[0] = 3.3e38F, x[n - 1] = -3.3e38F;
  if (kind == RowKind::half_steps) {
    x[0] = -0.5F - static_cast<float>(random.integer(0, 253));
    x[n - 1] = n > 1 ? 254 + x[0] : x[0];
  }
  if (kind == RowKind::with_nan) one = std::bit_cast<float>(0xFFC12345);
  if (kind == RowKind::with_infinity)
    one = std::numeric_limits<float>::infinity() * (random.unit() < 0 ? -1.0F : 1.0F);
}

void fill_any(Random& random, float* x, int n, bool specials) {
  const int last = static_cast<int>(specials ? RowKind::count : RowKind::overflowing_span) - 1;
  const auto kind =
      random.integer(0, 1) != 0 ? RowKind::normal : static_cast<RowKind>(random.integer(0, last));
  fill_row(random, kind, x, n);
}

}  // namespace nybble::kernels::test
