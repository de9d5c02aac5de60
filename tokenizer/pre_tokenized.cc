#include "tokenizer/pre_tokenized.h"

#include <algorithm>

#include "tokenizer/simple_normalizers.h"

namespace nybble::tokenizer {
namespace {

struct Piece {
  Span span;
  bool match;
};

std::vector<Piece> pieces(Span word, const std::vector<Span>& matches, bool inverted) {
  std::vector<Piece> out;
  std::uint32_t done = word.start;
  for (const Span& match : matches) {
    if (done != match.start) out.push_back({{done, match.start}, inverted});
    out.push_back({match, !inverted});
    done = match.stop;
  }
  if (done != word.stop) out.push_back({{done, word.stop}, inverted});
  return out;
}

/// Joins a piece to the one before where `joins(this one is a match, the one before was)`.
template <class Joins>
std::vector<Piece> merge(const std::vector<Piece>& in, Joins joins) {
  std::vector<Piece> out;
  bool previous = false;
  for (const Piece& piece : in) {
    if (!out.empty() && joins(piece.match, previous)) {
      out.back().span = {std::min(out.back().span.start, piece.span.start),
                         std::max(out.back().span.stop, piece.span.stop)};
    } else {
      out.push_back(piece);
    }
    previous = piece.match;
  }
  return out;
}

std::vector<Piece> behave(std::vector<Piece> in, SplitBehavior behavior) {
  const auto match_after_other = [](bool match, bool previous) { return match && !previous; };
  switch (behavior) {
    case SplitBehavior::removed:
      in.erase(std::remove_if(in.begin(), in.end(), [](const Piece& p) { return p.match; }), in.end());
      return in;
    case SplitBehavior::isolated:
      return in;
    case SplitBehavior::contiguous:
      return merge(in, [](bool match, bool previous) { return match == previous; });
    case SplitBehavior::merged_with_previous:
      return merge(in, match_after_other);
    case SplitBehavior::merged_with_next:
      std::reverse(in.begin(), in.end());
      in = merge(in, match_after_other);
      std::reverse(in.begin(), in.end());
      return in;
  }
  return in;
}

}  // namespace

void cut(Span word, const std::vector<Span>& matches, SplitBehavior behavior, bool inverted,
         std::vector<Span>& words) {
  for (const Piece& piece : behave(pieces(word, matches, inverted), behavior)) {
    if (piece.span.start < piece.span.stop) words.push_back(piece.span);
  }
}

void spell_bytes(PreTokenized& in) {
  if (!in.bytes) return;
  in.bytes = false;
  AlignedText out{{}, {}, in.text.base, in.text.origins};
  const bool tracked = in.text.origins != AlignedText::Origins::none;
  if (tracked) out.origins = AlignedText::Origins::listed;
  for (Span& word : in.words) {
    const auto start = static_cast<std::uint32_t>(out.text.size());
    for (std::uint32_t at = word.start; at < word.stop; ++at) {
      const char32_t c = byte_characters()[static_cast<std::uint8_t>(in.text.text[at])];
      tracked ? out.append(c, in.text.origin(at, at + 1)) : append_code_point(out.text, c);
    }
    word = {start, static_cast<std::uint32_t>(out.text.size())};
  }
  in.text = std::move(out);
}

}  // namespace nybble::tokenizer
