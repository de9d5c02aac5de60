#include "runtime/node_model.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <vector>

using namespace nybble::runtime;

namespace {

std::vector<int> threads_of(const std::vector<NodeThreads>& shares) {
  std::vector<int> result;
  for (const NodeThreads& share : shares) result.push_back(share.threads);
  return result;
}

std::vector<int> cuts_of(const std::vector<int>& lengths, const std::vector<int>& shares) {
  std::vector<std::int32_t> borders = {0};
  for (const int length : lengths) borders.push_back(borders.back() + length);
  Batch batch;
  batch.cu_seqlens = borders.data();
  batch.tokens = borders.back();
  batch.sequences = static_cast<int>(lengths.size());
  return cut_batch(batch, shares);
}

}  // namespace

TEST_CASE("this machine has a NUMA node with a CPU") {
  const std::vector<NodeThreads> nodes = numa_nodes();
  REQUIRE_FALSE(nodes.empty());
  for (const NodeThreads& node : nodes) REQUIRE(node.threads >= 1);
}

TEST_CASE("threads that fit one node stay together; more are shared out by the nodes' CPUs, none lost") {
  const std::vector<NodeThreads> two = {{0, 4}, {1, 8}};
  for (const int threads : {1, 4, 8}) {
    const std::vector<NodeThreads> shares = share_threads(threads, two);
    REQUIRE(threads_of(shares) == std::vector{threads});
    REQUIRE(shares[0].node == NodeThreads::kAnyNode);
  }
  REQUIRE(threads_of(share_threads(12, two)) == std::vector{4, 8});
  REQUIRE(threads_of(share_threads(9, two)) == std::vector{3, 6});
  REQUIRE(threads_of(share_threads(48, two)) == std::vector{16, 32});
  REQUIRE(share_threads(12, two)[1].node == 1);
  REQUIRE(threads_of(share_threads(64, {{0, 2}})) == std::vector{64});
  for (int threads = 1; threads < 40; ++threads) {
    int sum = 0;
    for (const NodeThreads& share : share_threads(threads, {{0, 1}, {3, 5}, {7, 2}})) {
      REQUIRE(share.threads >= 1);
      sum += share.threads;
    }
    REQUIRE(sum == threads);
  }
}

TEST_CASE("a batch is cut between sequences, in proportion to the nodes' threads") {
  REQUIRE(cuts_of(std::vector<int>(12, 10), {1, 1}) == std::vector{0, 6, 12});
  REQUIRE(cuts_of(std::vector<int>(12, 10), {1, 2}) == std::vector{0, 4, 12});
  REQUIRE(cuts_of({100, 10, 10}, {1, 1}) == std::vector{0, 1, 3});
  REQUIRE(cuts_of({10, 10, 100}, {1, 1}) == std::vector{0, 2, 3});
  REQUIRE(cuts_of({5}, {1, 1, 1}) == std::vector{0, 0, 1, 1});
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    std::vector<int> lengths(1 + random() % 30), shares(1 + random() % 4);
    for (int& length : lengths) length = static_cast<int>(1 + random() % 500);
    for (int& share : shares) share = static_cast<int>(1 + random() % 64);
    const std::vector<int> cuts = cuts_of(lengths, shares);
    REQUIRE(cuts.size() == shares.size() + 1);
    REQUIRE(cuts.front() == 0);
    REQUIRE(std::is_sorted(cuts.begin(), cuts.end()));
    REQUIRE(cuts.back() == static_cast<int>(lengths.size()));
  }
}
