#include "tokenizer/graphemes.h"

#include "tokenizer/code_points.h"
#include "tokenizer/unicode/unicode.h"

namespace nybble::tokenizer {
namespace {

using unicode::Grapheme;

enum class Hangul : std::uint8_t { none, l, v, t, lv, lvt };

Hangul hangul(char32_t c) {
  if (unicode::is_hangul_syllable(c)) return (c - 0xAC00) % 28 == 0 ? Hangul::lv : Hangul::lvt;
  if (c - 0x1100 < 0x60 || c - 0xA960 < 0x1D) return Hangul::l;
  if (c - 0x1160 < 0x48 || c - 0xD7B0 < 0x17) return Hangul::v;
  if (c - 0x11A8 < 0x58 || c - 0xD7CB < 0x31) return Hangul::t;
  return Hangul::none;
}

bool joins(Hangul before, Hangul after) {
  if (before == Hangul::l) return after == Hangul::l || after == Hangul::v || after >= Hangul::lv;
  if (before == Hangul::v || before == Hangul::lv) return after == Hangul::v || after == Hangul::t;
  return (before == Hangul::t || before == Hangul::lvt) && after == Hangul::t;
}

bool is_regional(char32_t c) { return c - 0x1F1E6 < 26; }

bool extends(Grapheme g) {
  return g == Grapheme::extend || g == Grapheme::linker || g == Grapheme::extend_indic || g == Grapheme::zwj;
}

/// What of a grapheme decides whether the next code point belongs to it.
class Cluster {
 public:
  explicit Cluster(char32_t first) { add(first); }

  bool takes(char32_t c) const {
    const Grapheme g = unicode::grapheme(c);
    if (last_ == '\r') return c == '\n';
    if (kind_ == Grapheme::control || g == Grapheme::control) return false;
    if (joins(hangul(last_), hangul(c)) || extends(g) || g == Grapheme::spacing) return true;
    if (kind_ == Grapheme::prepend) return true;
    if (g == Grapheme::consonant && conjunct_ == Conjunct::linked) return true;
    if (g == Grapheme::pictographic && kind_ == Grapheme::zwj && picture_before_zwj_) return true;
    return is_regional(c) && regional_ % 2 == 1;
  }

  void add(char32_t c) {
    const Grapheme g = unicode::grapheme(c);
    picture_before_zwj_ = g == Grapheme::zwj && picture_;
    picture_ = g == Grapheme::pictographic || (picture_ && extends(g) && g != Grapheme::zwj);
    if (g == Grapheme::consonant) {
      conjunct_ = Conjunct::consonant;
    } else if (conjunct_ != Conjunct::none && g == Grapheme::linker) {
      conjunct_ = Conjunct::linked;
    } else if (g != Grapheme::extend_indic && g != Grapheme::zwj) {
      conjunct_ = Conjunct::none;
    }
    regional_ = is_regional(c) ? regional_ + 1 : 0;
    last_ = c;
    kind_ = g;
  }

 private:
  enum class Conjunct : std::uint8_t { none, consonant, linked };
  char32_t last_ = 0;
  Grapheme kind_ = Grapheme::other;
  Conjunct conjunct_ = Conjunct::none;
  bool picture_ = false;             ///< a pictographic and extends so far
  bool picture_before_zwj_ = false;  ///< the same, and the last code point is the ZWJ after them
  std::size_t regional_ = 0;         ///< regional indicators at the end
};

}  // namespace

std::size_t grapheme_end(std::string_view text, std::size_t at) {
  const CodePoint first = read_code_point(text, at);
  Cluster cluster(first.value);
  for (at += first.size; at < text.size();) {
    const CodePoint c = read_code_point(text, at);
    if (!cluster.takes(c.value)) break;
    cluster.add(c.value);
    at += c.size;
  }
  return at;
}

}  // namespace nybble::tokenizer
