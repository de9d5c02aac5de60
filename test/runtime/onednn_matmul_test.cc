#include "runtime/onednn_matmul.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <random>
#include <thread>
#include <vector>

using nybble::runtime::OnednnMatmul;

namespace {

constexpr float kGuard = 12345.0f;

std::vector<float> random_values(std::size_t count, std::mt19937& random) {
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

struct Product {
  int n, k;
  std::ptrdiff_t ldx, ldy;
  std::vector<float> w, bias;

  Product(int n_, int k_, std::ptrdiff_t more, std::mt19937& random, bool has_bias = true)
      : n(n_),
        k(k_),
        ldx(k_ + more),
        ldy(n_ + more),
        w(random_values(static_cast<std::size_t>(n_) * static_cast<std::size_t>(k_), random)),
        bias(has_bias ? random_values(static_cast<std::size_t>(n_), random) : std::vector<float>()) {}

  double exact(const std::vector<float>& x, int row, int column) const {
    double sum = bias.empty() ? 0 : static_cast<double>(bias[static_cast<std::size_t>(column)]);
    for (int i = 0; i < k; ++i) {
      sum += static_cast<double>(x[static_cast<std::size_t>(row * ldx + i)]) *
             static_cast<double>(w[static_cast<std::size_t>(column * k + i)]);
    }
    return sum;
  }

  /// The largest error of `m` rows in units of what rounding explains; infinite where a guard was written.
  double error_of(const OnednnMatmul& matmul, int m, std::mt19937& random) const {
    const std::vector<float> x = random_values(static_cast<std::size_t>(m * ldx), random);
    std::vector<float> y(static_cast<std::size_t>((m + 1) * ldy), kGuard);
    matmul.run(x.data(), m, y.data());
    double largest = 0;
    for (int row = 0; row < m; ++row) {
      for (int column = 0; column < ldy; ++column) {
        const float found = y[static_cast<std::size_t>(row * ldy + column)];
        const double error = column < n ? std::fabs(static_cast<double>(found) - exact(x, row, column))
                                        : (found == kGuard ? 0 : INFINITY);
        if (!(error <= largest)) largest = error;
      }
    }
    for (std::ptrdiff_t i = m * ldy; i < (m + 1) * ldy; ++i) {
      if (y[static_cast<std::size_t>(i)] != kGuard) largest = INFINITY;
    }
    return largest / (1e-6 * std::sqrt(static_cast<double>(k)) * std::sqrt(static_cast<double>(k)));
  }
};

}  // namespace

TEST_CASE("any number of rows from 1 to 130 gives the products and writes nothing else") {
  const unsigned seed = 55;
  INFO("seed " << seed);
  std::mt19937 random(seed);
  const Product product(37, 50, 5, random);
  const OnednnMatmul matmul(product.w, product.bias, product.n, product.k, product.ldx, product.ldy);
  for (int m = 1; m <= 130; ++m) {
    INFO("m " << m);
    REQUIRE(product.error_of(matmul, m, random) <= 1);
  }
}

TEST_CASE("odd shapes and strides, with and without a bias") {
  const unsigned seed = 56;
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (const auto& [n, k] :
       std::vector<std::pair<int, int>>{{1, 1}, {1, 17}, {3, 1}, {16, 16}, {65, 63}, {288, 96}, {200, 333}}) {
    for (const std::ptrdiff_t more : {0, 1, 16}) {
      for (const bool has_bias : {false, true}) {
        const Product product(n, k, more, random, has_bias);
        const OnednnMatmul matmul(product.w, product.bias, n, k, product.ldx, product.ldy);
        for (const int m : {1, 7, 64, 67}) {
          INFO("n " << n << ", k " << k << ", stride +" << more << ", m " << m << ", bias " << has_bias);
          REQUIRE(product.error_of(matmul, m, random) <= 1);
        }
      }
    }
  }
}

TEST_CASE("a product says which implementation it has and how many bytes its weights take") {
  std::mt19937 random(57);
  const Product product(64, 32, 0, random);
  const OnednnMatmul matmul(product.w, product.bias, 64, 32, 32, 64);
  REQUIRE(matmul.name().starts_with("onednn:"));
  REQUIRE(matmul.name().size() > 8);
  REQUIRE(matmul.bytes() >= 64 * 32 * sizeof(float));
}

TEST_CASE("many threads may run one product") {
  std::mt19937 random(58);
  const Product product(40, 40, 0, random);
  const OnednnMatmul matmul(product.w, product.bias, 40, 40, 40, 40);
  std::vector<double> errors(4);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < errors.size(); ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 mine(static_cast<unsigned>(t));
      for (int round = 0; round < 20; ++round) {
        const double error = product.error_of(matmul, 1 + static_cast<int>(mine() % 90), mine);
        if (!(error <= errors[t])) errors[t] = error;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const double error : errors) REQUIRE(error <= 1);
}
