#include "runtime/text_tokens.h"

#include "runtime/model_folder.h"
#include "tokenizer/utf8.h"

namespace nybble {

struct Tokenizer::Impl {
  tokenizer::Tokenizer tokenizer;
};

Tokenizer Tokenizer::load(std::string_view model) {
  const std::filesystem::path folder = runtime::resolve_model(model);
  const std::filesystem::path file =
      folder / runtime::read_modules(folder).transformer_path / "tokenizer.json";
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

}  // namespace

Tokens tokenize_text(const tokenizer::Tokenizer& tokenizer, std::string_view text,
                     const std::string_view* second, std::size_t max_tokens) {
  const tokenizer::RepairedText first_text = repaired(text);
  const tokenizer::RepairedText second_text = repaired(second ? *second : std::string_view());
  tokenizer::Encoding encoding = second ? tokenizer.encode_pair(first_text.text, second_text.text, max_tokens)
                                        : tokenizer.encode(first_text.text, max_tokens);
  Tokens result;
  for (std::size_t i = 0; i < encoding.ids.size(); ++i) {
    result.tokens.emplace_back(tokenizer.token(encoding.ids[i]));
    const tokenizer::RepairedText& source = encoding.text[i] == 1 ? second_text : first_text;
    const auto [start, stop] = encoding.offsets[i];
    result.offsets.emplace_back(source.to_original(start), source.to_original(stop));
  }
  for (auto& [index, name] : encoding.spelled) result.tokens[index] = std::move(name);
  result.ids = std::move(encoding.ids);
  result.type_ids = std::move(encoding.type_ids);
  result.word_ids = std::move(encoding.word_ids);
  result.special = std::move(encoding.special);
  result.invalid_parts = first_text.replaced + second_text.replaced;
  result.first_invalid_byte = first_text.replaced ? first_text.first_byte : second_text.first_byte;
  return result;
}

}  // namespace runtime
}  // namespace nybble
