#include "tokenizer/simple_pre_tokenizers.h"

#include "tokenizer/unicode/unicode.h"

namespace nybble::tokenizer {
namespace {

/// Exchanges each word for what `cut_word(word, words)` makes of it.
template <class CutWord>
void cut_each(PreTokenized& text, CutWord cut_word) {
  spell_bytes(text);
  std::vector<Span> words;
  words.reserve(text.words.size());
  for (const Span& word : text.words) cut_word(word, words);
  text.words = std::move(words);
}

/// Cuts at each code point that `is_match` says.
template <class IsMatch>
void cut_at(PreTokenized& text, SplitBehavior behavior, IsMatch is_match) {
  std::vector<Span> matches;
  cut_each(text, [&](Span word, std::vector<Span>& words) {
    matches.clear();
    const std::string_view piece = std::string_view(text.text.text).substr(0, word.stop);
    for (std::uint32_t at = word.start; at < word.stop;) {
      const CodePoint c = read_code_point(piece, at);
      if (is_match(c.value)) matches.push_back({at, at + c.size});
      at += c.size;
    }
    cut(word, matches, behavior, false, words);
  });
}

/// Runs of code points of one class each; runs of class 0 are dropped.
template <class ClassOf>
void keep_runs(PreTokenized& text, ClassOf class_of) {
  cut_each(text, [&](Span word, std::vector<Span>& words) {
    const std::string_view piece = std::string_view(text.text.text).substr(0, word.stop);
    std::uint32_t start = word.start;
    int current = 0;
    for (std::uint32_t at = word.start; at < word.stop;) {
      const CodePoint c = read_code_point(piece, at);
      const int kind = class_of(unicode::properties(c.value).flags);
      if (kind != current) {
        if (current != 0) words.push_back({start, at});
        start = at;
        current = kind;
      }
      at += c.size;
    }
    if (current != 0) words.push_back({start, word.stop});
  });
}

}  // namespace

SplitBehavior read_split_behavior(const JsonNode& node) {
  const std::string_view name = node.text();
  if (name == "Removed") return SplitBehavior::removed;
  if (name == "Isolated") return SplitBehavior::isolated;
  if (name == "MergedWithPrevious") return SplitBehavior::merged_with_previous;
  if (name == "MergedWithNext") return SplitBehavior::merged_with_next;
  if (name == "Contiguous") return SplitBehavior::contiguous;
  node.fail("Removed or Isolated or MergedWithPrevious or MergedWithNext or Contiguous");
}

Split read_split(const JsonNode& node) {
  return {read_text_pattern(node.field("pattern")), read_split_behavior(node.field("behavior")),
          node.field("invert").boolean()};
}

CharDelimiterSplit read_char_delimiter_split(const JsonNode& node) {
  return {node.field("delimiter").character()};
}

FixedLength read_fixed_length(const JsonNode& node) {
  FixedLength out;
  const auto length = node.optional_field("length");
  if (length) out.length = length->unsigned_number();
  if (out.length == 0) length->fail("an integer of 1 or more");
  return out;
}

void pre_tokenize(const Whitespace&, PreTokenized& text) {
  keep_runs(text, [](std::uint16_t flags) {
    if ((flags & unicode::kWordChar) != 0) return 1;
    return (flags & unicode::kSpace) != 0 ? 0 : 2;
  });
}

void pre_tokenize(const WhitespaceSplit&, PreTokenized& text) {
  keep_runs(text, [](std::uint16_t flags) { return (flags & unicode::kSpace) != 0 ? 0 : 1; });
}

void pre_tokenize(const Punctuation& options, PreTokenized& text) {
  cut_at(text, options.behavior, [](char32_t c) { return unicode::has(c, unicode::kPunctuation); });
}

void pre_tokenize(const Digits& options, PreTokenized& text) {
  cut_at(text, options.individual ? SplitBehavior::isolated : SplitBehavior::contiguous,
         [](char32_t c) { return unicode::has(c, unicode::kNumeric); });
}

void pre_tokenize(const CharDelimiterSplit& options, PreTokenized& text) {
  cut_at(text, SplitBehavior::removed, [&](char32_t c) { return c == options.delimiter; });
}

/// Cuts before a code point of another script than the last one that had a script. What comes before the
/// first such cut is kept only if the first code point has a script.
void pre_tokenize(const UnicodeScripts&, PreTokenized& text) {
  cut_each(text, [&](Span word, std::vector<Span>& words) {
    const std::string_view piece = std::string_view(text.text.text).substr(0, word.stop);
    std::uint32_t start = word.stop;
    int last = -1;
    for (std::uint32_t at = word.start; at < word.stop;) {
      const CodePoint c = read_code_point(piece, at);
      const int script = unicode::properties(c.value).script;
      if (script != 0 && script != last) {
        if (start < at) words.push_back({start, at});
        start = at;
      }
      if (script != 0) last = script;
      at += c.size;
    }
    if (start < word.stop) words.push_back({start, word.stop});
  });
}

void pre_tokenize(const FixedLength& options, PreTokenized& text) {
  cut_each(text, [&](Span word, std::vector<Span>& words) {
    const std::string_view piece = std::string_view(text.text.text).substr(0, word.stop);
    std::uint32_t start = word.start;
    std::uint64_t count = 0;
    for (std::uint32_t at = word.start; at < word.stop;) {
      at += read_code_point(piece, at).size;
      if (++count % options.length != 0 && at < word.stop) continue;
      words.push_back({start, at});
      start = at;
    }
  });
}

void pre_tokenize(const Split& options, PreTokenized& text) {
  std::vector<Span> matches;
  cut_each(text, [&](Span word, std::vector<Span>& words) {
    matches.clear();
    options.pattern.find_all(text.word(word), matches);
    for (Span& match : matches) match = {match.start + word.start, match.stop + word.start};
    cut(word, matches, options.behavior, options.inverted, words);
  });
}

}  // namespace nybble::tokenizer
