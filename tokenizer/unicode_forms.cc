#include "tokenizer/unicode_forms.h"

#include <algorithm>
#include <optional>

#include "tokenizer/unicode/unicode.h"

namespace nybble::tokenizer {
namespace unicode {

char32_t compose(char32_t first, char32_t second) {
  if (first - 0x1100 < 19 && second - 0x1161 < 21)
    return 0xAC00 + ((first - 0x1100) * 21 + (second - 0x1161)) * 28;
  if (is_hangul_syllable(first) && (first - 0xAC00) % 28 == 0 && second - 0x11A8 < 27)
    return first + (second - 0x11A7);
  if (!has(second, kComposes)) return 0;
  const auto key = [](char32_t a, char32_t b) { return std::uint64_t{a} << 32 | b; };
  const Composition* end = kCompositions + kCompositionCount;
  const Composition* at = std::lower_bound(
      kCompositions, end, key(first, second),
      [&](const Composition& c, std::uint64_t wanted) { return key(c.first, c.second) < wanted; });
  return at != end && at->first == first && at->second == second ? at->composed : 0;
}

}  // namespace unicode

namespace {

/// A code point on its way, with the change that the reference counts for it.
struct Step {
  char32_t value;
  int change;  ///< 0 for the first of a decomposition, 1 for the others
  std::uint8_t combining_class;
};

/// Puts composed code points into a Rewriter.
class Composer {
 public:
  explicit Composer(Rewriter& out) : out_(out) {}

  void take(Step s) {
    if (!starter_) {
      if (s.combining_class != 0) return out_.put(s.value, s.change);
      starter_ = s;
      return;
    }
    const bool blocked = waiting_class_ && *waiting_class_ >= s.combining_class;
    if (blocked && s.combining_class == 0) return restart(s);
    if (blocked) return wait(s);
    if (const char32_t composed = unicode::compose(starter_->value, s.value); composed != 0) {
      starter_->value = composed;
      starter_->change += s.change - 1;
      return;
    }
    if (s.combining_class == 0) return restart(s);
    wait(s);
  }

  void finish() {
    if (starter_) out_.put(starter_->value, starter_->change);
    for (const Step& s : waiting_) out_.put(s.value, s.change);
  }

 private:
  void wait(Step s) {
    waiting_.push_back(s);
    waiting_class_ = s.combining_class;
  }

  void restart(Step s) {
    finish();
    waiting_.clear();
    waiting_class_.reset();
    starter_ = s;
  }

  Rewriter& out_;
  std::optional<Step> starter_;
  std::vector<Step> waiting_;  ///< marks that did not compose with starter_
  std::optional<std::uint8_t> waiting_class_;
};

/// Decomposes, sorts marks, and hands on to a sink.
template <class Sink>
class Decomposer {
 public:
  Decomposer(bool compatibility, Sink sink) : compatibility_(compatibility), sink_(sink) {}

  void take(char32_t c) {
    const unicode::Properties& p = unicode::properties(c);
    if (unicode::is_hangul_syllable(c)) {
      char32_t parts[3];
      const std::size_t count = unicode::hangul_parts(c, parts);
      for (std::size_t i = 0; i < count; ++i) add({parts[i], i > 0, 0});
      return;
    }
    const std::size_t size = compatibility_ ? p.compatibility_size : p.decomposition_size;
    const char32_t* parts = unicode::kDecompositions + (compatibility_ ? p.compatibility : p.decomposition);
    if (size == 0) return add({c, 0, p.combining_class});
    for (std::size_t i = 0; i < size; ++i)
      add({parts[i], i > 0, unicode::properties(parts[i]).combining_class});
  }

  void finish() {
    const auto by_class = [](const Step& a, const Step& b) { return a.combining_class < b.combining_class; };
    if (!std::is_sorted(segment_.begin(), segment_.end(), by_class))
      std::stable_sort(segment_.begin(), segment_.end(), by_class);
    for (const Step& s : segment_) sink_(s);
    segment_.clear();
  }

 private:
  void add(Step s) {
    if (s.combining_class == 0) finish();
    segment_.push_back(s);
  }

  bool compatibility_;
  Sink sink_;
  std::vector<Step> segment_;  ///< a starter and the marks on it, not yet in order
};

template <class Sink>
void decompose(std::string_view text, bool compatibility, Sink sink) {
  Decomposer<Sink> decomposer(compatibility, sink);
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint c = read_code_point(text, at);
    decomposer.take(c.value);
    at += c.size;
  }
  decomposer.finish();
}

}  // namespace

AlignedText normalize(const UnicodeForm& form, AlignedText input) {
  if (is_ascii(input.text)) return input;
  Rewriter out(input);
  if (form.composed) {
    Composer composer(out);
    decompose(input.text, form.compatibility, [&](const Step& s) { composer.take(s); });
    composer.finish();
  } else {
    decompose(input.text, form.compatibility, [&](const Step& s) { out.put(s.value, s.change); });
  }
  return out.finish();
}

}  // namespace nybble::tokenizer
