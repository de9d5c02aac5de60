#include "runtime/memory_plan.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <vector>

using namespace nybble::runtime;

namespace {

bool live_together(const Lifetime& a, const Lifetime& b) { return a.first <= b.last && b.first <= a.last; }
bool share_bytes(const Lifetime& a, const Lifetime& b) {
  return a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;
}

std::vector<Lifetime> random_buffers(std::mt19937& random) {
  std::vector<Lifetime> buffers(random() % 60);
  for (Lifetime& buffer : buffers) {
    buffer.bytes = random() % 4 == 0 ? random() % 100000 : random() % 300;
    buffer.first = static_cast<int>(random() % 20);
    buffer.last = buffer.first + static_cast<int>(random() % 6);
  }
  return buffers;
}

}  // namespace

TEST_CASE("no two buffers that live at the same step share a byte, and all lie in the block") {
  const unsigned seed = 987;
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 2000; ++round) {
    std::vector<Lifetime> buffers = random_buffers(random);
    const std::size_t total = place_buffers(buffers);
    std::size_t sum = 0, end = 0;
    int overlaps = 0, misaligned = 0;
    for (std::size_t i = 0; i < buffers.size(); ++i) {
      sum += (buffers[i].bytes + 63) / 64 * 64;
      end = std::max(end, buffers[i].offset + buffers[i].bytes);
      misaligned += buffers[i].offset % 64 != 0;
      for (std::size_t j = 0; j < i; ++j)
        overlaps += live_together(buffers[i], buffers[j]) && share_bytes(buffers[i], buffers[j]);
    }
    INFO("round " << round);
    REQUIRE(overlaps == 0);
    REQUIRE(misaligned == 0);
    REQUIRE(end <= total);
    REQUIRE(total <= sum);
  }
}

TEST_CASE("buffers that never live together take the bytes of the largest") {
  std::vector<Lifetime> buffers = {{640, 0, 1, 0}, {6400, 2, 3, 0}, {64, 4, 4, 0}};
  REQUIRE(place_buffers(buffers) == 6400);
}

TEST_CASE("buffers that live at one step take their sum, each rounded up to 64 bytes") {
  std::vector<Lifetime> buffers = {{1, 0, 5, 0}, {65, 5, 5, 0}, {0, 5, 5, 0}};
  REQUIRE(place_buffers(buffers) == 64 + 128);
}

TEST_CASE("no buffers take no bytes") { REQUIRE(place_buffers({}) == 0); }
