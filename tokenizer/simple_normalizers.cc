#include "tokenizer/simple_normalizers.h"

#include <algorithm>

#include "tokenizer/unicode/unicode.h"

namespace nybble::tokenizer {
namespace {

/// Keeps what `keep` says; what is dropped goes with the code point before it, or with the start.
template <class Keep, class Map>
AlignedText filter(AlignedText input, Keep keep, Map map) {
  Rewriter out(input);
  bool any = false;
  for (std::size_t at = 0; at < input.text.size();) {
    const CodePoint c = read_code_point(input.text, at);
    at += c.size;
    if (keep(c.value)) {
      out.put(map(c.value), 0);
      any = true;
    } else if (any) {
      out.change_last(-1);
    } else {
      out.drop(1);
    }
  }
  return out.finish();
}

std::size_t leading_space(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const CodePoint c = read_code_point(text, at);
    if (!unicode::has(c.value, unicode::kSpace)) break;
    at += c.size;
  }
  return at;
}

std::size_t without_trailing_space(std::string_view text) {
  std::size_t end = text.size();
  while (end > 0) {
    const CodePoint c = read_code_point_before(text, end);
    if (!unicode::has(c.value, unicode::kSpace)) break;
    end -= std::min<std::size_t>(c.size, end);
  }
  return end;
}

bool dropped_by_nmt(char32_t c) {
  return (c >= 0x1 && c <= 0x8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F;
}

char32_t blanked_by_nmt(char32_t c) {
  const bool blank = c == 0x9 || c == 0xA || c == 0xC || c == 0xD || c == 0x1680 ||
                     (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 || c == 0x2581 ||
                     c == 0xFEFF || c == 0xFFFD;
  return blank ? U' ' : c;
}

std::array<char32_t, 256> make_byte_characters() {
  std::array<char32_t, 256> out{};
  char32_t next = 0x100;
  for (char32_t b = 0; b < 256; ++b) {
    const bool printable = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
    out[b] = printable ? b : next++;
  }
  return out;
}

std::array<std::int16_t, 0x144> make_bytes_of_characters() {
  std::array<std::int16_t, 0x144> out{};
  out.fill(-1);
  for (std::size_t b = 0; b < 256; ++b) out[byte_characters()[b]] = static_cast<std::int16_t>(b);
  return out;
}

}  // namespace

AlignedText normalize(const Lowercase&, AlignedText input) {
  if (is_ascii(input.text)) {
    for (char& c : input.text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
    return input;
  }
  Rewriter out(input);
  for (std::size_t at = 0; at < input.text.size();) {
    const CodePoint c = read_code_point(input.text, at);
    const unicode::Properties& p = unicode::properties(c.value);
    out.put(static_cast<char32_t>(static_cast<std::int32_t>(c.value) + p.lower_delta), 0);
    if (p.lower_second != 0) out.put(p.lower_second, 1);
    at += c.size;
  }
  return out.finish();
}

AlignedText normalize(const StripAccents&, AlignedText input) {
  if (is_ascii(input.text)) return input;
  const auto keep = [](char32_t c) { return !unicode::has(c, unicode::kMark); };
  return filter(std::move(input), keep, [](char32_t c) { return c; });
}

AlignedText normalize(const Strip& options, AlignedText input) {
  const std::size_t end = options.right ? without_trailing_space(input.text) : input.text.size();
  const std::size_t begin = options.left ? std::min(leading_space(input.text), end) : 0;
  if (begin == 0 && end == input.text.size()) return input;
  return input.slice(begin, end);
}

AlignedText normalize(const Prepend& options, AlignedText input) {
  return input.text.empty() ? std::move(input) : with_prefix(options.prefix, input);
}

AlignedText normalize(const Nmt&, AlignedText input) {
  const auto dropped = [](char c) { return dropped_by_nmt(static_cast<std::uint8_t>(c)); };
  if (is_ascii(input.text) && std::none_of(input.text.begin(), input.text.end(), dropped)) {
    for (char& c : input.text) c = static_cast<char>(blanked_by_nmt(static_cast<std::uint8_t>(c)));
    return input;
  }
  return filter(
      std::move(input), [](char32_t c) { return !dropped_by_nmt(c); }, blanked_by_nmt);
}

AlignedText normalize(const ByteLevelNormalizer&, AlignedText input) {
  Rewriter out(input);
  for (std::size_t at = 0; at < input.text.size();) {
    const std::uint32_t size = read_code_point(input.text, at).size;
    for (std::uint32_t i = 0; i < size; ++i)
      out.put(byte_characters()[static_cast<std::uint8_t>(input.text[at + i])], i > 0);
    at += size;
  }
  return out.finish();
}

AlignedText with_prefix(std::string_view prefix, const AlignedText& input) {
  AlignedText out{std::string(prefix), {}, input.base, input.origins};
  out.text += input.text;
  if (input.origins == AlignedText::Origins::none) return out;
  out.origins = AlignedText::Origins::listed;
  out.from.assign(prefix.size(), input.origin(0, read_code_point(input.text, 0).size));
  out.from.reserve(out.text.size());
  input.list_origins(0, input.text.size(), out.from);
  return out;
}

const std::array<char32_t, 256>& byte_characters() {
  static const std::array<char32_t, 256> characters = make_byte_characters();
  return characters;
}

int byte_of_character(char32_t c) {
  static const std::array<std::int16_t, 0x144> bytes = make_bytes_of_characters();
  return c < bytes.size() ? bytes[c] : -1;
}

}  // namespace nybble::tokenizer
