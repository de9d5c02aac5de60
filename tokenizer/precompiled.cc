#include "tokenizer/precompiled.h"

#include <cstring>

#include "tokenizer/graphemes.h"
#include "tokenizer/utf8.h"

namespace nybble::tokenizer {
namespace {

int base64_digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  return c == '/' ? 63 : -1;
}

std::optional<std::string> decode_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  if (text.size() % 4 == 1) return std::nullopt;
  std::string out;
  out.reserve(text.size() / 4 * 3 + 2);
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const int digit = base64_digit(c);
    if (digit < 0) return std::nullopt;
    bits = (bits << 6 | static_cast<std::uint32_t>(digit)) & 0xFFFFFF;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out.push_back(static_cast<char>(bits >> count & 0xFF));
  }
  return out;
}

/// A unit of the array: label and "is a leaf" in one, where the children are, whether a rule ends here.
std::uint32_t label(std::uint32_t unit) { return unit & (1U << 31 | 0xFF); }
std::uint32_t children(std::uint32_t unit) { return (unit >> 10) << ((unit & 1U << 9) >> 6); }
bool ends_rule(std::uint32_t unit) { return (unit >> 8 & 1) != 0; }
std::uint32_t leaf_value(std::uint32_t unit) { return unit & ~(1U << 31); }

std::size_t count(std::string_view text) { return count_code_points(text); }

}  // namespace

std::optional<Precompiled> Precompiled::parse(std::string_view charsmap) {
  std::uint32_t bytes = 0;
  if (charsmap.size() < sizeof bytes) return std::nullopt;
  std::memcpy(&bytes, charsmap.data(), sizeof bytes);
  bytes -= bytes % 4;
  if (charsmap.size() - 4 < bytes || bytes == 0) return std::nullopt;
  Precompiled out;
  out.units_.resize(bytes / 4);
  std::memcpy(out.units_.data(), charsmap.data() + 4, bytes);
  out.replacements_ = charsmap.substr(4 + bytes);
  if (!is_valid_utf8(out.replacements_)) return std::nullopt;
  out.classify_ascii();
  return out;
}

void Precompiled::classify_ascii() {
  for (std::size_t b = 0; b < ascii_.size(); ++b) {
    const char byte = static_cast<char>(b);
    const auto found = find({&byte, 1});
    if (!found || *found == std::string_view(&byte, 1)) continue;
    const bool single = found->size() == 1;
    ascii_[b] = single ? Ascii::swapped : Ascii::special;
    swap_[b] = single ? (*found)[0] : '\0';
  }
}

std::optional<std::string_view> Precompiled::find(std::string_view chunk) const {
  std::size_t at = children(units_[0]);
  for (const char c : chunk) {
    const auto byte = static_cast<std::uint8_t>(c);
    if (byte == 0) break;
    at ^= byte;
    if (at >= units_.size() || label(units_[at]) != byte) return std::nullopt;
    const std::uint32_t unit = units_[at];
    at ^= children(unit);
    if (!ends_rule(unit)) continue;
    const std::size_t start = at < units_.size() ? leaf_value(units_[at]) : replacements_.size();
    if (start >= replacements_.size() || (replacements_[start] & 0xC0) == 0x80) return std::string_view{};
    return std::string_view(replacements_).substr(start, replacements_.find('\0', start) - start);
  }
  return std::nullopt;
}

/// True if the whole text was normalized here: ASCII, each byte kept or exchanged for another. "\r\n" is one
/// grapheme, so that a rule for its start takes both.
bool Precompiled::normalize_ascii(AlignedText& text) const {
  bool swaps = false;
  for (std::size_t i = 0; i < text.text.size(); ++i) {
    const auto byte = static_cast<std::uint8_t>(text.text[i]);
    if (byte >= 0x80 || ascii_[byte] == Ascii::special) return false;
    if (byte == '\r' && i + 1 < text.text.size() && text.text[i + 1] == '\n') return false;
    swaps |= ascii_[byte] == Ascii::swapped;
  }
  if (!swaps) return true;
  for (char& c : text.text) {
    const auto byte = static_cast<std::uint8_t>(c);
    if (ascii_[byte] == Ascii::swapped) c = swap_[byte];
  }
  return true;
}

/// A replacement, counted as the reference counts it: what it has more is inserted, what it has less goes
/// with its last code point or, where it has none, with the one before.
void Precompiled::put(std::string_view chunk, Rewriter& out, bool& changed) const {
  const auto replacement = find(chunk);
  if (!replacement) return out.put(read_code_point(chunk, 0).value, 0);
  changed = true;
  const std::size_t old_count = count(chunk), new_count = count(*replacement);
  std::size_t i = 0;
  for (std::size_t at = 0; at < replacement->size(); ++i) {
    const CodePoint c = read_code_point(*replacement, at);
    out.put(c.value, i >= old_count);
    at += c.size;
  }
  if (new_count < old_count) out.change_last(static_cast<int>(new_count) - static_cast<int>(old_count));
}

AlignedText Precompiled::normalize(AlignedText input) const {
  if (normalize_ascii(input)) return input;
  constexpr std::size_t kLongestWhole = 5;
  Rewriter out(input);
  bool changed = false;
  const std::string_view text = input.text;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = grapheme_end(text, at);
    const std::string_view whole = text.substr(at, end - at);
    if (whole.size() <= kLongestWhole && find(whole)) {
      put(whole, out, changed);
      at = end;
    }
    while (at < end) {
      const std::uint32_t size = read_code_point(text, at).size;
      put(text.substr(at, size), out, changed);
      at += size;
    }
  }
  return changed ? out.finish() : input;
}

Precompiled read_precompiled(const JsonNode& node) {
  const JsonNode charsmap = node.field("precompiled_charsmap");
  const auto bytes = decode_base64(charsmap.text());
  if (!bytes) charsmap.fail("base64");
  auto rules = Precompiled::parse(*bytes);
  if (!rules) charsmap.fail("a double array and UTF-8 replacements in base64");
  return *std::move(rules);
}

}  // namespace nybble::tokenizer
