#include "runtime/text_windows.h"

#include <algorithm>
#include <string>

namespace nybble::runtime {
namespace {

/// Whether a character ends before token `i`.
bool is_border(TokenOffsets offsets, std::size_t i) {
  return i == 0 || i == offsets.size() || offsets[i].first >= offsets[i - 1].second;
}

std::size_t end_of_window(TokenOffsets offsets, std::size_t begin, std::size_t room) {
  std::size_t end = std::min(begin + room, offsets.size());
  while (end > begin && !is_border(offsets, end)) --end;
  if (end > begin || offsets.empty()) return end;
  throw Error(ErrorCode::too_long, "a character of the text: expected at most " + std::to_string(room) +
                                       " tokens, the room of a window, found more");
}

}  // namespace

std::vector<TokenRange> cut_windows(TokenOffsets offsets, std::size_t room, std::size_t overlap) {
  std::vector<TokenRange> windows;
  for (std::size_t begin = 0;;) {
    const std::size_t end = end_of_window(offsets, begin, room);
    windows.push_back({begin, end});
    if (end == offsets.size()) return windows;
    begin = std::max(begin + 1, end - std::min(overlap, end));
    while (!is_border(offsets, begin)) ++begin;
  }
}

TextParts parts_of(const tokenizer::Encoding& encoding, std::size_t prompt_bytes) {
  const std::size_t size = encoding.ids.size();
  TextParts parts;
  while (parts.lead < size && encoding.special[parts.lead] != 0) ++parts.lead;
  while (parts.lead + parts.trail < size && encoding.special[size - 1 - parts.trail] != 0) ++parts.trail;
  while (parts.lead + parts.trail < size && encoding.offsets[parts.lead].second <= prompt_bytes &&
         prompt_bytes > 0)
    ++parts.lead;
  parts.own = size - parts.lead - parts.trail;
  return parts;
}

std::vector<TokenRange> sequences_of_text(const TextForm& form, const TextParts& parts,
                                          TokenOffsets offsets) {
  const std::size_t others = parts.lead + parts.trail;
  const std::size_t room = form.room() > others ? form.room() - others : 0;
  if (form.has_windows) return cut_windows(offsets, room, form.overlap);
  if (parts.own <= room || form.truncate == Truncate::error) return {{0, parts.own}};
  if (form.truncate == Truncate::left) return {{parts.own - room, parts.own}};
  return {{0, room}};
}

}  // namespace nybble::runtime
