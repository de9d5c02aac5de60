#include "tokenizer/bert_pre_tokenizer.h"

#include "tokenizer/unicode/unicode.h"

namespace nybble::tokenizer {
namespace {

void split(std::string_view text, Span within, std::vector<Span>& words) {
  const std::string_view piece = text.substr(0, within.stop);
  std::uint32_t start = within.start;
  for (std::uint32_t at = within.start; at < within.stop;) {
    const CodePoint c = read_code_point(piece, at);
    const std::uint16_t flags = unicode::properties(c.value).flags;
    const std::uint32_t stop = at + c.size;
    if ((flags & (unicode::kSpace | unicode::kPunctuation)) != 0) {
      if (start < at) words.push_back({start, at});
      if ((flags & unicode::kPunctuation) != 0) words.push_back({at, stop});
      start = stop;
    }
    at = stop;
  }
  if (start < within.stop) words.push_back({start, within.stop});
}

}  // namespace

void pre_tokenize(const BertPreTokenizer&, PreTokenized& text) {
  spell_bytes(text);
  std::vector<Span> words;
  for (const Span& word : text.words) split(text.text.text, word, words);
  text.words = std::move(words);
}

}  // namespace nybble::tokenizer
