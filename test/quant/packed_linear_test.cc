#include "quant/packed_linear.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernels/registry.h"
#include "nybble/error.h"
#include "quant/pages.h"
#include "quant/weight_scales.h"

using namespace nybble;
using namespace nybble::kernels;
using quant::IntegerFormat;
using quant::PackedLinear;
using quant::SourceRows;

namespace {

struct Linear {
  int n, k;
  std::vector<float> w, bias;
};

Linear random_linear(int n, int k, std::mt19937& random) {
  Linear linear{n, k, {}, {}};
  std::normal_distribution<float> normal(0.0f, 0.05f);
  for (int i = 0; i < n * k; ++i) linear.w.push_back(normal(random));
  for (int i = 0; i < n; ++i) linear.bias.push_back(normal(random));
  return linear;
}

const KernelSet& scalar() { return find_set("scalar"); }

const IntegerFormat& int8() { return *quant::find_integer_format("int8"); }

quant::WeightScale fit_scale(const IntegerFormat& format, std::span<const float> w) {
  if (format.pack.group != 0) return quant::group_scale(format, w);
  return quant::channel_scale(format, w, scalar().absmax(w.data(), static_cast<std::ptrdiff_t>(w.size())));
}

PackedLinear pack(const KernelSet& kernels, const Linear& linear, const IntegerFormat& format = int8()) {
  const std::vector<SourceRows> weights = {{"f: tensor \"first\"", 3},
                                           {"f: tensor \"rest\"", std::max(0, linear.n - 3)}};
  const std::vector<SourceRows> biases = {{"f: tensor \"bias\"", linear.n}};
  return PackedLinear(kernels, format, linear.w, linear.n, linear.k, linear.bias, weights, biases);
}

// ---- the format, read as its description says ----

int code_at(const PackedLinear& pack, int column, int depth) {
  const int panel = column / kPanelColumns, in_panel = column % kPanelColumns;
  const std::size_t at = panel_offset(pack.k(), panel) +
                         static_cast<std::size_t>(depth / 4 * panel_width(pack.n(), panel) * 4 +
                                                  in_panel / 16 * 64 + in_panel % 16 * 4 + depth % 4);
  return static_cast<std::int8_t>(pack.data()[at]);
}

/// Entry `row` of the trailer of a column's panel: colsums by block, then the scale, then the bias.
template <class T>
T trailer_at(const PackedLinear& pack, int column, int row) {
  const int panel = column / kPanelColumns;
  const std::size_t at = panel_offset(pack.k(), panel) + panel_weight_bytes(pack.n(), pack.k(), panel) +
                         static_cast<std::size_t>(row * kPanelColumns + column % kPanelColumns) * 4;
  T value;
  std::memcpy(&value, pack.data() + at, sizeof value);
  return value;
}

float expected_scale(const Linear& linear, int column) {
  float largest = 0;
  for (int i = 0; i < linear.k; ++i) {
    largest = std::max(largest, std::fabs(linear.w[static_cast<std::size_t>(column * linear.k + i)]));
  }
  const float scale = largest / 127.0f;
  return scale < std::numeric_limits<float>::min() ? 0.0f : scale;
}

int expected_code(const Linear& linear, int column, int depth, float scale) {
  if (scale == 0 || column >= linear.n || depth >= linear.k) return 0;
  const float w = linear.w[static_cast<std::size_t>(column * linear.k + depth)];
  return static_cast<int>(std::clamp(std::nearbyint(w / scale), -127.0f, 127.0f));
}

void check_column(const PackedLinear& pack, const Linear& linear, int column) {
  const bool is_padding = column >= linear.n;
  const float scale = is_padding ? 0.0f : expected_scale(linear, column);
  const int blocks = row_block_count(linear.k), depth = row_block_depth(linear.k);
  std::vector<std::int32_t> colsum(static_cast<std::size_t>(blocks));
  int wrong = 0;
  for (int i = 0; i < padded_depth(linear.k); ++i) {
    const int code = expected_code(linear, column, i, scale);
    wrong += code_at(pack, column, i) != code;
    if (i < linear.k) colsum[static_cast<std::size_t>(i / depth)] += code;
  }
  CHECK(wrong == 0);
  for (int block = 0; block < blocks; ++block) {
    CHECK(trailer_at<std::int32_t>(pack, column, block) == colsum[static_cast<std::size_t>(block)]);
  }
  CHECK(trailer_at<float>(pack, column, blocks) == scale);
  const float bias = is_padding ? 0.0f : linear.bias[static_cast<std::size_t>(column)];
  CHECK(trailer_at<float>(pack, column, blocks + 1) == bias);
}

/// The sentence of the error that packing `linear` gives; "" if none.
std::string sentence_of(const Linear& linear) {
  try {
    pack(best_set(), linear);
  } catch (const Error& error) {
    return error.code() == ErrorCode::unsupported_model ? error.what() : "another code";
  }
  return "";
}

// Tails of N against 16 and 64, of K against 4 and 64, and K of one, two and three blocks of row parameters.
const std::vector<std::pair<int, int>> kShapes = {{1, 1},     {3, 5},     {15, 63},  {16, 64},  {17, 65},
                                                  {63, 4},    {64, 70},   {65, 127}, {100, 40}, {129, 200},
                                                  {40, 1024}, {33, 1025}, {20, 1536}};

}  // namespace

