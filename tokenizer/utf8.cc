#include "tokenizer/utf8.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace nybble::tokenizer {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

/// What the bytes at one position are: a character of `size` bytes, or an invalid part of that size.
struct Part {
  std::size_t size;
  bool valid;
};

struct LeadByte {
  std::size_t size;   ///< bytes of the whole character; 0 for a byte that cannot start one
  std::uint8_t low;   ///< the range of the second byte, which alone excludes overlong forms,
  std::uint8_t high;  ///< surrogates and code points above U+10FFFF (Unicode, table 3-7)
};

LeadByte classify(std::uint8_t byte) {
  if (byte < 0x80) return {1, 0, 0};
  if (byte < 0xC2 || byte > 0xF4) return {0, 0, 0};
  if (byte < 0xE0) return {2, 0x80, 0xBF};
  if (byte < 0xF0) {
    return {3, static_cast<std::uint8_t>(byte == 0xE0 ? 0xA0 : 0x80),
            static_cast<std::uint8_t>(byte == 0xED ? 0x9F : 0xBF)};
  }
  return {4, static_cast<std::uint8_t>(byte == 0xF0 ? 0x90 : 0x80),
          static_cast<std::uint8_t>(byte == 0xF4 ? 0x8F : 0xBF)};
}

Part part_at(std::string_view text, std::size_t at) {
  const LeadByte lead = classify(static_cast<std::uint8_t>(text[at]));
  if (lead.size <= 1) return {1, lead.size == 1};
  for (std::size_t i = 1; i < lead.size; ++i) {
    if (at + i == text.size()) return {i, false};
    const auto byte = static_cast<std::uint8_t>(text[at + i]);
    const bool fits = i == 1 ? byte >= lead.low && byte <= lead.high : (byte & 0xC0) == 0x80;
    if (!fits) return {i, false};
  }
  return {lead.size, true};
}

std::size_t skip_ascii(std::string_view text, std::size_t at) {
  constexpr std::uint64_t kHighBits = 0x8080808080808080;
  for (; at + 8 <= text.size(); at += 8) {
    std::uint64_t eight = 0;
    std::memcpy(&eight, text.data() + at, 8);
    if ((eight & kHighBits) != 0) break;
  }
  while (at < text.size() && static_cast<std::uint8_t>(text[at]) < 0x80) ++at;
  return at;
}

/// The first invalid part at or after `at`; the end of the text if there is none.
std::size_t find_invalid(std::string_view text, std::size_t at) {
  while ((at = skip_ascii(text, at)) < text.size()) {
    const Part part = part_at(text, at);
    if (!part.valid) return at;
    at += part.size;
  }
  return at;
}

}  // namespace

std::size_t RepairedText::to_original(std::size_t repaired_offset) const {
  const auto after =
      std::upper_bound(edits.begin(), edits.end(), repaired_offset,
                       [](std::size_t offset, const Edit& edit) { return offset < edit.repaired; });
  if (after == edits.begin()) return repaired_offset;
  const Edit& before = *(after - 1);
  return before.original + (repaired_offset - before.repaired);
}

bool is_valid_utf8(std::string_view text) { return find_invalid(text, 0) == text.size(); }

RepairedText repair_utf8(std::string_view text) {
  RepairedText out;
  out.text.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t invalid = find_invalid(text, at);
    out.text.append(text, at, invalid - at);
    if (invalid == text.size()) break;
    if (out.replaced++ == 0) out.first_byte = invalid;
    out.text += kReplacement;
    at = invalid + part_at(text, invalid).size;
    out.edits.push_back({out.text.size(), at});
  }
  return out;
}

}  // namespace nybble::tokenizer
