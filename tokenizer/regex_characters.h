// The text of a regular expression as it is read: its characters, escapes and classes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "tokenizer/regex.h"
#include "tokenizer/unicode/unicode.h"

namespace nybble::tokenizer {

inline bool is_letter(char32_t c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
inline bool is_digit(char32_t c) { return c >= '0' && c <= '9'; }

inline void add_range(CodePointSet& set, char32_t low, char32_t high) { set.ranges.push_back({low, high}); }

/// Code points that differ from a letter only in case: beside the other case the Kelvin sign and the long s.
void add_other_cases(CodePointSet& set, char32_t c);

/// A place in the text of an expression. What it cannot read throws std::string, as Regex::compile() does.
class RegexCharacters {
 public:
  explicit RegexCharacters(std::string_view pattern) : pattern_(pattern) {}

 protected:
  [[noreturn]] static void refuse(std::string expected) { throw expected; }

  bool at_end() const { return at_ >= pattern_.size(); }
  char32_t peek() const { return read_code_point(pattern_, at_).value; }
  char32_t next();
  bool accept(std::string_view text);

  // ---- behind a backslash ----

  /// \s, \p{L} and the like; false, and nothing read, where it is none of these. `word`: what \w stands for.
  bool add_class_escape(CodePointSet& set, std::uint16_t word = unicode::kRegexWordChar);
  char32_t escaped_character();

  // ---- behind a bracket ----

  CodePointSet bracket(bool ignore_case);

  std::string_view pattern_;
  std::size_t at_ = 0;

 private:
  void add_property(CodePointSet& set, bool complement);
  /// Four digits, or up to eight and a brace.
  char32_t hex_number(int most);
  void bracket_item(CodePointSet& set, bool first, bool ignore_case);
  char32_t bracket_escape();
  void bracket_range(CodePointSet& set, char32_t low, bool ignore_case);
};

}  // namespace nybble::tokenizer