TEST_CASE("a pack holds the codes, sums, scales and biases that its format describes") {
  const unsigned seed = 20240;
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (const auto& [n, k] : kShapes) {
    INFO("n " << n << ", k " << k);
    const Linear linear = random_linear(n, k, random);
    const PackedLinear packed = pack(scalar(), linear);
    REQUIRE(packed.n() == n);
    REQUIRE(packed.k() == k);
    REQUIRE(reinterpret_cast<std::uintptr_t>(packed.data()) % 64 == 0);
    for (int column = 0; column < padded_columns(n); ++column) check_column(packed, linear, column);
  }
}

TEST_CASE("every runnable instruction set packs the same bytes, whatever the format") {
  const unsigned seed = 20241;
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (const IntegerFormat& format : quant::kIntegerFormats)
    for (const auto& [n, k] : kShapes) {
      const Linear linear = random_linear(n, k, random);
      const PackedLinear expected = pack(scalar(), linear, format);
      for (const RegisteredSet& entry : registered_sets()) {
        if (!entry.runnable) continue;
        INFO(entry.set->name << ", " << format.name << ", n " << n << ", k " << k);
        const PackedLinear packed = pack(*entry.set, linear, format);
        REQUIRE(packed.bytes() == expected.bytes());
        REQUIRE(std::memcmp(packed.data(), expected.data(), expected.bytes()) == 0);
      }
    }
}

TEST_CASE(
    "a pack of any format holds each weight to half a step, but for those that a smaller scale cuts off") {
  const unsigned seed = 20242;
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (const IntegerFormat& format : quant::kIntegerFormats) {
    for (const auto& [n, k] : kShapes) {
      INFO(format.name << ", n " << n << ", k " << k);
      const Linear linear = random_linear(n, k, random);
      const PackedLinear packed = pack(best_set(), linear, format);
      REQUIRE(packed.format().name == format.name);
      REQUIRE(packed.bytes() == packed_bytes(n, k, format.pack));
      std::vector<float> w(linear.w.size());
      for (int panel = 0; panel < panel_count(n); ++panel)
        best_set().unpack(packed.data(), n, k, format.pack, panel, w.data(), k);
      const auto depth = static_cast<std::size_t>(k);
      const std::size_t group = format.pack.group == 0 ? depth : static_cast<std::size_t>(format.pack.group);
      int wrong = 0;
      for (std::size_t begin = 0, end; begin < w.size(); begin = end) {
        end = std::min(begin + group, begin - begin % depth + depth);
        const quant::WeightScale fit =
            fit_scale(format, std::span<const float>(linear.w).subspan(begin, end - begin));
        const float lowest = fit.scale * static_cast<float>(least_code(format.pack) - fit.zero),
                    highest = fit.scale * static_cast<float>(greatest_code(format.pack) - fit.zero);
        for (std::size_t i = begin; i < end; ++i) {
          const float inside = std::clamp(linear.w[i], lowest, highest);
          wrong += !(std::fabs(w[i] - inside) <= 0.5001f * fit.scale);
        }
      }
      REQUIRE(wrong == 0);
    }
  }
}

