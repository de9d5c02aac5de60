#include "tokenizer/metaspace.h"

#include <algorithm>

namespace nybble::tokenizer {
namespace {

/// Writes the new text word by word into room that was counted before.
class Writer {
 public:
  Writer(const Metaspace& options, const PreTokenized& in)
      : options_(options),
        in_(in),
        character_(options.character()),
        tracked_(in.text.origins != AlignedText::Origins::none) {
    const auto blanks = static_cast<std::size_t>(std::count(in.text.text.begin(), in.text.text.end(), ' '));
    const std::size_t size = in.text.text.size() + (blanks + in.words.size()) * character_.size();
    out_.text.text.resize(size);
    out_.text.base = in.text.base;
    out_.text.origins = tracked_ ? AlignedText::Origins::listed : AlignedText::Origins::none;
    if (tracked_) out_.text.from.resize(size);
    out_.words.reserve(in.words.size() + (options.split ? blanks : 0));
  }

  void add(Span word) {
    start_ = size_;
    const std::string_view text = in_.text.text;
    const bool marked = text[word.start] == ' ' || text.substr(word.start).starts_with(character_);
    if (!marked && prepends(word)) put(word.start, read_code_point(text, word.start).size);
    for (std::uint32_t at = word.start; at < word.stop;) {
      if (text[at] == ' ') {
        cut();
        put(at++, 1);
        continue;
      }
      if (text[at] == character_[0] && text.substr(at).starts_with(character_)) cut();
      at = copy_plain(at, word.stop);
    }
    end_word();
  }

  PreTokenized finish() {
    out_.text.text.resize(size_);
    if (tracked_) out_.text.from.resize(size_);
    return std::move(out_);
  }

 private:
  bool prepends(Span word) const {
    if (options_.prepend == Metaspace::Prepend::first)
      return in_.text.origin(word.start, word.start + 1).start == 0;
    return options_.prepend == Metaspace::Prepend::always;
  }

  /// Copies a byte and those after it up to where the next blank or replacement may be, and returns that
  /// place.
  std::uint32_t copy_plain(std::uint32_t at, std::uint32_t stop) {
    const char* from = in_.text.text.data();
    char* to = out_.text.text.data() + size_;
    const std::uint32_t begin = at;
    do {
      *to++ = from[at++];
    } while (at < stop && from[at] != ' ' && from[at] != character_[0]);
    if (tracked_) in_.text.copy_origins(begin, at, out_.text.from.data() + size_);
    size_ += at - begin;
    return at;
  }

  /// The replacement for what stands at `at`.
  void put(std::uint32_t at, std::uint32_t bytes) {
    character_.copy(out_.text.text.data() + size_, character_.size());
    if (tracked_)
      std::fill_n(out_.text.from.data() + size_, character_.size(), in_.text.origin(at, at + bytes));
    size_ += static_cast<std::uint32_t>(character_.size());
  }

  void cut() {
    if (!options_.split) return;
    end_word();
    start_ = size_;
  }

  void end_word() {
    if (start_ < size_) out_.words.push_back({start_, size_});
  }

  const Metaspace& options_;
  const PreTokenized& in_;
  std::string character_;
  bool tracked_;
  PreTokenized out_;
  std::uint32_t start_ = 0;  ///< of the word at hand
  std::uint32_t size_ = 0;   ///< bytes written
};

Metaspace::Prepend read_scheme(const JsonNode& node) {
  if (node.text() == "first") return Metaspace::Prepend::first;
  if (node.text() == "never") return Metaspace::Prepend::never;
  if (node.text() == "always") return Metaspace::Prepend::always;
  node.fail("\"first\" or \"never\" or \"always\"");
}

}  // namespace

Metaspace read_metaspace(const JsonNode& node) {
  Metaspace out;
  out.replacement = node.field("replacement").character();
  const auto scheme = node.optional_field("prepend_scheme");
  if (scheme) out.prepend = read_scheme(*scheme);
  const auto prefix = node.optional_field("add_prefix_space");
  if (prefix && !prefix->is_null() && !prefix->boolean()) {
    if (scheme && out.prepend != Metaspace::Prepend::never)
      scheme->fail("\"never\", as add_prefix_space is false");
    out.prepend = Metaspace::Prepend::never;
  }
  const auto split = node.optional_field("split");
  if (split && !split->is_null()) out.split = split->boolean();
  return out;
}

void pre_tokenize(const Metaspace& options, PreTokenized& text) {
  spell_bytes(text);
  Writer out(options, text);
  for (const Span& word : text.words) out.add(word);
  text = out.finish();
}

}  // namespace nybble::tokenizer
