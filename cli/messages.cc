#include "cli/messages.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdio>

namespace nybble::cli {

void write_stderr(std::string_view text) noexcept {
  // Not fmt::print: it throws where stderr is full or closed.
  if (std::fwrite(text.data(), 1, text.size(), stderr) == text.size()) std::fflush(stderr);
}

void say(std::string sentence) {
  const auto is_control = [](unsigned char byte) { return byte < 0x20 || byte == 0x7f; };
  std::replace_if(sentence.begin(), sentence.end(), is_control, '?');
  write_stderr("nybble: " + sentence + "\n");
}

const char* plural(std::uint64_t count) { return count == 1 ? "" : "s"; }

void say_cut(std::uint64_t texts, std::size_t max_tokens) {
  if (texts > 0) say(fmt::format("{} text{} cut to {} tokens", texts, plural(texts), max_tokens));
}

Error with_line(const Error& error, const std::string& file,
                const std::function<std::uint64_t(std::size_t)>& line_of) {
  constexpr std::string_view kText = "text ";
  const std::string_view sentence = error.what();
  if (!sentence.starts_with(kText)) return error;
  std::size_t index = 0;
  const auto [end, failure] =
      std::from_chars(sentence.data() + kText.size(), sentence.data() + sentence.size(), index);
  if (failure != std::errc() || !std::string_view(end).starts_with(": ")) return error;
  return {error.code(), fmt::format("{}: line {}{}", file, line_of(index), end)};
}

void InvalidText::count(std::uint64_t more_parts, std::uint64_t number) {
  if (parts == 0 && more_parts > 0) first = number;
  parts += more_parts;
}

void say_invalid(const InvalidText& invalid, const std::string& source, const char* unit) {
  if (invalid.parts == 0) return;
  say(fmt::format("{}: {} invalid UTF-8 part{} read as U+FFFD, the first in {} {}", source, invalid.parts,
                  plural(invalid.parts), unit, invalid.first));
}

}  // namespace nybble::cli
