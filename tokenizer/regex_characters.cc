#include "tokenizer/regex_characters.h"

namespace nybble::tokenizer {
namespace {

constexpr std::string_view kCategories[] = {"Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl",
                                            "No", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc",
                                            "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Co", "Cn", "Cs"};
constexpr std::uint32_t kEveryCategory = (1U << std::size(kCategories)) - 1;

/// The categories that a name stands for: "Lu", or "L" for all that start so; 0 if there is none.
std::uint32_t categories_named(std::string_view name) {
  std::uint32_t mask = 0;
  for (std::size_t i = 0; i < std::size(kCategories); ++i) {
    if (!name.empty() && name.size() <= 2 && kCategories[i].starts_with(name)) mask |= 1U << i;
  }
  return mask;
}

int hex_digit(char32_t c) {
  if (is_digit(c)) return static_cast<int>(c - '0');
  const char32_t low = c | 0x20;
  return low >= 'a' && low <= 'f' ? static_cast<int>(low - 'a') + 10 : -1;
}

}  // namespace

void add_other_cases(CodePointSet& set, char32_t c) {
  if (!is_letter(c)) return;
  add_range(set, c ^ 0x20, c ^ 0x20);
  if ((c | 0x20) == 'k') add_range(set, 0x212A, 0x212A);
  if ((c | 0x20) == 's') add_range(set, 0x17F, 0x17F);
}

char32_t RegexCharacters::next() {
  if (at_end()) refuse("an expression that does not end early");
  const CodePoint c = read_code_point(pattern_, at_);
  at_ += c.size;
  return c.value;
}

bool RegexCharacters::accept(std::string_view text) {
  if (!pattern_.substr(at_).starts_with(text)) return false;
  at_ += text.size();
  return true;
}

bool RegexCharacters::add_class_escape(CodePointSet& set, std::uint16_t word) {
  const std::size_t before = at_;
  const char32_t c = next();
  switch (c) {
    case 's':
      set.flags |= unicode::kSpace;
      return true;
    case 'S':
      set.absent_flags |= unicode::kSpace;
      return true;
    case 'w':
      set.flags |= word;
      return true;
    case 'W':
      set.absent_flags |= word;
      return true;
    case 'd':
      set.categories |= categories_named("Nd");
      return true;
    case 'D':
      set.categories |= kEveryCategory & ~categories_named("Nd");
      return true;
    case 'h':
      add_range(set, '0', '9');
      add_range(set, 'A', 'F');
      add_range(set, 'a', 'f');
      return true;
    case 'p':
    case 'P':
      add_property(set, c == 'P');
      return true;
    default:
      at_ = before;
      return false;
  }
}

void RegexCharacters::add_property(CodePointSet& set, bool complement) {
  const std::size_t close = pattern_.find('}', at_);
  if (!accept("{") || close == std::string_view::npos) refuse("\\p{NAME}");
  if (accept("^")) complement = !complement;
  const std::string_view name = pattern_.substr(at_, close - at_);
  const std::uint32_t mask = categories_named(name);
  if (mask == 0) refuse("a general category like L or Lu in \\p{" + std::string(name) + "}");
  set.categories |= complement ? kEveryCategory & ~mask : mask;
  at_ = close + 1;
}

char32_t RegexCharacters::escaped_character() {
  const char32_t c = next();
  switch (c) {
    case 't':
      return '\t';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 'f':
      return '\f';
    case 'v':
      return '\v';
    case 'a':
      return '\a';
    case 'e':
      return 0x1B;
    case 'u':
      return hex_number(4);
    case 'x':
      if (accept("{")) return hex_number(8);
      refuse("\\x{HEX}");
    default:
      break;
  }
  if (c >= 128 || is_letter(c) || is_digit(c)) refuse("no \\" + std::string(1, static_cast<char>(c)));
  return c;
}

char32_t RegexCharacters::hex_number(int most) {
  char32_t value = 0;
  for (int i = 0; i < most || most == 8; ++i) {
    const char32_t c = next();
    if (most == 8 && c == '}' && i > 0) break;
    if (hex_digit(c) < 0 || i == 8) refuse("hexadecimal digits");
    value = value << 4 | static_cast<char32_t>(hex_digit(c));
  }
  if (value >= 0x110000 || value - 0xD800 < 0x800) refuse("a code point in hexadecimal digits");
  return value;
}

CodePointSet RegexCharacters::bracket(bool ignore_case) {
  CodePointSet set;
  set.negated = accept("^");
  if (!at_end() && peek() == ']') refuse("no ']' at the start of a class");
  for (bool first = true; !accept("]"); first = false) bracket_item(set, first, ignore_case);
  if (ignore_case && set.negated) refuse("no negated class without regard to case");
  return set;
}

void RegexCharacters::bracket_item(CodePointSet& set, bool first, bool ignore_case) {
  if (pattern_.substr(at_).starts_with("&&") || pattern_.substr(at_).starts_with("["))
    refuse("no classes inside of classes");
  if (accept("\\")) {
    if (at_end()) refuse("something after \\");
    const bool ends_class = add_class_escape(set, unicode::kClassWordChar);
    if (ends_class && ignore_case) refuse("only ASCII without regard to case");
    if (ends_class && pattern_.substr(at_).starts_with("-") && !pattern_.substr(at_).starts_with("-]"))
      refuse("no range after \\s and the like");
    if (ends_class) return;
    return bracket_range(set, bracket_escape(), ignore_case);
  }
  const char32_t c = next();
  if (c == '-' && !first && !pattern_.substr(at_).starts_with("]")) refuse("'-' at the end of a class");
  bracket_range(set, c, ignore_case);
}

char32_t RegexCharacters::bracket_escape() {
  if (accept("b")) return '\b';
  return escaped_character();
}

void RegexCharacters::bracket_range(CodePointSet& set, char32_t low, bool ignore_case) {
  char32_t high = low;
  const std::string_view rest = pattern_.substr(at_);
  if (rest.starts_with("-") && !rest.starts_with("-]")) {
    ++at_;
    if (at_end() || peek() == '[') refuse("an end of each range");
    high = accept("\\") ? bracket_escape() : next();
    if (high < low) refuse("ranges that ascend");
  }
  add_range(set, low, high);
  if (!ignore_case) return;
  if (high >= 128) refuse("only ASCII without regard to case");
  for (char32_t c = low; c <= high; ++c) add_other_cases(set, c);
}

}  // namespace nybble::tokenizer
