// From the text of a regular expression to its program.
#include <algorithm>
#include <limits>

#include "tokenizer/regex.h"
#include "tokenizer/regex_characters.h"

namespace nybble::tokenizer {
namespace {

constexpr std::uint32_t kUnbounded = std::numeric_limits<std::uint32_t>::max();
constexpr std::size_t kMaxProgram = 4096;
constexpr std::size_t kMaxDepth = 100;

}  // namespace

/// Recursive descent; code is put out while reading. Every reader returns how few and how many code points
/// its part takes.
class RegexCompiler : private RegexCharacters {
 public:
  explicit RegexCompiler(std::string_view pattern) : RegexCharacters(pattern) {}

  Regex run() {
    const Width width = alternatives();
    if (!at_end()) refuse("no ')' without '('");
    emit({Regex::Op::end});
    out_.shortest_ = width.least;
    collect_starts();
    return std::move(out_);
  }

 private:
  struct Width {
    std::size_t least = 0, most = 0;
  };
  struct Flags {
    bool ignore_case = false, dot_all = false;
  };

  std::uint32_t here() const { return static_cast<std::uint32_t>(out_.program_.size()); }
  void emit(Regex::Instruction i) {
    if (out_.program_.size() >= kMaxProgram) refuse("an expression of at most 4096 steps");
    out_.program_.push_back(i);
  }
  static bool jumps(const Regex::Instruction& i) {
    using Op = Regex::Op;
    return i.op == Op::split || i.op == Op::jump || i.op == Op::look || i.op == Op::atomic;
  }

  /// What comes before `place` and leads to it leads to the new instruction, what follows to the old one.
  void insert(std::uint32_t place, Regex::Instruction i) {
    for (std::uint32_t at = 0; at < here(); ++at) {
      Regex::Instruction& other = out_.program_[at];
      const std::uint32_t first_moved = at < place ? place + 1 : place;
      if (jumps(other)) other.x += other.x >= first_moved;
      if (other.op == Regex::Op::split) other.y += other.y >= first_moved;
    }
    emit(i);
    std::rotate(out_.program_.begin() + place, out_.program_.end() - 1, out_.program_.end());
  }

  Width alternatives() {
    if (++depth_ > kMaxDepth) refuse("groups at most 100 deep");
    const std::uint32_t start = here();
    Width width = sequence();
    if (accept("|")) {
      insert(start, {Regex::Op::split, start + 1, 0});
      const std::uint32_t jump = here();
      emit({Regex::Op::jump});
      out_.program_[start].y = here();
      const Width other = alternatives();
      out_.program_[jump].x = here();
      width = {std::min(width.least, other.least), std::max(width.most, other.most)};
    }
    --depth_;
    return width;
  }

  Width sequence() {
    Width total;
    previous_letter_ = 0;
    while (!at_end() && peek() != '|' && peek() != ')') {
      const std::uint32_t start = here();
      set_ = kUnbounded;
      const Width one = atom();
      const Width width = quantified(start, one);
      total.least += width.least;
      total.most =
          total.most == kUnbounded || width.most == kUnbounded ? kUnbounded : total.most + width.most;
    }
    return total;
  }

  // ---- quantifiers ----

  struct Times {
    std::uint32_t least, most;
    Regex::Greed greed;
  };

  bool read_interval(Times& times) {
    const std::size_t before = at_;
    std::uint32_t bounds[2] = {0, kUnbounded};
    bool given[2] = {false, false}, comma = false;
    for (char32_t c = next(); c != '}'; c = next()) {
      if (c == ',' && !comma) {
        comma = true;
      } else if (is_digit(c) && bounds[comma] % kUnbounded < 1000) {
        bounds[comma] = (given[comma] ? bounds[comma] * 10 : 0) + (c - '0');
        given[comma] = true;
      } else {
        at_ = before;
        return false;
      }
      if (at_end()) break;
    }
    if ((!given[0] && !given[1]) || pattern_[at_ - 1] != '}') {
      at_ = before;
      return false;
    }
    times.least = bounds[0];
    times.most = comma ? bounds[1] : bounds[0];
    if (times.least > times.most) refuse("{n,m} with n at most m");
    return true;
  }

  bool read_times(Times& times) {
    times = {0, kUnbounded, Regex::greedy};
    if (accept("*")) return read_greed(times, true);
    if (accept("?")) {
      times.most = 1;
      return read_greed(times, true);
    }
    if (accept("+")) {
      times.least = 1;
      return read_greed(times, true);
    }
    const std::size_t before = at_;
    if (!accept("{") || at_end() || !read_interval(times)) {
      at_ = before;
      return false;
    }
    return read_greed(times, false);
  }

