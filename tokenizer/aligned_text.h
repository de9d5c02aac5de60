// A text on its way through the normalizer, with the place in the given text that each byte came from.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/code_points.h"

namespace nybble::tokenizer {

/// [start, stop) in bytes; of the text as given unless said otherwise.
struct Span {
  std::uint32_t start = 0;
  std::uint32_t stop = 0;
};

struct AlignedText {
  /// How the origins of bytes are known.
  enum class Origins : std::uint8_t {
    none,      ///< they are not: nobody will ask
    in_place,  ///< each character stands `base` bytes further on in the given text, with the same size
    listed,    ///< in `from`
  };

  std::string text;
  std::vector<Span> from;  ///< listed: one a byte of `text`; the bytes of a code point have the same
  std::uint32_t base = 0;
  Origins origins = Origins::listed;

  void append(char32_t c, Span origin) {
    const std::size_t before = text.size();
    append_code_point(text, c);
    from.insert(from.end(), text.size() - before, origin);
  }

  /// The part of the given text that [begin, end) of `text` stands for; the range must not be empty. Nothing
  /// if origins are not known.
  Span origin(std::size_t begin, std::size_t end) const;
  /// Writes the origins of bytes [begin, end) one by one; they must be known.
  void copy_origins(std::size_t begin, std::size_t end, Span* out) const;
  /// Appends them.
  void list_origins(std::size_t begin, std::size_t end, std::vector<Span>& out) const;
  /// Bytes [begin, end), between code points, as a text of their own.
  AlignedText slice(std::size_t begin, std::size_t end) const;
};

/// `piece` unchanged, starting at byte `start` of the text as given.
inline AlignedText align(std::string_view piece, std::uint32_t start,
                         AlignedText::Origins origins = AlignedText::Origins::in_place) {
  return {std::string(piece), {}, start, origins};
}

bool is_ascii(std::string_view text);

/// Makes a text out of another by the reference's bookkeeping: each code point that is put either replaces
/// the next one of the input, or is inserted after what was replaced last.
class Rewriter {
 public:
  /// The input must outlive the rewriter.
  explicit Rewriter(const AlignedText& input);

  /// `change` above 0: inserted, with the origin of the byte before. Else it replaces a code point, takes its
  /// origin, and -change more are dropped.
  void put(char32_t c, int change) {
    flush();
    last_ = c;
    change_ = change;
    pending_ = true;
  }
  /// Adds to the change of the code point put last, if there is one.
  void change_last(int more) { change_ += pending_ ? more : 0; }
  /// Drops code points of the input; before the first put() only.
  void drop(std::size_t code_points) { advance(code_points); }
  AlignedText finish();

 private:
  void flush();
  void advance(std::size_t code_points);
  Span origin_of_byte(std::size_t at) const;

  const AlignedText& input_;
  AlignedText out_;
  std::size_t at_ = 0;
  char32_t last_ = 0;
  int change_ = 0;
  bool pending_ = false;
  bool tracked_;
};

}  // namespace nybble::tokenizer
