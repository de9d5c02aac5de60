#include "runtime/memory_plan.h"

#include <algorithm>
#include <numeric>
#include <vector>

namespace nybble::runtime {
namespace {

constexpr std::size_t kAlignment = 64;

std::size_t aligned(std::size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

bool live_together(const Lifetime& a, const Lifetime& b) { return a.first <= b.last && b.first <= a.last; }

/// The lowest offset where `buffer` fits between those that are placed and alive with it.
std::size_t first_fit(const Lifetime& buffer, std::vector<const Lifetime*> placed) {
  std::erase_if(placed, [&](const Lifetime* other) { return !live_together(buffer, *other); });
  std::sort(placed.begin(), placed.end(), [](auto* a, auto* b) { return a->offset < b->offset; });
  std::size_t offset = 0;
  for (const Lifetime* other : placed) {
    if (offset + aligned(buffer.bytes) <= other->offset) break;
    offset = std::max(offset, other->offset + aligned(other->bytes));
  }
  return offset;
}

}  // namespace

std::size_t place_buffers(std::span<Lifetime> buffers) {
  std::vector<std::size_t> by_size(buffers.size());
  std::iota(by_size.begin(), by_size.end(), std::size_t{0});
  std::stable_sort(by_size.begin(), by_size.end(),
                   [&](std::size_t a, std::size_t b) { return buffers[a].bytes > buffers[b].bytes; });
  std::vector<const Lifetime*> placed;
  std::size_t total = 0;
  for (const std::size_t i : by_size) {
    buffers[i].offset = first_fit(buffers[i], placed);
    placed.push_back(&buffers[i]);
    total = std::max(total, buffers[i].offset + aligned(buffers[i].bytes));
  }
  return total;
}

}  // namespace nybble::runtime
