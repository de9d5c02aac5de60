#include "runtime/sequence_groups.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <numeric>
#include <random>
#include <vector>

using namespace nybble::runtime;

namespace {

struct Sequences {
  std::vector<std::int32_t> borders = {0};
  explicit Sequences(const std::vector<int>& lengths) {
    for (const int length : lengths) borders.push_back(borders.back() + length);
  }
  Batch batch() const {
    Batch batch;
    batch.cu_seqlens = borders.data();
    batch.tokens = borders.back();
    batch.sequences = static_cast<int>(borders.size()) - 1;
    return batch;
  }
};

std::vector<int> random_lengths(std::mt19937& random) {
  std::vector<int> lengths(1 + random() % 60);
  const unsigned long longest = 1 + random() % 200;
  for (int& length : lengths) length = static_cast<int>(1 + random() % longest);
  return lengths;
}

std::vector<SequenceGroup> groups_of(const std::vector<int>& lengths, int target,
                                     const RunCosts& costs = {}) {
  std::vector<SequenceGroup> groups;
  form_groups(Sequences(lengths).batch(), target, costs, groups);
  return groups;
}

}  // namespace

TEST_CASE("every sequence is in one group, groups are neighbours, and the largest comes first") {
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    const Sequences sequences(random_lengths(random));
    const int target = static_cast<int>(1 + random() % 300);
    std::vector<SequenceGroup> groups;
    form_groups(sequences.batch(), target, {}, groups);
    REQUIRE(std::is_sorted(groups.begin(), groups.end(), [](auto& a, auto& b) { return a.rows > b.rows; }));
    REQUIRE(static_cast<int>(groups.size()) <= group_limit(sequences.batch().tokens, target));
    std::sort(groups.begin(), groups.end(),
              [](auto& a, auto& b) { return a.first_sequence < b.first_sequence; });
    int sequence = 0;
    for (const SequenceGroup& group : groups) {
      REQUIRE(group.first_sequence == sequence);
      REQUIRE(group.first_row == sequences.borders[static_cast<std::size_t>(sequence)]);
      sequence += group.sequences;
      REQUIRE(group.rows == sequences.borders[static_cast<std::size_t>(sequence)] - group.first_row);
    }
    REQUIRE(sequence == sequences.batch().sequences);
  }
}

TEST_CASE("a group comes as near to its target as whole sequences can") {
  const auto rows = [](const std::vector<SequenceGroup>& groups) {
    std::vector<int> result;
    for (const SequenceGroup& group : groups) result.push_back(group.rows);
    return result;
  };
  REQUIRE(rows(groups_of({50, 50, 50, 50}, 100)) == std::vector{100, 100});
  REQUIRE(rows(groups_of({90, 40, 90, 40}, 100)) == std::vector{130, 90, 40});
  REQUIRE(rows(groups_of({500, 10, 10}, 100)) == std::vector{500, 20});
  REQUIRE(rows(groups_of({64, 64, 64}, 1)) == std::vector{64, 64, 64});
}

TEST_CASE("a group costs its weights, its rows, and attention by the square of its sequences") {
  const RunCosts costs{.per_run = 5, .per_row_length = 0.5};
  const std::vector<SequenceGroup> groups = groups_of({10, 20}, 100, costs);
  REQUIRE(groups.size() == 1);
  REQUIRE(groups[0].cost == Approx(5 + 30 + 0.5 * (100 + 400)));
}

TEST_CASE("the makespan is that of threads that each take the next group when they are free") {
  std::vector<double> loads;
  const auto span = [&](const std::vector<int>& lengths, int threads) {
    return makespan(groups_of(lengths, 1), threads, loads);
  };
  REQUIRE(span({10, 10, 10, 10}, 1) == 40);
  REQUIRE(span({10, 10, 10, 10}, 2) == 20);
  REQUIRE(span({10, 10, 10, 10}, 3) == 20);
  REQUIRE(span({3, 30, 10, 10, 9}, 2) == 32);
}
