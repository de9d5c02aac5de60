#include "tokenizer/aligned_text.h"

#include <algorithm>
#include <cstring>

namespace nybble::tokenizer {
namespace {

bool continues(char byte) { return (static_cast<std::uint8_t>(byte) & 0xC0) == 0x80; }

}  // namespace

Span AlignedText::origin(std::size_t begin, std::size_t end) const {
  if (origins == Origins::listed) return {from[begin].start, from[end - 1].stop};
  if (origins == Origins::none) return {};
  while (begin > 0 && continues(text[begin])) --begin;
  while (end < text.size() && continues(text[end])) ++end;
  return {static_cast<std::uint32_t>(base + begin), static_cast<std::uint32_t>(base + end)};
}

void AlignedText::copy_origins(std::size_t begin, std::size_t end, Span* out) const {
  if (origins == Origins::listed) {
    std::copy(from.begin() + static_cast<std::ptrdiff_t>(begin),
              from.begin() + static_cast<std::ptrdiff_t>(end), out);
    return;
  }
  for (std::size_t at = begin; at < end; ++at) {
    const auto place = static_cast<std::uint32_t>(base + at);
    *out++ = static_cast<std::uint8_t>(text[at]) < 0x80 ? Span{place, place + 1} : origin(at, at + 1);
  }
}

void AlignedText::list_origins(std::size_t begin, std::size_t end, std::vector<Span>& out) const {
  const std::size_t before = out.size();
  out.resize(before + end - begin);
  copy_origins(begin, end, out.data() + before);
}

AlignedText AlignedText::slice(std::size_t begin, std::size_t end) const {
  AlignedText out{text.substr(begin, end - begin), {}, static_cast<std::uint32_t>(base + begin), origins};
  if (origins == Origins::listed) {
    out.from.assign(from.begin() + static_cast<std::ptrdiff_t>(begin),
                    from.begin() + static_cast<std::ptrdiff_t>(end));
  }
  return out;
}

bool is_ascii(std::string_view text) {
  constexpr std::uint64_t kHighBits = 0x8080808080808080;
  std::size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    std::uint64_t eight = 0;
    std::memcpy(&eight, text.data() + at, 8);
    if ((eight & kHighBits) != 0) return false;
  }
  for (; at < text.size(); ++at) {
    if (static_cast<std::uint8_t>(text[at]) >= 0x80) return false;
  }
  return true;
}

Rewriter::Rewriter(const AlignedText& input)
    : input_(input), tracked_(input.origins != AlignedText::Origins::none) {
  out_.text.reserve(input.text.size());
  out_.base = input.base;
  if (!tracked_) out_.origins = AlignedText::Origins::none;
  if (tracked_) out_.from.reserve(input.text.size());
}

/// The reference stops a program that replaces more than there is; here the rest has the last origin.
Span Rewriter::origin_of_byte(std::size_t at) const {
  if (input_.text.empty()) return {input_.base, input_.base};
  at = std::min(at, input_.text.size() - 1);
  return input_.origin(at, at + 1);
}

void Rewriter::advance(std::size_t code_points) {
  for (; tracked_ && code_points > 0 && at_ < input_.text.size(); --code_points) {
    at_ += read_code_point(input_.text, at_).size;
  }
}

void Rewriter::flush() {
  if (!pending_) return;
  pending_ = false;
  if (!tracked_) return append_code_point(out_.text, last_);
  if (change_ > 0) return out_.append(last_, at_ == 0 ? Span{} : origin_of_byte(at_ - 1));
  out_.append(last_, origin_of_byte(at_));
  advance(1 + static_cast<std::size_t>(-change_));
}

AlignedText Rewriter::finish() {
  flush();
  return std::move(out_);
}

}  // namespace nybble::tokenizer
