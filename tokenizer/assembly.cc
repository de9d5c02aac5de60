#include "tokenizer/assembly.h"

#include <algorithm>

#include "tokenizer/unicode/unicode.h"

namespace nybble::tokenizer {
namespace {

/// White space, or the character that stands for a blank in byte-level vocabularies.
bool is_blank(char32_t c) { return c == 0x120 || unicode::has(c, unicode::kSpace); }

std::size_t leading_blanks(std::string_view token) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < token.size(); ++count) {
    const CodePoint c = read_code_point(token, at);
    if (!is_blank(c.value)) break;
    at += c.size;
  }
  return count;
}

std::size_t trailing_blanks(std::string_view token) {
  std::size_t count = 0;
  for (std::size_t end = token.size(); end > 0; ++count) {
    const CodePoint c = read_code_point_before(token, end);
    if (!is_blank(c.value)) break;
    end -= std::min<std::size_t>(c.size, end);
  }
  return count;
}

/// Moves `at` over code points of `text`, not beyond `limit`.
std::uint32_t forward(std::string_view text, std::uint32_t at, std::size_t code_points, std::uint32_t limit) {
  for (; code_points > 0 && at < limit; --code_points) at += read_code_point(text, at).size;
  return std::min(at, limit);
}

/// The same to the left. The reference leaves the end of a span alone that has fewer code points before it.
std::uint32_t backward(std::string_view text, std::uint32_t at, std::size_t code_points,
                       std::uint32_t limit) {
  if (code_points > at ||
      count_code_points(text.substr(0, std::min<std::size_t>(at, 4 * code_points))) < code_points)
    return at;
  for (; code_points > 0 && at > limit; --code_points)
    at -= std::min<std::uint32_t>(at, read_code_point_before(text, at).size);
  return std::max(at, limit);
}

class Assembly {
 public:
  Assembly(const Tokenizer& tokenizer, const Template& pieces, const std::vector<OffsetTrim>& trims,
           const AssembledText& first, const AssembledText& second)
      : tokenizer_(tokenizer), pieces_(pieces), trims_(trims), texts_{&first, &second} {}

  Encoding run() {
    Encoding out = fill({0, 0});
    for (const auto& [leading, following] : order_of_windows()) {
      const std::size_t leads = leading_text();
      std::size_t choice[2] = {0, 0};
      choice[leads] = leading;
      choice[1 - leads] = following;
      out.overflow.push_back(fill({choice[0], choice[1]}));
    }
    return out;
  }

 private:
  struct Choice {
    std::size_t first, second;
  };

  /// The text that the template has first.
  std::size_t leading_text() const {
    for (const TemplatePiece& piece : pieces_) {
      if (piece.kind != TemplatePiece::Kind::special) return piece.kind == TemplatePiece::Kind::second_text;
    }
    return 0;
  }

  std::size_t window_count(std::size_t text) const {
    const auto kind = text == 0 ? TemplatePiece::Kind::first_text : TemplatePiece::Kind::second_text;
    const bool used =
        std::any_of(pieces_.begin(), pieces_.end(), [&](const TemplatePiece& p) { return p.kind == kind; });
    return used ? texts_[text]->windows.size() : 1;
  }

  /// Windows of the leading text beyond its first, each with every one of the other's; then the first with
  /// the other's.
  std::vector<std::pair<std::size_t, std::size_t>> order_of_windows() const {
    const std::size_t leading = window_count(leading_text()), following = window_count(1 - leading_text());
    std::vector<std::pair<std::size_t, std::size_t>> out;
    for (std::size_t i = 1; i < leading; ++i) {
      for (std::size_t k = 0; k < following; ++k) out.emplace_back(i, k);
    }
    for (std::size_t k = 1; k < following; ++k) out.emplace_back(0, k);
    return out;
  }

  Encoding fill(Choice choice) const {
    Encoding out;
    reserve(choice, out);
    for (const TemplatePiece& piece : pieces_) {
      switch (piece.kind) {
        case TemplatePiece::Kind::special:
          append_special(piece, out);
          break;
        case TemplatePiece::Kind::first_text:
          append_text(0, texts_[0]->windows[choice.first], piece.type_id, out);
          break;
        case TemplatePiece::Kind::second_text:
          append_text(1, texts_[1]->windows[choice.second], piece.type_id, out);
          break;
      }
    }
    return out;
  }

  void reserve(Choice choice, Encoding& out) const {
    std::size_t size = special_tokens(pieces_);
    const std::size_t chosen[] = {choice.first, choice.second};
    for (std::size_t text = 0; text < 2; ++text) {
      if (texts_[text]->windows.empty()) continue;
      const Window& window = texts_[text]->windows[chosen[text]];
      size += window.stop - window.start;
    }
    out.ids.reserve(size);
    out.type_ids.reserve(size);
    out.offsets.reserve(size);
    out.word_ids.reserve(size);
    out.special.reserve(size);
    out.text.reserve(size);
  }

