#include "runtime/constants.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <vector>

#include "weight_folder.h"

using namespace nybble;
using namespace nybble::test;
using graph::Extent;
using runtime::Constants;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::vector<float> copy(std::span<const float> values) { return {values.begin(), values.end()}; }

bool lies_in(std::span<const float> values, const runtime::Weights& weights) {
  for (const auto& [name, tensor] : weights.tensors()) {
    if (reinterpret_cast<const std::byte*>(values.data()) == tensor.data.data()) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("aligned F32 is used where it is mapped; at any other place it is copied to the same values") {
  const std::vector<float> values = {1.5f, -0.0f, 1e-40f, 3e38f};
  for (std::size_t skew = 0; skew < 8; ++skew) {
    INFO("skew " << skew);
    const WeightFolder folder({{"t", {"F32", {2, 2}, bytes_of(values)}}}, skew);
    graph::Graph graph;
    const graph::ValueId weight = graph::add_weight(graph, "w", {Extent::of(2), Extent::of(2)}, {"t"});
    Constants constants(graph, folder.weights());
    const std::span<const float> found = constants.f32(weight);
    REQUIRE(copy(found) == values);
    REQUIRE(std::signbit(found[1]));
    REQUIRE(reinterpret_cast<std::uintptr_t>(found.data()) % alignof(float) == 0);
    REQUIRE(lies_in(found, folder.weights()) == (skew % 4 == 0));
    REQUIRE(constants.f32_bytes() == 16);
    REQUIRE(constants.f32(weight).data() == found.data());
    REQUIRE(constants.f32_bytes() == 16);
  }
}

TEST_CASE("F16 and BF16 are converted exactly") {
  const std::vector<float> values = {1.0f, -2.5f, 0.0f, kInfinity, 0.5f, -1.0f};
  const WeightFolder folder(
      {{"bf16",
        {"BF16", {6}, bytes_of(std::vector<std::uint16_t>{0x3f80, 0xc020, 0x0000, 0x7f80, 0x3f00, 0xbf80})}},
       {"f16",
        {"F16", {6}, bytes_of(std::vector<std::uint16_t>{0x3c00, 0xc100, 0x0000, 0x7c00, 0x3800, 0xbc00})}}});
  graph::Graph graph;
  for (const char* name : {"f16", "bf16"}) {
    const graph::ValueId weight = graph::add_weight(graph, name, {Extent::of(6)}, {name});
    Constants constants(graph, folder.weights());
    REQUIRE(copy(constants.f32(weight)) == values);
  }
}

TEST_CASE("tensors of one weight are laid end to end, whatever their types") {
  const WeightFolder folder(
      {{"a", {"F32", {1, 2}, bytes_of(std::vector<float>{1, 2})}},
       {"b", {"BF16", {2, 2}, bytes_of(std::vector<std::uint16_t>{0x4040, 0x4080, 0x40a0, 0x40c0})}}});
  graph::Graph graph;
  const graph::ValueId weight =
      graph::add_weight(graph, "w", {Extent::of(5), Extent::of(2)}, {"b", "a", "b"});
  Constants constants(graph, folder.weights());
  const std::vector<float> expected = {3, 4, 5, 6, 1, 2, 3, 4, 5, 6};
  REQUIRE(copy(constants.f32(weight)) == expected);
  std::vector<float> scratch;
  REQUIRE(copy(constants.read(weight, scratch)) == expected);
  for (int begin = 0; begin < 5; ++begin) {
    for (int end = begin + 1; end <= 5; ++end) {
      const auto at = [&](int row) { return expected.begin() + 2 * row; };
      std::vector<float> row_scratch(1, -1.0f);
      REQUIRE(copy(constants.read_rows(weight, begin, end, row_scratch)) ==
              std::vector<float>(at(begin), at(end)));
    }
  }
  // Rows of F32 alone are used where they are mapped.
  REQUIRE(lies_in(constants.read_rows(weight, 2, 3, scratch), folder.weights()));
  constants.release(weight);
  REQUIRE(copy(constants.read(weight, scratch)) == expected);
}

TEST_CASE("what was given out stays while more is given out") {
  std::map<std::string, WeightTensor> tensors;
  for (int i = 0; i < 50; ++i) {
    tensors["t" + std::to_string(i)] = {
        "BF16", {1}, bytes_of(std::vector<std::uint16_t>{static_cast<std::uint16_t>(0x3f80 + i)})};
  }
  const WeightFolder folder(tensors);
  graph::Graph graph;
  for (int i = 0; i < 50; ++i) {
    graph::add_weight(graph, "w" + std::to_string(i), {Extent::of(1)}, {"t" + std::to_string(i)});
  }
  Constants constants(graph, folder.weights());
  std::vector<const float*> given;
  for (int i = 0; i < 50; ++i) given.push_back(constants.f32(i).data());
  for (int i = 0; i < 50; ++i)
    REQUIRE(*given[static_cast<std::size_t>(i)] == 1.0f + static_cast<float>(i) / 128);
}
