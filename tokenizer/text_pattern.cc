#include "tokenizer/text_pattern.h"

namespace nybble::tokenizer {
namespace {

Regex compile(std::string_view expression, const JsonNode& node) {
  try {
    return Regex::compile(expression);
  } catch (const std::string& expected) {
    node.fail("a regular expression with " + expected);
  }
}

}  // namespace

void TextPattern::find_all(std::string_view inside, std::vector<Span>& matches) const {
  if (regex) return regex->find_all(inside, matches);
  for (std::size_t at = inside.find(text); at != std::string_view::npos;
       at = inside.find(text, at + text.size()))
    matches.push_back({static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(at + text.size())});
}

TextPattern read_text_pattern(const JsonNode& node) {
  const auto text = node.optional_field("String");
  const auto expression = node.optional_field("Regex");
  if (text.has_value() == expression.has_value()) node.fail("one of String and Regex");
  TextPattern out;
  if (text) out.text = text->text();
  if (expression) out.regex = compile(expression->text(), *expression);
  if (text && out.text.empty()) out.regex = compile("", *text);
  return out;
}

}  // namespace nybble::tokenizer