  static void append_special(const TemplatePiece& piece, Encoding& out) {
    for (const std::int32_t id : piece.ids) {
      out.ids.push_back(id);
      out.type_ids.push_back(piece.type_id);
      out.offsets.emplace_back(0, 0);
      out.word_ids.push_back(-1);
      out.special.push_back(1);
      out.text.push_back(-1);
    }
  }

  void append_text(std::size_t index, Window window, std::int32_t type_id, Encoding& out) const {
    const TextTokens& tokens = texts_[index]->tokens;
    const auto from = [&](const auto& values) {
      return values.begin() + static_cast<std::ptrdiff_t>(window.start);
    };
    const auto to = [&](const auto& values) {
      return values.begin() + static_cast<std::ptrdiff_t>(window.stop);
    };
    const std::size_t before = out.ids.size(), size = window.stop - window.start;
    out.ids.insert(out.ids.end(), from(tokens.ids), to(tokens.ids));
    out.type_ids.insert(out.type_ids.end(), size, type_id);
    for (std::size_t i = window.start; i < window.stop; ++i)
      out.offsets.emplace_back(tokens.offsets[i].start, tokens.offsets[i].stop);
    out.word_ids.insert(out.word_ids.end(), from(tokens.word_ids), to(tokens.word_ids));
    out.special.insert(out.special.end(), size, 0);
    out.text.insert(out.text.end(), size, static_cast<std::int8_t>(index));
    const std::size_t first_spelled = out.spelled.size();
    for (const auto& [at, text] : tokens.spelled) {
      if (at >= window.start && at < window.stop)
        out.spelled.emplace_back(static_cast<std::uint32_t>(at - window.start + before), text);
    }
    for (const OffsetTrim& trim : trims_) trim_offsets(trim, texts_[index]->text, before, first_spelled, out);
  }

  void trim_offsets(const OffsetTrim& trim, std::string_view text, std::size_t before,
                    std::size_t next_spelled, Encoding& out) const {
    for (std::size_t i = before; i < out.ids.size(); ++i) {
      const bool spelled = next_spelled < out.spelled.size() && out.spelled[next_spelled].first == i;
      const std::string_view name =
          spelled ? std::string_view(out.spelled[next_spelled++].second) : tokenizer_.token(out.ids[i]);
      std::size_t leading = leading_blanks(name);
      const std::size_t trailing = trailing_blanks(name);
      auto& [start, stop] = out.offsets[i];
      if (trim.keep_prefix_space && leading == 1 && (i == before || start == 0)) leading = 0;
      start = forward(text, start, leading, stop);
      stop = backward(text, stop, trailing, start);
    }
  }

  const Tokenizer& tokenizer_;
  const Template& pieces_;
  const std::vector<OffsetTrim>& trims_;
  const AssembledText* texts_[2];
};

void pad_one(Encoding& out, std::size_t length, const Padding& padding) {
  if (out.ids.size() >= length) return;
  const std::size_t more = length - out.ids.size();
  const bool left = padding.side == Truncation::Side::left;
  const auto put = [&](auto& values, auto value) {
    values.insert(left ? values.begin() : values.end(), more, value);
  };
  put(out.ids, padding.id);
  put(out.type_ids, padding.type_id);
  put(out.offsets, std::pair<std::uint32_t, std::uint32_t>{0, 0});
  put(out.word_ids, -1);
  put(out.special, std::uint8_t{1});
  put(out.text, std::int8_t{-1});
  for (auto& [index, name] : out.spelled) index += left ? static_cast<std::uint32_t>(more) : 0;
}

}  // namespace

Encoding assemble(const Tokenizer& tokenizer, const Template& pieces, const std::vector<OffsetTrim>& trims,
                  const AssembledText& first, const AssembledText& second) {
  return Assembly(tokenizer, pieces, trims, first, second).run();
}

void pad(std::span<Encoding> encodings, const Padding& padding) {
  std::size_t length = padding.length;
  if (length == 0) {
    for (const Encoding& e : encodings) length = std::max(length, e.ids.size());
  }
  if (padding.multiple_of > 0 && length % padding.multiple_of > 0)
    length += padding.multiple_of - length % padding.multiple_of;
  for (Encoding& e : encodings) {
    pad_one(e, length, padding);
    for (Encoding& window : e.overflow) pad_one(window, length, padding);
  }
}

}  // namespace nybble::tokenizer
