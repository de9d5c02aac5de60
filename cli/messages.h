// What goes to stderr: everything but data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "nybble/error.h"

namespace nybble::cli {

/// Writes to stderr as it is. What stderr does not take is lost: there is nowhere left to say so.
void write_stderr(std::string_view text) noexcept;

/// Writes "nybble: SENTENCE" and the end of the line. Control characters, which the names in a sentence may
/// have, become '?': it stays a line, and no terminal obeys a file.
void say(std::string sentence);

/// "" for 1, else "s".
const char* plural(std::uint64_t count);

/// Says how many texts were cut; nothing if none was.
void say_cut(std::uint64_t texts, std::size_t max_tokens);

/// What a call threw: where that tells of "text N: …", it tells of that text's line of `file` instead, as
/// line_of(N) gives it.
Error with_line(const Error& error, const std::string& file,
                const std::function<std::uint64_t(std::size_t index)>& line_of);

/// What was not UTF-8 in texts.
struct InvalidText {
  std::uint64_t parts = 0;  ///< each read as one U+FFFD
  std::uint64_t first = 0;  ///< number of the first such text, from 1; 0: none

  void count(std::uint64_t more_parts, std::uint64_t number);
};

/// Says so, naming where the texts are from and what their numbers count ("line"); nothing if all was UTF-8.
void say_invalid(const InvalidText& invalid, const std::string& source, const char* unit);

}  // namespace nybble::cli
