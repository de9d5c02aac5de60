#include "runtime/position_tables.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

using namespace nybble::runtime;

TEST_CASE("sin_cos is within 1e-13 of the C library's, near multiples of pi/2 and far from zero") {
  for (int i = 0; i < 200000; ++i) {
    const double x = i * 0.0517 + i * 1e-9;
    INFO(x);
    REQUIRE(std::fabs(sin_cos(x).sin - std::sin(x)) < 1e-13);
    REQUIRE(std::fabs(sin_cos(x).cos - std::cos(x)) < 1e-13);
  }
  for (int k = 0; k < 100000; k += 7) {
    const double x = k * 1.57079632679489661923;
    REQUIRE(std::fabs(sin_cos(x).sin - std::sin(x)) < 1e-13);
    REQUIRE(std::fabs(sin_cos(x).cos - std::cos(x)) < 1e-13);
  }
}

TEST_CASE("Buckets of distances are exact near, logarithmic beyond, and other ones behind than before") {
  const std::vector<int> distances = {0, 1, 7, 8, 11, 12, 15, 16, 31, 32, 63, 64, 127, 128, 5000};
  const std::vector<int> buckets = {0, 1, 7, 8, 8, 9, 9, 10, 11, 12, 13, 14, 15, 15, 15};
  for (std::size_t i = 0; i < distances.size(); ++i) {
    INFO(distances[i]);
    REQUIRE(relative_bucket(-distances[i], 32, 128) == buckets[i]);
    if (distances[i] > 0) REQUIRE(relative_bucket(distances[i], 32, 128) == 16 + buckets[i]);
  }
}

TEST_CASE("Slopes halve from head to head, and heads beyond a power of two stand between") {
  REQUIRE(static_cast<float>(alibi_slope(0, 8)) == 0.5F);
  REQUIRE(static_cast<float>(alibi_slope(7, 8)) == 1.0F / 256);
  REQUIRE(alibi_slope(8, 12) == Approx(std::pow(2.0, -0.5)));
  REQUIRE(alibi_slope(11, 12) == Approx(std::pow(2.0, -3.5)));
}

TEST_CASE("A distance bias read with a row stride of -1 is that of each query and key") {
  PositionTables tables(9);
  const std::vector<float> values = {0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23, 30, 31, 32, 33};
  const DistanceBias& bias = tables.buckets("b", values, 2, 4);
  for (int head = 0; head < 2; ++head) {
    for (int query = 0; query < 9; ++query) {
      for (int key = 0; key < 9; ++key) {
        const int bucket = relative_bucket(key - query, 8, 4);
        REQUIRE(bias.of(head)[key - query] == values[static_cast<std::size_t>(2 * bucket + head)]);
      }
    }
  }
  REQUIRE(&tables.buckets("b", values, 2, 4) == &bias);
  REQUIRE(tables.alibi(4).of(1)[-3] == -3.0F / 16);
}

TEST_CASE("Frequencies fall from 1 by equal factors, and are divided by the node's factor") {
  std::vector<float> plain(16), divided(16);
  rotary_frequencies(10000, 1, plain);
  rotary_frequencies(10000, 4, divided);
  for (std::size_t i = 0; i < plain.size(); ++i) {
    REQUIRE(static_cast<double>(plain[i]) ==
            Approx(std::pow(10000.0, -static_cast<double>(i) / 16)).epsilon(1e-6));
    REQUIRE(divided[i] == plain[i] / 4);
  }
  REQUIRE(plain[0] == 1);
}

TEST_CASE("Theta grows with the length of a sequence beyond the trained one, from there on") {
  nybble::graph::Node node;
  REQUIRE(RotaryStretch(node).theta(1000, 1 << 20, 64) == 1000);
  node.attributes = {{"trained", std::int64_t{2048}}, {"stretch", 2.0}};
  const RotaryStretch stretch(node);
  REQUIRE(stretch.theta(1000, 1, 64) == 1000);
  REQUIRE(stretch.theta(1000, 2048, 64) == 1000);
  REQUIRE(stretch.theta(1000, 8192, 64) == Approx(1000 * std::pow(2.0 * 4 - 1, 64.0 / 62)));
}