  bool read_greed(Times& times, bool may_be_possessive) {
    if (accept("?")) {
      if (!may_be_possessive && times.least == times.most) refuse("no {n}?");
      times.greed = Regex::lazy;
    } else if (may_be_possessive && accept("+")) {
      times.greed = Regex::possessive;
    }
    if (!at_end() && (peek() == '*' || peek() == '+' || peek() == '?')) refuse("one quantifier at a time");
    return true;
  }

  Width quantified(std::uint32_t start, Width one) {
    Times times{};
    if (at_end() || !read_times(times)) return one;
    if (start == here()) refuse("something before each quantifier");
    previous_letter_ = 0;
    if (!at_end() && peek() == '{') refuse("one quantifier at a time");
    const auto product = [](std::size_t a, std::size_t b) -> std::size_t {
      if (a == 0 || b == 0) return 0;
      return a == kUnbounded || b == kUnbounded ? kUnbounded : a * b;
    };
    const Width width{one.least * times.least, product(one.most, times.most)};
    if (set_ != kUnbounded) {
      out_.program_.resize(start);
      emit({Regex::Op::loop, set_, times.greed, times.least, times.most});
      return width;
    }
    if (one.least == 0) refuse("no quantifier on what may match nothing");
    repeat(start, times);
    return width;
  }

  /// Copies of the body: the least, then what may follow.
  void repeat(std::uint32_t start, Times times) {
    const std::vector<Regex::Instruction> body(out_.program_.begin() + start, out_.program_.end());
    out_.program_.resize(start);
    if (times.greed == Regex::possessive) emit({Regex::Op::atomic});
    const auto copy = [&] {
      const std::uint32_t moved = here() - start;
      for (Regex::Instruction i : body) {
        if (jumps(i)) i.x += moved;
        if (i.op == Regex::Op::split) i.y += moved;
        emit(i);
      }
    };
    const auto choose = [&](std::uint32_t split, std::uint32_t into, std::uint32_t past) {
      const bool lazy = times.greed == Regex::lazy;
      out_.program_[split] = {Regex::Op::split, lazy ? past : into, lazy ? into : past};
    };
    for (std::uint32_t i = 0; i < times.least; ++i) copy();
    if (times.most == kUnbounded) {
      const std::uint32_t split = here();
      emit({Regex::Op::split});
      copy();
      emit({Regex::Op::jump, split});
      choose(split, split + 1, here());
    } else {
      std::vector<std::uint32_t> splits;
      for (std::uint32_t i = times.least; i < times.most; ++i) {
        splits.push_back(here());
        emit({Regex::Op::split});
        copy();
      }
      for (const std::uint32_t split : splits) choose(split, split + 1, here());
    }
    if (times.greed != Regex::possessive) return;
    emit({Regex::Op::end});
    out_.program_[start].x = here();
  }

  // ---- atoms ----

  Width put_set(CodePointSet set) {
    set.freeze();
    set_ = static_cast<std::uint32_t>(out_.sets_.size());
    out_.sets_.push_back(std::move(set));
    emit({Regex::Op::set, set_});
    return {1, 1};
  }

  Width literal(char32_t c) {
    CodePointSet set;
    add_range(set, c, c);
    if (flags_.ignore_case) {
      if (c >= 128) refuse("only ASCII without regard to case");
      const char32_t low = is_letter(c) ? c | 0x20 : 0;
      const char32_t before = previous_letter_;
      const bool folds = (before == 's' && (low == 's' || low == 't')) ||
                         (before == 'f' && (low == 'f' || low == 'i' || low == 'l'));
      if (folds) refuse("no letters that make a ligature without regard to case");
      add_other_cases(set, c);
      previous_letter_ = low;
    }
    return put_set(std::move(set));
  }

  Width atom() {
    const char32_t c = next();
    if (c != '\\' && !is_letter(c)) previous_letter_ = 0;
    switch (c) {
      case '(':
        return group();
      case '[':
        return put_set(bracket(flags_.ignore_case));
      case '.':
        return put_set(dot());
      case '^':
        return border(Regex::Op::line_start);
      case '$':
        return border(Regex::Op::line_end);
      case '\\':
        return escape();
      case '*':
      case '+':
      case '?':
        refuse("something before each quantifier");
      default:
        return literal(c);
    }
  }

  Width border(Regex::Op op) {
    emit({op});
    return {};
  }

