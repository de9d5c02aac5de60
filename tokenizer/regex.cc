#include "tokenizer/regex.h"

#include <algorithm>
#include <limits>

#include "include/nybble/error.h"
#include "tokenizer/unicode/unicode.h"

namespace nybble::tokenizer {

bool CodePointSet::lists(char32_t c) const {
  const unicode::Properties& p = unicode::properties(c);
  if ((categories >> p.category & 1) != 0 || (p.flags & flags) != 0) return true;
  if ((~p.flags & absent_flags) != 0) return true;
  return std::any_of(ranges.begin(), ranges.end(), [&](Range r) { return c >= r.low && c <= r.high; });
}

bool CodePointSet::has_wide(char32_t c) const { return lists(c) != negated; }

void CodePointSet::freeze() {
  for (char32_t c = 0; c < 128; ++c) ascii[c] = lists(c) != negated;
}

/// One search. Alternatives that are left wait on a stack.
class RegexRun {
 public:
  RegexRun(const Regex& regex, std::string_view text)
      : regex_(regex), text_(text), steps_left_(kSteps + kStepsPerByte * text.size()) {}

  std::optional<std::size_t> match_at(std::size_t at) { return run(0, at); }

  bool may_start_at(std::size_t at) const {
    return regex_.shortest_ == 0 ||
           (at < text_.size() && regex_.starts_[static_cast<std::uint8_t>(text_[at])]);
  }

 private:
  using Op = Regex::Op;
  static constexpr std::size_t kNowhere = std::numeric_limits<std::size_t>::max();
  /// A byte of English costs some ten steps with the expressions in use.
  static constexpr std::size_t kSteps = 100000, kStepsPerByte = 1000;

  struct Choice {
    std::uint32_t pc;
    std::size_t at;
    std::size_t floor;   ///< of a loop: may give back down to here; else kNowhere
    std::uint32_t more;  ///< of a lazy loop: code points that it may still take
  };

  void count_step() {
    if (steps_left_-- > 0) return;
    throw Error(ErrorCode::bad_input, "A regular expression of the tokenizer takes more than " +
                                          std::to_string(kSteps + kStepsPerByte * text_.size()) +
                                          " steps on a text of " + std::to_string(text_.size()) + " bytes.");
  }

  /// Runs the program from `pc`; the end of its first match.
  std::optional<std::size_t> run(std::uint32_t pc, std::size_t at) {
    const std::size_t bottom = stack_.size();
    for (;;) {
      count_step();
      const Regex::Instruction& i = regex_.program_[pc];
      bool holds = true;
      switch (i.op) {
        case Op::end:
          stack_.resize(bottom);
          return at;
        case Op::set:
          holds = take(i.x, at);
          ++pc;
          break;
        case Op::loop:
          holds = loop(i, pc, at);
          ++pc;
          break;
        case Op::split:
          stack_.push_back({i.y, at, kNowhere, 0});
          pc = i.x;
          break;
        case Op::jump:
          pc = i.x;
          break;
        case Op::look:
          holds = look(i, pc, at);
          pc = i.x;
          break;
        case Op::atomic:
          if (const auto end = run(pc + 1, at)) {
            at = *end;
          } else {
            holds = false;
          }
          pc = i.x;
          break;
        default:
          holds = border(i.op, at);
          ++pc;
      }
      if (!holds && !backtrack(bottom, pc, at)) return std::nullopt;
    }
  }

  bool backtrack(std::size_t bottom, std::uint32_t& pc, std::size_t& at) {
    while (stack_.size() > bottom) {
      Choice& c = stack_.back();
      pc = c.pc;
      at = c.at;
      if (c.floor == kNowhere) {
        stack_.pop_back();
        return true;
      }
      const Regex::Instruction& i = regex_.program_[pc];
      if (i.y == Regex::lazy) {
        if (c.more == 0 || !take(i.x, at)) {
          stack_.pop_back();
          continue;
        }
        c.at = at;
        --c.more;
      } else {
        if (at <= c.floor) {
          stack_.pop_back();
          continue;
        }
        at -= read_code_point_before(text_, at).size;
        c.at = at;
      }
      ++pc;
      return true;
    }
    return false;
  }

  bool take(std::uint32_t set, std::size_t& at) const {
    if (at >= text_.size()) return false;
    const CodePoint c = read_code_point(text_, at);
    if (!regex_.sets_[set].has(c.value)) return false;
    at += c.size;
    return true;
  }

  bool loop(const Regex::Instruction& i, std::uint32_t pc, std::size_t& at) {
    std::uint32_t taken = 0;
    while (taken < i.min && take(i.x, at)) ++taken;
    if (taken < i.min) return false;
    if (i.y == Regex::lazy) {
      stack_.push_back({pc, at, 0, i.max - taken});
      return true;
    }
    const std::size_t floor = at;
    const std::size_t before = taken;
    while (taken < i.max && take(i.x, at)) ++taken;
    steps_left_ -= std::min<std::size_t>(steps_left_, taken);
    if (taken > before && i.y == Regex::greedy) stack_.push_back({pc, at, floor, 0});
    return true;
  }

  bool look(const Regex::Instruction& i, std::uint32_t pc, std::size_t at) {
    for (std::uint32_t back = (i.y & Regex::kBehind) != 0 ? i.min : 0; back > 0; --back) {
      if (at == 0) return (i.y & Regex::kNegative) != 0;
      at -= read_code_point_before(text_, at).size;
    }
    return run(pc + 1, at).has_value() != ((i.y & Regex::kNegative) != 0);
  }

  bool is_word(std::size_t at) const {
    return at < text_.size() && unicode::has(read_code_point(text_, at).value, unicode::kRegexWordChar);
  }

  bool border(Op op, std::size_t at) const {
    const bool at_end = at == text_.size();
    const bool after_newline = at > 0 && text_[at - 1] == '\n';
    switch (op) {
      case Op::text_start:
        return at == 0;
      case Op::text_end:
        return at_end;
      case Op::last_line_end:
        return at_end || (at + 1 == text_.size() && text_[at] == '\n');
      case Op::line_start:
        return at == 0 || (after_newline && !at_end);
      case Op::line_end:
        return at_end ? at == 0 || !after_newline : text_[at] == '\n';
      default: {
        const bool before =
            at > 0 && unicode::has(read_code_point_before(text_, at).value, unicode::kRegexWordChar);
        return (before != is_word(at)) == (op == Op::word_border);
      }
    }
  }

  const Regex& regex_;
  std::string_view text_;
  std::size_t steps_left_;
  std::vector<Choice> stack_;
};

void Regex::find_all(std::string_view text, std::vector<Span>& matches) const {
  RegexRun run(*this, text);
  std::optional<std::size_t> last_end;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t next = at < text.size() ? at + read_code_point(text, at).size : at + 1;
    const auto end = run.may_start_at(at) ? run.match_at(at) : std::nullopt;
    if (!end || (*end == at && last_end == at)) {
      at = next;
      continue;
    }
    matches.push_back({static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(*end)});
    last_end = at = *end;
  }
}

}  // namespace nybble::tokenizer
