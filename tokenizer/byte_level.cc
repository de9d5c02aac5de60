#include "tokenizer/byte_level.h"

#include <array>

#include "tokenizer/simple_normalizers.h"
#include "tokenizer/unicode/unicode.h"

namespace nybble::tokenizer {
namespace {

/// The character classes of the expression.
enum class Class : std::uint8_t { space, letter, number, other };

Class class_of_wide(char32_t c) {
  const unicode::Properties& p = unicode::properties(c);
  if ((p.flags & unicode::kSpace) != 0) return Class::space;
  if (p.category <= static_cast<std::uint8_t>(unicode::Category::Lo)) return Class::letter;
  const bool number = p.category >= static_cast<std::uint8_t>(unicode::Category::Nd) &&
                      p.category <= static_cast<std::uint8_t>(unicode::Category::No);
  return number ? Class::number : Class::other;
}

constexpr std::array<Class, 128> kAsciiClasses = [] {
  std::array<Class, 128> out{};
  for (std::size_t c = 0; c < 128; ++c) {
    const bool space = c == ' ' || (c >= 9 && c <= 13);
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    out[c] = space                  ? Class::space
             : letter               ? Class::letter
             : c >= '0' && c <= '9' ? Class::number
                                    : Class::other;
  }
  return out;
}();

/// Reads a word piece by piece.
class Gpt2 {
 public:
  Gpt2(std::string_view text, Span word) : text_(text.substr(0, word.stop)), at_(word.start) {}

  bool done() const { return at_ >= text_.size(); }

  std::uint32_t next_end() {
    if (const std::uint32_t size = contraction(); size != 0) return static_cast<std::uint32_t>(at_ += size);
    std::size_t after = at_;
    Class kind = read(after);
    if (text_[at_] == ' ' && after < text_.size()) {
      std::size_t beyond = after;
      const Class next = read(beyond);
      if (next != Class::space) {
        kind = next;
        after = beyond;
      }
    }
    at_ = kind == Class::space ? end_of_space(after) : end_of_run(kind, after);
    return static_cast<std::uint32_t>(at_);
  }

 private:
  /// The class of the code point at `at`, which is moved behind it.
  Class read(std::size_t& at) const {
    const auto byte = static_cast<std::uint8_t>(text_[at]);
    if (byte < 0x80) {
      ++at;
      return kAsciiClasses[byte];
    }
    const CodePoint c = read_code_point(text_, at);
    at += c.size;
    return class_of_wide(c.value);
  }

  std::uint32_t contraction() const {
    if (text_[at_] != '\'') return 0;
    const std::string_view rest = text_.substr(at_ + 1);
    for (const std::string_view end : {"s", "t", "re", "ve", "m", "ll", "d"}) {
      if (rest.starts_with(end)) return static_cast<std::uint32_t>(1 + end.size());
    }
    return 0;
  }

  std::size_t end_of_run(Class kind, std::size_t at) const {
    while (at < text_.size()) {
      std::size_t beyond = at;
      if (read(beyond) != kind) break;
      at = beyond;
    }
    return at;
  }

  /// All of it at the end of the text; else all but the last, which belongs to what follows; but at least
  /// one.
  std::size_t end_of_space(std::size_t first) const {
    std::size_t last = at_, at = first;
    while (at < text_.size()) {
      std::size_t beyond = at;
      if (read(beyond) != Class::space) return last == at_ ? first : last;
      last = at;
      at = beyond;
    }
    return at;
  }

  std::string_view text_;
  std::size_t at_;
};

void prefix_with_spaces(PreTokenized& in) {
  PreTokenized out;
  const bool tracked = in.text.origins != AlignedText::Origins::none;
  out.text.base = in.text.base;
  out.text.origins = tracked ? AlignedText::Origins::listed : AlignedText::Origins::none;
  for (const Span& word : in.words) {
    const auto start = static_cast<std::uint32_t>(out.text.text.size());
    if (in.text.text[word.start] != ' ') {
      out.text.text += ' ';
      if (tracked) out.text.from.push_back(in.text.origin(word.start, word.start + 1));
    }
    out.text.text += in.word(word);
    if (tracked) in.text.list_origins(word.start, word.stop, out.text.from);
    out.words.push_back({start, static_cast<std::uint32_t>(out.text.text.size())});
  }
  in = std::move(out);
}

bool lacks_space(const PreTokenized& in) {
  for (const Span& word : in.words) {
    if (in.text.text[word.start] != ' ') return true;
  }
  return false;
}

}  // namespace

ByteLevel read_byte_level(const JsonNode& node) {
  ByteLevel out;
  out.add_prefix_space = node.field("add_prefix_space").boolean();
  node.field("trim_offsets").boolean();
  if (const auto regex = node.optional_field("use_regex")) out.use_regex = regex->boolean();
  return out;
}

void cut_as_gpt2(std::string_view text, Span word, std::vector<Span>& words) {
  Gpt2 pieces(text, word);
  for (std::uint32_t start = word.start; !pieces.done();) {
    const std::uint32_t end = pieces.next_end();
    words.push_back({start, end});
    start = end;
  }
}

void pre_tokenize(const ByteLevel& options, PreTokenized& text) {
  spell_bytes(text);
  if (options.add_prefix_space && lacks_space(text)) prefix_with_spaces(text);
  if (options.use_regex) {
    std::vector<Span> words;
    words.reserve(text.text.text.size() / 4);
    for (const Span& word : text.words) cut_as_gpt2(text.text.text, word, words);
    text.words = std::move(words);
  }
  text.bytes = true;
}

}  // namespace nybble::tokenizer
