#include "tokenizer/replace.h"

namespace nybble::tokenizer {
namespace {

std::string replaced(std::string_view text, const std::vector<Span>& matches, std::string_view content) {
  std::string out;
  out.reserve(text.size() + matches.size() * content.size());
  std::size_t done = 0;
  for (const Span& match : matches) {
    out.append(text, done, match.start - done);
    out += content;
    done = match.stop;
  }
  return out.append(text, done);
}

/// What replaces a match has the origin of the match's last code point.
void list_origins(const AlignedText& input, const std::vector<Span>& matches, std::size_t content,
                  AlignedText& out) {
  out.from.reserve(out.text.size());
  std::size_t done = 0;
  for (const Span& match : matches) {
    input.list_origins(done, match.start, out.from);
    out.from.insert(out.from.end(), content, input.origin(match.stop - 1, match.stop));
    done = match.stop;
  }
  input.list_origins(done, input.text.size(), out.from);
}

}  // namespace

Replace read_replace(const JsonNode& node) {
  const JsonNode pattern = node.field("pattern");
  Replace out{read_text_pattern(pattern), std::string(node.field("content").text())};
  if (out.pattern.may_match_nothing()) pattern.fail("a pattern that matches something");
  return out;
}

AlignedText normalize(const Replace& options, AlignedText input) {
  std::vector<Span> matches;
  options.pattern.find_all(input.text, matches);
  if (matches.empty()) return input;
  AlignedText out{replaced(input.text, matches, options.content), {}, input.base, input.origins};
  if (input.origins == AlignedText::Origins::none) return out;
  out.origins = AlignedText::Origins::listed;
  list_origins(input, matches, options.content.size(), out);
  return out;
}

std::string replaced(const Replace& options, std::string_view text) {
  std::vector<Span> matches;
  options.pattern.find_all(text, matches);
  return replaced(text, matches, options.content);
}

}  // namespace nybble::tokenizer
