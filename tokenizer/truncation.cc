#include "tokenizer/truncation.h"

#include <algorithm>

#include "include/nybble/error.h"

namespace nybble::tokenizer {
namespace {

/// The longer text gives way until both have half.
std::pair<std::size_t, std::size_t> longest_first(std::size_t first, std::size_t second, std::size_t room) {
  const std::size_t shorter = std::min(first, second);
  std::size_t keep_shorter = shorter;
  std::size_t keep_longer = shorter > room ? shorter : std::max(shorter, room - shorter);
  if (keep_shorter + keep_longer > room) {
    keep_shorter = room / 2;
    keep_longer = keep_shorter + room % 2;
  }
  return first <= second ? std::pair(keep_shorter, keep_longer) : std::pair(keep_longer, keep_shorter);
}

[[noreturn]] void fail(const std::string& sentence) { throw Error(ErrorCode::bad_input, sentence); }

std::size_t one_only(std::size_t tokens, std::size_t excess, const char* which) {
  if (tokens > excess) return tokens - excess;
  fail(std::string("The ") + which + " text has " + std::to_string(tokens) +
       " tokens, expected more than the " + std::to_string(excess) + " that are to be cut of it alone.");
}

}  // namespace

std::pair<std::size_t, std::size_t> kept_tokens(std::size_t first, std::optional<std::size_t> second,
                                                std::size_t room, Truncation::Strategy strategy) {
  const std::size_t other = second.value_or(0);
  if (first <= room && other <= room - first) return {first, other};
  if (room == 0) return {0, 0};
  const std::size_t excess = first + other - room;
  switch (strategy) {
    case Truncation::Strategy::only_first:
      return {one_only(first, excess, "first"), other};
    case Truncation::Strategy::only_second:
      if (!second) fail("Only the second text may be cut, expected a pair, found one text.");
      return {first, one_only(other, excess, "second")};
    default:
      return second ? longest_first(first, other, room) : std::pair(room, other);
  }
}

std::vector<Window> windows(std::size_t tokens, std::size_t keep, const Truncation& truncation) {
  if (keep >= tokens) return {{0, tokens}};
  const bool keeps_right = truncation.side == Truncation::Side::left;
  if (keep == 0)
    return truncation.overflow ? std::vector<Window>{{0, 0}, {0, tokens}} : std::vector<Window>{{0, 0}};
  if (truncation.stride >= keep) {
    fail("A stride of " + std::to_string(truncation.stride) +
         " tokens was asked for, expected less than the " + std::to_string(keep) + " that a window has.");
  }
  if (!truncation.overflow) return {keeps_right ? Window{tokens - keep, tokens} : Window{0, keep}};
  const std::size_t step = keep - truncation.stride;
  std::vector<Window> out;
  if (!keeps_right) {
    for (std::size_t start = 0; out.empty() || out.back().stop < tokens; start += step)
      out.push_back({start, std::min(start + keep, tokens)});
  } else {
    for (std::size_t stop = tokens; out.empty() || out.back().start > 0; stop -= step)
      out.push_back({stop - std::min(keep, stop), stop});
  }
  return out;
}

}  // namespace nybble::tokenizer
