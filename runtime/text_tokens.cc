#include "runtime/text_tokens.h"

#include <algorithm>

#include "runtime/model_folder.h"
#include "runtime/task_folder.h"
#include "runtime/text_windows.h"
#include "tokenizer/utf8.h"

namespace nybble {

struct Tokenizer::Impl {
  tokenizer::Tokenizer tokenizer;
};

Tokenizer Tokenizer::load(std::string_view model) {
  const std::filesystem::path folder = runtime::resolve_model(model);
  const std::filesystem::path file = folder / runtime::transformer_path(folder) / "tokenizer.json";
  Tokenizer result;
  result.impl_ = std::make_shared<const Impl>(Impl{tokenizer::Tokenizer::from_file(file)});
  return result;
}

Tokens Tokenizer::tokenize(std::string_view text, std::size_t max_tokens) const {
  return runtime::tokenize_text(impl_->tokenizer, text, nullptr, max_tokens);
}

Tokens Tokenizer::tokenize_pair(std::string_view first, std::string_view second,
                                std::size_t max_tokens) const {
  return runtime::tokenize_text(impl_->tokenizer, first, &second, max_tokens);
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids, bool special) const {
  return impl_->tokenizer.decode(ids, !special);
}

std::optional<Utf8Text> repair_utf8(std::string_view text) {
  if (tokenizer::is_valid_utf8(text)) return std::nullopt;
  tokenizer::RepairedText repaired = tokenizer::repair_utf8(text);
  return Utf8Text{std::move(repaired.text), repaired.replaced, repaired.first_byte};
}

namespace runtime {
namespace {

tokenizer::RepairedText repaired(std::string_view text) {
  if (!tokenizer::is_valid_utf8(text)) return tokenizer::repair_utf8(text);
  tokenizer::RepairedText result;
  result.text = text;
  return result;
}

/// The tokens that an encoding of `first`, and perhaps `second`, holds. What stands before byte `skipped` of
/// the first was put there, and has no offsets.
Tokens tokens_of(tokenizer::Encoding encoding, const tokenizer::Tokenizer& tokenizer,
                 const tokenizer::RepairedText& first, const tokenizer::RepairedText& second,
                 std::size_t skipped) {
  Tokens result;
  for (std::size_t i = 0; i < encoding.ids.size(); ++i) {
    result.tokens.emplace_back(tokenizer.token(encoding.ids[i]));
    const tokenizer::RepairedText& source = encoding.text[i] == 1 ? second : first;
    const std::size_t before = encoding.text[i] == 0 ? skipped : 0;
    const auto place = [&](std::size_t byte) { return source.to_original(byte - std::min(byte, before)); };
    const auto [start, stop] = encoding.offsets[i];
    result.offsets.emplace_back(place(start), place(stop));
  }
  for (auto& [index, name] : encoding.spelled) result.tokens[index] = std::move(name);
  result.ids = std::move(encoding.ids);
  result.type_ids = std::move(encoding.type_ids);
  result.word_ids = std::move(encoding.word_ids);
  result.special = std::move(encoding.special);
  result.invalid_parts = first.replaced + second.replaced;
  result.first_invalid_byte = first.replaced ? first.first_byte : second.first_byte;
  return result;
}

/// The tokens of one window: those before the text's own, its share of them, and those behind.
Window window_of(const Tokens& all, const TextParts& parts, const TokenRange& range) {
  Window window;
  window.lead = parts.lead;
  window.first_token = range.begin;
  window.end_token = range.end;
  const auto take = [&](const auto& from, auto& to) {
    const auto at = [&](std::size_t i) { return from.begin() + static_cast<std::ptrdiff_t>(i); };
    to.insert(to.end(), at(0), at(parts.lead));
    to.insert(to.end(), at(parts.lead + range.begin), at(parts.lead + range.end));
    to.insert(to.end(), at(parts.lead + parts.own), from.end());
  };
  take(all.ids, window.tokens.ids);
  take(all.tokens, window.tokens.tokens);
  take(all.offsets, window.tokens.offsets);
  take(all.type_ids, window.tokens.type_ids);
  take(all.word_ids, window.tokens.word_ids);
  take(all.special, window.tokens.special);
  window.tokens.invalid_parts = all.invalid_parts;
  window.tokens.first_invalid_byte = all.first_invalid_byte;
  if (range.begin < range.end) {
    window.first_byte = all.offsets[parts.lead + range.begin].first;
    window.end_byte = all.offsets[parts.lead + range.end - 1].second;
  }
  return window;
}

}  // namespace

Tokens tokenize_text(const tokenizer::Tokenizer& tokenizer, std::string_view text,
                     const std::string_view* second, std::size_t max_tokens) {
  const tokenizer::RepairedText first_text = repaired(text);
  const tokenizer::RepairedText second_text = repaired(second ? *second : std::string_view());
  tokenizer::Truncation truncation{max_tokens};
  truncation.overflow = false;
  tokenizer::Encoding encoding = second ? tokenizer.encode_pair(first_text.text, second_text.text, truncation)
                                        : tokenizer.encode(first_text.text, truncation);
  return tokens_of(std::move(encoding), tokenizer, first_text, second_text, 0);
}

std::vector<Window> text_windows(const tokenizer::Tokenizer& tokenizer, std::string_view text,
                                 const TextForm& form) {
  const tokenizer::RepairedText valid = repaired(text);
  tokenizer::Encoding encoding = tokenizer.encode(form.prompt + valid.text);
  const TextParts parts = parts_of(encoding, form.prompt.size());
  const auto ranges =
      sequences_of_text(form, parts, TokenOffsets(encoding.offsets).subspan(parts.lead, parts.own));
  const Tokens all = tokens_of(std::move(encoding), tokenizer, valid, {}, form.prompt.size());
  std::vector<Window> windows;
  for (const TokenRange& range : ranges) windows.push_back(window_of(all, parts, range));
  return windows;
}

}  // namespace runtime
}  // namespace nybble
