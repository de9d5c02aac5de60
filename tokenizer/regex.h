// Regular expressions of a tokenizer.json, in the dialect of its reference (Oniguruma, Ruby syntax, UTF-8),
// with the reference's Unicode tables: a library with tables of another year would split the newest scripts
// elsewhere. What is not known to mean the same is refused when the expression is read.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/aligned_text.h"

namespace nybble::tokenizer {

/// A set of code points.
struct CodePointSet {
  struct Range {
    char32_t low, high;
  };
  std::array<bool, 128> ascii{};  ///< with `negated` applied
  std::vector<Range> ranges;
  std::uint32_t categories = 0;    ///< a bit a general category
  std::uint16_t flags = 0;         ///< unicode::Flag bits: in where one is set
  std::uint16_t absent_flags = 0;  ///< in where one of these is not set
  bool negated = false;

  bool has(char32_t c) const { return c < 128 ? ascii[c] : has_wide(c); }
  /// Fills `ascii` from the rest, once that is complete.
  void freeze();

 private:
  bool has_wide(char32_t c) const;
  bool lists(char32_t c) const;
};

/// Immutable; every member may be called from many threads at once.
class Regex {
 public:
  /// Throws std::string: what is expected instead, for a sentence that names the place in the file.
  static Regex compile(std::string_view pattern);

  bool may_match_nothing() const { return shortest_ == 0; }

  /// Appends the matches in `text`, from left to right, as the reference finds them: an empty match right
  /// after another match does not count. Throws Error{bad_input} where backtracking goes beyond a bound that
  /// grows with the text.
  void find_all(std::string_view text, std::vector<Span>& matches) const;

 private:
  friend class RegexCompiler;
  friend class RegexRun;
  enum class Op : std::uint8_t {
    set,     ///< a code point of sets_[x]
    loop,    ///< min to max code points of sets_[x]; y: Greed
    split,   ///< go on at x, else at y
    jump,    ///< to x
    look,    ///< the program from here + 1 to x must match here (y: Look bits), `min` code points before if
             ///< behind
    atomic,  ///< the program from here + 1 to x, its first match only
    end,     ///< of a program
    line_start,
    line_end,
    text_start,
    text_end,
    last_line_end,
    word_border,
    no_word_border,
  };
  enum Greed : std::uint32_t { greedy, lazy, possessive };
  enum Look : std::uint32_t { kNegative = 1, kBehind = 2 };
  struct Instruction {
    Op op;
    std::uint32_t x = 0, y = 0;
    std::uint32_t min = 0, max = 0;
  };

  std::vector<Instruction> program_;
  std::vector<CodePointSet> sets_;
  std::size_t shortest_ = 0;        ///< code points of the shortest match
  std::array<bool, 256> starts_{};  ///< bytes that a match may start with, unless it may be empty
};

}  // namespace nybble::tokenizer
