#include "tokenizer/metaspace.h"

namespace nybble::tokenizer {
namespace {

/// Writes the new text word by word.
class Writer {
 public:
  Writer(const Metaspace& options, const PreTokenized& in)
      : options_(options),
        in_(in),
        character_(options.character()),
        tracked_(in.text.origins != AlignedText::Origins::none) {
    const std::size_t size = in.text.text.size() + in.text.text.size() / 2 + 16;
    out_.text.text.reserve(size);
    out_.text.base = in.text.base;
    out_.text.origins = tracked_ ? AlignedText::Origins::listed : AlignedText::Origins::none;
    if (tracked_) out_.text.from.reserve(size);
    out_.words.reserve(in.words.size() + in.text.text.size() / 4);
  }

  void add(Span word) {
    start_ = size();
    const std::string_view text = in_.text.text;
    const bool marked = text[word.start] == ' ' || text.substr(word.start).starts_with(character_);
    if (!marked && prepends(word)) put(word.start, read_code_point(text, word.start).size);
    for (std::uint32_t at = word.start; at < word.stop;) {
      if (text[at] == ' ') {
        cut();
        put(at++, 1);
        continue;
      }
      if (text.substr(at).starts_with(character_)) cut();
      const std::uint32_t end = end_of_plain(at + 1, word.stop);
      out_.text.text.append(text, at, end - at);
      if (tracked_) in_.text.list_origins(at, end, out_.text.from);
      at = end;
    }
    end_word();
  }

  PreTokenized finish() { return std::move(out_); }

 private:
  std::uint32_t size() const { return static_cast<std::uint32_t>(out_.text.text.size()); }

  bool prepends(Span word) const {
    if (options_.prepend == Metaspace::Prepend::first)
      return in_.text.origin(word.start, word.start + 1).start == 0;
    return options_.prepend == Metaspace::Prepend::always;
  }

  /// Where the next blank or replacement may be.
  std::uint32_t end_of_plain(std::uint32_t at, std::uint32_t stop) const {
    const std::string_view text = in_.text.text;
    while (at < stop && text[at] != ' ' && text[at] != character_[0]) ++at;
    return at;
  }

  /// The replacement for what stands at `at`.
  void put(std::uint32_t at, std::uint32_t bytes) {
    out_.text.text += character_;
    if (tracked_)
      out_.text.from.insert(out_.text.from.end(), character_.size(), in_.text.origin(at, at + bytes));
  }

  void cut() {
    if (!options_.split) return;
    end_word();
    start_ = size();
  }

  void end_word() {
    if (start_ < size()) out_.words.push_back({start_, size()});
  }

  const Metaspace& options_;
  const PreTokenized& in_;
  std::string character_;
  bool tracked_;
  PreTokenized out_;
  std::uint32_t start_ = 0;
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
