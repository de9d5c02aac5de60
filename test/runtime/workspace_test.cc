#include "runtime/workspace.h"

#include <catch2/catch.hpp>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

using namespace nybble::runtime;

namespace {

Plan plan_of(int max_tokens) {
  Plan plan;
  plan.max_tokens = max_tokens;
  plan.block_rows = 12;
  plan.row_bytes = 40;
  plan.scratch_row_bytes = 24;
  plan.own_bytes = 100;
  return plan;
}

using Range = std::pair<const std::byte*, const std::byte*>;

Range bytes_of(const RowMemory& memory, std::size_t row_bytes) {
  return {memory.data, memory.data + row_bytes * static_cast<std::size_t>(memory.capacity)};
}

int overlaps(const std::vector<Range>& ranges) {
  int count = 0;
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j)
      count += ranges[i].first < ranges[j].second && ranges[j].first < ranges[i].second;
  }
  return count;
}

/// The borders of `count` sequences of `length` tokens.
std::vector<std::int32_t> equal_borders(int count, int length) {
  std::vector<std::int32_t> borders;
  for (int i = 0; i <= count; ++i) borders.push_back(i * length);
  return borders;
}

}  // namespace

TEST_CASE("a workspace has rows for a batch, and scratch and memory of its own for each thread, all apart") {
  for (const int tokens : {1, 8, 100}) {
    const Workspace workspace(plan_of(tokens), 3);
    std::vector<Range> ranges = {bytes_of(workspace.rows(0, tokens), 40)};
    REQUIRE(workspace.rows(0, tokens).capacity >= tokens);
    for (int member = 0; member < 3; ++member) {
      REQUIRE(workspace.scratch(member).capacity >= 12);
      ranges.push_back(bytes_of(workspace.scratch(member), 24));
      ranges.emplace_back(workspace.own(member), workspace.own(member) + 100);
    }
    for (const auto& [begin, end] : ranges) {
      REQUIRE(reinterpret_cast<std::uintptr_t>(begin) % 64 == 0);
      std::memset(const_cast<std::byte*>(begin), 1, static_cast<std::size_t>(end - begin));
    }
    REQUIRE(overlaps(ranges) == 0);
    REQUIRE(workspace.shared_scratch().capacity >= 3 * 12);
    REQUIRE(workspace.shared_scratch().data == workspace.scratch(0).data);
  }
}

TEST_CASE("all groups of a batch have rows and borders apart, in the least room that their plan allows") {
  for (const int length : {1, 3, 8, 16, 17, 100}) {
    const int tokens = 400 / length * length;
    Workspace workspace(plan_of(tokens), 2);
    const std::vector<std::int32_t> borders = equal_borders(tokens / length, length);
    Batch batch;
    batch.cu_seqlens = borders.data();
    batch.tokens = tokens;
    batch.sequences = tokens / length;
    form_groups(batch, Workspace::kLeastGroup, {}, workspace.groups);
    std::vector<Range> ranges = {bytes_of(workspace.scratch(0), 24), bytes_of(workspace.scratch(1), 24)};
    for (std::size_t i = 0; i < workspace.groups.size(); ++i) {
      const SequenceGroup& group = workspace.groups[i];
      ranges.push_back(bytes_of(workspace.rows(group.memory_row, group.rows), 40));
      const auto* first = reinterpret_cast<std::byte*>(workspace.borders(group, static_cast<int>(i)));
      ranges.emplace_back(first,
                          first + sizeof(std::int32_t) * static_cast<std::size_t>(group.sequences + 1));
    }
    INFO("length " << length);
    REQUIRE(overlaps(ranges) == 0);
    for (const auto& [begin, end] : ranges)
      std::memset(const_cast<std::byte*>(begin), 1, static_cast<std::size_t>(end - begin));
  }
}
