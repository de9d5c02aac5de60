// Reading and writing one code point of UTF-8.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace nybble::tokenizer {

struct CodePoint {
  char32_t value;
  std::uint32_t size;  ///< bytes
};

/// The code point at `at`, which must be below text.size(). Never reads past the end: what is no UTF-8 reads
/// as U+FFFD or as some code point, a byte or more at a time.
inline CodePoint read_code_point(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[at + i]); };
  const auto low = [&](std::size_t i) { return static_cast<char32_t>(byte(i) & 0x3F); };
  const std::size_t left = text.size() - at;
  const std::uint8_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  if (lead < 0xE0 && left >= 2) return {static_cast<char32_t>(lead & 0x1F) << 6 | low(1), 2};
  if (lead >= 0xE0 && lead < 0xF0 && left >= 3) {
    return {static_cast<char32_t>(lead & 0x0F) << 12 | low(1) << 6 | low(2), 3};
  }
  if (lead >= 0xF0 && left >= 4) {
    const char32_t value = static_cast<char32_t>(lead & 0x07) << 18 | low(1) << 12 | low(2) << 6 | low(3);
    return {value < 0x110000 ? value : 0xFFFD, 4};
  }
  return {0xFFFD, 1};
}

/// The code point that ends at `end`, which must be above 0.
inline CodePoint read_code_point_before(std::string_view text, std::size_t end) {
  std::size_t at = end - 1;
  while (at > 0 && end - at < 4 && (static_cast<std::uint8_t>(text[at]) & 0xC0) == 0x80) --at;
  return read_code_point(text.substr(0, end), at);
}

/// Writes the bytes of a code point and returns how many.
inline std::size_t write_code_point(char (&out)[4], char32_t c) {
  std::size_t size = 0;
  const auto put = [&](char32_t byte) { out[size++] = static_cast<char>(byte); };
  const auto put_low = [&](unsigned shift) { put(0x80 | (c >> shift & 0x3F)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | c >> 6);
    put_low(0);
  } else if (c < 0x10000) {
    put(0xE0 | c >> 12);
    put_low(6);
    put_low(0);
  } else {
    put(0xF0 | c >> 18);
    put_low(12);
    put_low(6);
    put_low(0);
  }
  return size;
}

inline void append_code_point(std::string& out, char32_t c) {
  char bytes[4];
  out.append(bytes, write_code_point(bytes, c));
}

/// How many code points a valid text has.
inline std::size_t count_code_points(std::string_view text) {
  std::size_t count = 0;
  for (const char c : text) count += (static_cast<std::uint8_t>(c) & 0xC0) != 0x80;
  return count;
}

}  // namespace nybble::tokenizer