  CodePointSet dot() const {
    CodePointSet set;
    set.negated = true;
    if (!flags_.dot_all) add_range(set, '\n', '\n');
    return set;
  }

  Width escape() {
    if (at_end()) refuse("something after \\");
    const std::size_t before = at_;
    switch (next()) {
      case 'b':
        return border(Regex::Op::word_border);
      case 'B':
        return border(Regex::Op::no_word_border);
      case 'A':
        return border(Regex::Op::text_start);
      case 'z':
        return border(Regex::Op::text_end);
      case 'Z':
        return border(Regex::Op::last_line_end);
      default:
        at_ = before;
    }
    CodePointSet set;
    if (add_class_escape(set)) {
      previous_letter_ = 0;
      return put_set(std::move(set));
    }
    return literal(escaped_character());
  }

  // ---- groups ----

  Width group() {
    const Flags before = flags_;
    if (accept("?=")) return look(0);
    if (accept("?!")) return look(Regex::kNegative);
    if (accept("?<=")) return look(Regex::kBehind);
    if (accept("?<!")) return look(Regex::kBehind | Regex::kNegative);
    if (accept("?>")) return atomic();
    if (accept("?<")) {
      const std::size_t close = pattern_.find('>', at_);
      if (close == std::string_view::npos) refuse("(?<NAME>");
      at_ = close + 1;
    } else if (accept("?") && !accept(":")) {
      if (read_flags()) {
        // The flags hold to the end of the group around, alternatives included.
        const Width rest = alternatives();
        flags_ = before;
        set_ = kUnbounded;
        return rest;
      }
    }
    const Width width = close_group();
    flags_ = before;
    return width;
  }

  /// True if ')' ends the flags, false if ':' does.
  bool read_flags() {
    bool value = true;
    for (char32_t c = next(); c != ')' && c != ':'; c = next()) {
      if (c == '-') {
        value = false;
      } else if (c == 'i') {
        flags_.ignore_case = value;
      } else if (c == 'm') {
        flags_.dot_all = value;
      } else {
        refuse("flags of i and m alone");
      }
    }
    return pattern_[at_ - 1] == ')';
  }

  Width close_group() {
    const Width width = alternatives();
    if (!accept(")")) refuse("a ')' for each '('");
    set_ = kUnbounded;
    previous_letter_ = 0;
    return width;
  }

  Width look(std::uint32_t kind) {
    const std::uint32_t start = here();
    emit({Regex::Op::look, 0, kind});
    const Width width = close_group();
    if ((kind & Regex::kBehind) != 0 && width.least != width.most) refuse("one width behind (?<= and (?<!");
    emit({Regex::Op::end});
    out_.program_[start].min = static_cast<std::uint32_t>(width.least);
    out_.program_[start].x = here();
    return {};
  }

  Width atomic() {
    const std::uint32_t start = here();
    emit({Regex::Op::atomic});
    const Width width = close_group();
    emit({Regex::Op::end});
    out_.program_[start].x = here();
    return width;
  }

  /// Follows the program to the sets that a match can start with.
  void collect_starts() {
    std::vector<bool> seen(out_.program_.size());
    std::vector<std::uint32_t> todo{0};
    while (!todo.empty()) {
      const std::uint32_t pc = todo.back();
      todo.pop_back();
      if (pc >= seen.size() || seen[pc]) continue;
      seen[pc] = true;
      const Regex::Instruction& i = out_.program_[pc];
      using Op = Regex::Op;
      if (i.op == Op::set || i.op == Op::loop) add_starts(out_.sets_[i.x]);
      if (i.op == Op::split) todo.push_back(i.y);
      if (i.op == Op::split || i.op == Op::jump || i.op == Op::look) {
        todo.push_back(i.x);
      } else if (i.op == Op::atomic) {
        todo.push_back(pc + 1);
        todo.push_back(i.x);
      } else if ((i.op == Op::loop && i.min == 0) || (i.op > Op::end)) {
        todo.push_back(pc + 1);
      }
    }
  }

  void add_starts(const CodePointSet& set) {
    for (char32_t c = 0; c < 128; ++c) out_.starts_[c] |= set.has(c);
    for (std::size_t b = 128; b < 256; ++b) out_.starts_[b] = true;
  }

  Regex out_;
  Flags flags_;
  std::size_t depth_ = 0;
  std::uint32_t set_ = kUnbounded;  ///< of the atom just read, if it is one set
  char32_t previous_letter_ = 0;    ///< in lower case, if the letter before stands alone
};

Regex Regex::compile(std::string_view pattern) { return RegexCompiler(pattern).run(); }

}  // namespace nybble::tokenizer