TEST_CASE("a channel of zeros has scale 0 and codes 0, and its neighbours are as without it") {
  std::mt19937 random(7);
  Linear linear = random_linear(20, 33, random);
  std::fill_n(linear.w.begin() + 5 * 33, 33, 0.0f);
  for (const RegisteredSet& entry : registered_sets()) {
    if (!entry.runnable) continue;
    const PackedLinear packed = pack(*entry.set, linear);
    REQUIRE(trailer_at<float>(packed, 5, 1) == 0.0f);
    for (int column = 0; column < 32; ++column) check_column(packed, linear, column);
  }
}

TEST_CASE("the largest weight of a channel has code 127 or -127, whatever its size") {
  std::mt19937 random(8);
  for (const float size : {1e-30f, 1e-5f, 1.0f, 1e30f, std::numeric_limits<float>::max()}) {
    Linear linear = random_linear(2, 9, random);
    linear.w[4] = size;
    linear.w[9 + 3] = -size;
    for (const RegisteredSet& entry : registered_sets()) {
      if (!entry.runnable) continue;
      INFO(entry.set->name << ", " << size);
      const PackedLinear packed = pack(*entry.set, linear);
      if (size < 1.0f) {
        check_column(packed, linear, 0);
        continue;
      }
      REQUIRE(code_at(packed, 0, 4) == 127);
      REQUIRE(code_at(packed, 1, 3) == -127);
    }
  }
}

TEST_CASE(
    "a channel so small that its scale would be subnormal is a channel of zeros; codes stay within 127") {
  const float smallest = std::numeric_limits<float>::denorm_min();
  for (const float size : {smallest, 190 * smallest, 1e-38f, 1.4e-36f, 1.5e-36f, 1e-35f}) {
    const Linear linear{1, 3, {-size, size, size / 3}, {0.5f}};
    for (const RegisteredSet& entry : registered_sets()) {
      if (!entry.runnable) continue;
      INFO(entry.set->name << ", " << size);
      const PackedLinear packed = pack(*entry.set, linear);
      check_column(packed, linear, 0);
      REQUIRE(code_at(packed, 0, 0) == (size < 1.45e-36f ? 0 : -127));
    }
  }
}

TEST_CASE("no bias is a bias of zeros") {
  std::mt19937 random(9);
  Linear linear = random_linear(18, 12, random);
  const PackedLinear without(best_set(), int8(), linear.w, 18, 12, {}, {}, {});
  std::fill(linear.bias.begin(), linear.bias.end(), 0.0f);
  const PackedLinear with = pack(best_set(), linear);
  REQUIRE(std::memcmp(without.data(), with.data(), with.bytes()) == 0);
}

TEST_CASE("a weight or bias that is not finite is an error that names the tensor and the row") {
  std::mt19937 random(10);
  const Linear sound = random_linear(19, 37, random);
  REQUIRE(sentence_of(sound).empty());
  for (const float value : {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
                            std::numeric_limits<float>::quiet_NaN()}) {
    for (const std::size_t row : {std::size_t{0}, std::size_t{7}, std::size_t{18}}) {
      Linear linear = sound;
      linear.w[row * 37 + 36] = value;
      const std::string place = row < 3 ? "\"first\": expected finite weights, found NaN or infinity in row "
                                        : "\"rest\": expected finite weights, found NaN or infinity in row ";
      REQUIRE(sentence_of(linear) == "f: tensor " + place + std::to_string(row < 3 ? row : row - 3));
      linear = sound;
      linear.bias[row] = value;
      REQUIRE(sentence_of(linear) ==
              "f: tensor \"bias\": expected finite biases, found NaN or infinity in row " +
                  std::to_string(row));
    }
  }
}

TEST_CASE("weights packed to given memory are those packed to memory of their own", "[quant]") {
  std::mt19937 random(5);
  const Linear linear = random_linear(70, 100, random);
  const PackedLinear own = pack(scalar(), linear);
  const quant::Pages pages(own.bytes());
  const std::vector<SourceRows> weights = {{"w", linear.n}}, biases = {{"b", linear.n}};
  const auto rows = [&](int begin, int end) {
    return std::span<const float>(linear.w).subspan(static_cast<std::size_t>(begin * linear.k),
                                                    static_cast<std::size_t>((end - begin) * linear.k));
  };
  const PackedLinear given(scalar(), int8(), rows, linear.n, linear.k, linear.bias, weights, biases,
                           pages.data());
  CHECK(given.data() == pages.data());
  CHECK(std::memcmp(given.data(), own.data(), own.bytes()) == 0);
}
