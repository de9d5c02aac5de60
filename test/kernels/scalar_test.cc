// The scalar set against the plain definitions in double: what every other set is compared with must itself
// be right.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "kernels/registry.h"
#include "test/kernels/check.h"

namespace nybble::kernels {
namespace {

using test::Random;

std::vector<float> normals(Random& random, int n) {
  std::vector<float> values(n);
  for (float& x : values) x = random.normal();
  return values;
}

/// A linear layer packed by the scalar set, and its weights as the codes say them.
struct Layer {
  int n, k;
  std::vector<float> w, scale, bias;
  std::vector<std::byte> memory;
  std::byte* pack;

  Layer(Random& random, int columns, int depth)
      : n(columns), k(depth), w(normals(random, n * k)), scale(n), bias(normals(random, n)) {
    const KernelSet& set = find_set("scalar");
    memory.resize(packed_bytes(n, k) + 64);
    pack = memory.data() + (64 - reinterpret_cast<std::uintptr_t>(memory.data()) % 64) % 64;
    for (int i = 0; i < n; ++i) scale[i] = set.absmax(&w[i * k], k) / 127;
    for (int p = 0; p < panel_count(n); ++p)
      set.pack({w.data(), k, n, k, scale.data(), nullptr, bias.data(), pack}, p);
  }
};

TEST_CASE("quantized rows give the values back to half a step") {
  Random random(1);
  const KernelSet& set = find_set("scalar");
  for (const int k : {1, 5, 384, 1024, 1500}) {
    const std::vector<float> x = normals(random, k);
    std::vector<std::uint8_t> q(padded_depth(k));
    std::vector<RowScale> rows(row_block_count(k));
    set.quantize_rows_u8(x.data(), k, 1, k, q.data(), padded_depth(k), rows.data());
    for (int i = 0; i < padded_depth(k); ++i) {
      if (i >= k) CHECK(q[i] == 128);
      if (i >= k) continue;
      const RowScale& row = rows[i / row_block_depth(k)];
      CHECK(std::fabs(row.scale * static_cast<float>(q[i] - row.zero) - x[i]) <= 0.501F * row.scale);
      CHECK(q[i] >= 1);
    }
  }
}

TEST_CASE("a row whose least value is half a step from a code keeps its codes in 1..255") {
  const KernelSet& set = find_set("scalar");
  for (int zero = 0; zero < 254; ++zero) {
    const float low = -0.5F - static_cast<float>(zero);
    const float x[2] = {low, 254 + low};
    std::uint8_t q[64];
    RowScale row;
    set.quantize_rows_u8(x, 2, 1, 2, q, 64, &row);
    CHECK(q[0] == (zero % 2 == 0 ? 1 : 2));      // 0 without the clamp where zero is even
    CHECK(q[1] == (zero % 2 == 0 ? 254 : 255));  // 256 where it is odd
    CHECK(row.scale == 1);
  }
}

TEST_CASE("a product of floats reads panels of 16 columns") {
  Random random(3);
  const int m = 2, n = 19, k = 33;
  const std::vector<float> x = normals(random, m * k), w = normals(random, n * k), bias = normals(random, n);
  std::vector<float> panels(linear_floats(n, k)), y(m * n);
  for (int column = 0; column < n; ++column) {
    for (int i = 0; i < k; ++i) panels[(column / 16 * k + i) * 16 + column % 16] = w[column * k + i];
  }
  find_set("scalar").linear_f32({x.data(), k, panels.data(), bias.data(), m, n, k, y.data(), n});
  for (int i = 0; i < m * n; ++i) {
    double expected = bias[i % n];
    for (int j = 0; j < k; ++j) expected += static_cast<double>(x[i / n * k + j]) * w[i % n * k + j];
    CHECK(std::fabs(y[i] - expected) < 1e-5);
  }
}

TEST_CASE("a product of quantized operands is close to the product of the floats") {
  Random random(2);
  const KernelSet& set = find_set("scalar");
  for (const int k : {7, 384, 1536}) {
    Layer layer(random, 37, k);
    const int m = 3, ldc = padded_columns(layer.n);
    const std::vector<float> x = normals(random, m * k);
    std::vector<std::uint8_t> q(m * padded_depth(k));
    std::vector<RowScale> rows(m * row_block_count(k));
    std::vector<float> c(m * ldc);
    set.quantize_rows_u8(x.data(), k, m, k, q.data(), padded_depth(k), rows.data());
    set.gemm_u8s8({q.data(), padded_depth(k), rows.data(), layer.pack, m, layer.n, k, 0, panel_count(layer.n),
                   c.data(), ldc, nullptr});
    for (int row = 0; row < m; ++row) {
      for (int n = 0; n < layer.n; ++n) {
        double expected = layer.bias[n], size = 0;
        for (int i = 0; i < k; ++i) {
          expected += static_cast<double>(x[row * k + i]) * layer.w[n * k + i];
          size += std::fabs(x[row * k + i] * layer.w[n * k + i]);
        }
        CHECK(std::fabs(c[row * ldc + n] - expected) <= 0.01 * size + 1e-6);
      }
      for (int n = layer.n; n < ldc; ++n) CHECK(c[row * ldc + n] == 0);
    }
  }
}

TEST_CASE("layernorm is the textbook's to 1e-5") {
  Random random(3);
  const int n = 384;
  const std::vector<float> x = normals(random, n), r = normals(random, n), gamma = normals(random, n);
  const std::vector<float> beta = normals(random, n);
  std::vector<float> y(n);
  find_set("scalar").layernorm(
      {x.data(), n, r.data(), n, gamma.data(), beta.data(), 1e-5F, 1, n, y.data(), n});
  double mean = 0, variance = 0;
  for (int i = 0; i < n; ++i) mean += (static_cast<double>(x[i]) + r[i]) / n;
  for (int i = 0; i < n; ++i) variance += std::pow(static_cast<double>(x[i]) + r[i] - mean, 2) / n;
  for (int i = 0; i < n; ++i) {
    const double normal = (static_cast<double>(x[i]) + r[i] - mean) / std::sqrt(variance + 1e-5);
    CHECK(y[i] == Approx(normal * gamma[i] + beta[i]).margin(1e-5));
  }
}

TEST_CASE("attention is softmax(scale QK') V to 1e-5") {
  Random random(4);
  const int length = 37, head_dim = 20, ld = 3 * head_dim;
  const std::vector<float> qkv = normals(random, length * ld);
  std::vector<float> out(length * head_dim), scratch(attention_scratch_floats(length, head_dim));
  const float* q = qkv.data();
  find_set("scalar").attention_f32({q, q + head_dim, q + 2 * head_dim, ld, ld, ld, length, head_dim, 0,
                                    length, 0.25F, out.data(), head_dim, scratch.data()});
  for (int row = 0; row < length; ++row) {
    std::vector<double> p(length);
    double sum = 0;
    for (int key = 0; key < length; ++key) {
      double dot = 0;
      for (int d = 0; d < head_dim; ++d)
        dot += static_cast<double>(q[row * ld + d]) * q[key * ld + head_dim + d];
      sum += p[key] = std::exp(0.25 * dot);
    }
    for (int d = 0; d < head_dim; ++d) {
      double expected = 0;
      for (int key = 0; key < length; ++key) expected += p[key] / sum * q[key * ld + 2 * head_dim + d];
      CHECK(out[row * head_dim + d] == Approx(expected).margin(1e-5));
    }
  }
}

TEST_CASE("mean pooling and normalization are what they say") {
  Random random(5);
  const int m = 9, n = 33;
  const std::vector<float> x = normals(random, m * n);
  std::vector<float> mean(n), unit(n);
  find_set("scalar").mean_pool(x.data(), n, m, n, mean.data());
  find_set("scalar").l2_normalize(mean.data(), n, unit.data());
  double length = 0;
  for (int j = 0; j < n; ++j) {
    double sum = 0;
    for (int i = 0; i < m; ++i) sum += x[i * n + j];
    CHECK(mean[j] == Approx(sum / m).margin(1e-6));
    length += static_cast<double>(unit[j]) * unit[j];
  }
  CHECK(length == Approx(1).margin(1e-6));
  std::vector<float> zeros(n, 0.0F);
  find_set("scalar").l2_normalize(zeros.data(), n, unit.data());
  CHECK(std::all_of(unit.begin(), unit.end(), [](float u) { return u == 0; }));
}

/// A product by its definition in double: Σ dequantized row · unpacked weight + bias.
void check_against_definition(const PackFormat& format, int row_bits, int n, int k) {
  Random random(5);
  const KernelSet& set = find_set("scalar");
  const int groups = format.group == 0 ? 1 : group_count(k, format);
  const std::vector<float> w = normals(random, n * k), bias = normals(random, n), x = normals(random, k);
  std::vector<float> scale(n * groups), unpacked(n * k), c(padded_columns(n));
  std::vector<std::int8_t> zero(n * groups);
  for (int i = 0; i < n * groups; ++i) {
    scale[i] = 4.0F / static_cast<float>(1 << (format.bits - 1));
    zero[i] = static_cast<std::int8_t>(middle_code(format) + random.integer(-2, 2));
  }
  std::vector<std::byte> memory(packed_bytes(n, k, format) + 64);
  std::byte* pack = memory.data() + (64 - reinterpret_cast<std::uintptr_t>(memory.data()) % 64) % 64;
  for (int p = 0; p < panel_count(n); ++p) {
    set.pack({w.data(), k, n, k, scale.data(), format.group == 0 ? nullptr : zero.data(), bias.data(), pack,
              format},
             p);
    set.unpack(pack, n, k, format, p, unpacked.data(), k);
  }
  for (int i = 0; i < n * k; ++i) {
    const float step = scale[0];
    CHECK((std::fabs(unpacked[i] - w[i]) <= 0.501F * step || std::fabs(w[i]) > 5 * step));
  }
  const int bytes = padded_depth(k) * row_bits / 8;
  std::vector<std::uint8_t> q(bytes);
  std::vector<RowScale> rows(row_block_count(k, format));
  if (row_bits == 8) set.quantize_rows_u8(x.data(), k, 1, k, q.data(), bytes, rows.data());
  if (row_bits == 4) set.quantize_rows_u4(x.data(), k, 1, k, format.row_block, q.data(), bytes, rows.data());
  const auto gemm = row_bits == 4 ? set.gemm_u4s4 : format.bits == 4 ? set.gemm_u8s4 : set.gemm_u8s5;
  gemm({.a = q.data(),
        .lda = bytes,
        .rows = rows.data(),
        .b = pack,
        .m = 1,
        .n = n,
        .k = k,
        .panel_begin = 0,
        .panel_end = panel_count(n),
        .c = c.data(),
        .ldc = padded_columns(n),
        .epilogue = nullptr,
        .format = format});
  for (int j = 0; j < n; ++j) {
    double sum = bias[j];
    for (int i = 0; i < k; ++i) {
      const RowScale& row = rows[i / row_block_depth(k, format)];
      const int code = row_bits == 8 ? q[i] : q[i / 8 * 4 + i % 4] >> (i % 8 < 4 ? 0 : 4) & 15;
      const double value = double{row.scale} * (code - row.zero);
      CHECK((std::fabs(value - x[i]) <= 0.501 * row.scale));
      sum += value * unpacked[j * k + i];
    }
    CHECK(c[j] == Approx(sum).margin(1e-3));
  }
}

TEST_CASE("products in every format have the value of their dequantized rows and weights") {
  for (const int k : {40, 384, 1100}) {
    for (const int group : {0, 32, 64, 128}) {
      check_against_definition({.bits = 5, .group = group}, 8, 70, k);
      check_against_definition({.bits = 4, .group = group}, 8, 70, k);
      check_against_definition({.bits = 4, .group = group}, 4, 70, k);
      if (group == 0) continue;
      check_against_definition({.bits = 4, .group = 0, .row_block = group}, 4, 70, k);
      check_against_definition({.bits = 4, .group = group, .row_block = group}, 4, 70, k);
    }
  }
}

}  // namespace
}  // namespace nybble::kernels
