#include "runtime/text_form.h"

#include <fmt/format.h>

#include <algorithm>

namespace nybble::runtime {
namespace {

using tokenizer::Tokenizer;

std::size_t lead_specials(const Tokenizer& tokenizer) {
  const auto special = tokenizer.encode("a").special;
  return static_cast<std::size_t>(std::find(special.begin(), special.end(), 0) - special.begin());
}

/// The longest beginning of `marker` up to a blank, or all of it, that is one token.
std::string_view marker_token(std::string_view marker, const Tokenizer& tokenizer) {
  if (tokenizer.id(marker)) return marker;
  const std::string_view word = marker.substr(0, marker.find(' '));
  return tokenizer.id(word) ? word : std::string_view();
}

std::int32_t fill_id(const QueryExpansion& expansion, const Tokenizer& tokenizer) {
  if (!expansion.token.empty()) {
    if (const auto id = tokenizer.id(expansion.token)) return *id;
  } else {
    for (const char* name : {"[MASK]", "<mask>"}) {
      if (const auto id = tokenizer.id(name)) return *id;
    }
  }
  throw Error(ErrorCode::unsupported_model,
              fmt::format("query expansion: expected the tokenizer to have {}, found no such token",
                          expansion.token.empty() ? "a mask token ([MASK] or <mask>)" : expansion.token));
}

/// The rows of these words' tokens are left out. A word that is no token is passed over.
std::vector<bool> ids_of(const std::vector<std::string>& words, const Tokenizer& tokenizer) {
  std::vector<bool> ids;
  for (const std::string& word : words) {
    const auto id = tokenizer.id(word);
    if (!id) continue;
    const auto index = static_cast<std::size_t>(*id);
    if (ids.size() <= index) ids.resize(index + 1);
    ids[index] = true;
  }
  return ids;
}

/// Tokens of a prompt alone, the special ones before it included, those after it not.
std::size_t prompt_tokens(std::string_view prompt, const Tokenizer& tokenizer, std::size_t max_tokens) {
  const tokenizer::Encoding encoding = tokenizer.encode(prompt, max_tokens);
  const bool has_last = !encoding.special.empty() && encoding.special.back() != 0;
  return encoding.ids.size() - (has_last ? 1 : 0);
}

}  // namespace

TextForms::TextForms(const SentenceTransformers& st, const Tokenizer& tokenizer, std::size_t max_tokens,
                     bool is_callers, std::size_t positions)
    : prompts_(st.prompts),
      include_prompt_(st.pooling.include_prompt),
      max_tokens_(max_tokens),
      lead_specials_(lead_specials(tokenizer)),
      specials_(tokenizer.special_tokens_of_single()) {
  if (st.multi_vector) resolve(*st.multi_vector, tokenizer, max_tokens, is_callers, positions);
}

void TextForms::resolve(const MultiVector& multi_vector, const Tokenizer& tokenizer, std::size_t max_tokens,
                        bool is_callers, std::size_t positions) {
  has_roles_ = true;
  const auto role_of = [&](const std::string& marker, const std::optional<std::int64_t>& length) {
    Role role;
    const std::string_view token = marker_token(marker, tokenizer);
    if (!token.empty()) role.marker = tokenizer.id(token);
    role.marker_name = marker;
    role.marker_text = marker.substr(token.size());
    role.max_tokens = length && !is_callers ? static_cast<std::size_t>(*length) : max_tokens;
    return role;
  };
  query_ = role_of(multi_vector.query_marker, multi_vector.query_length);
  document_ = role_of(multi_vector.document_marker, multi_vector.document_length);
  if (const auto& expansion = multi_vector.expansion) {
    const auto length = std::min(static_cast<std::size_t>(expansion->length), positions);
    query_.max_tokens = expansion->cuts ? length : std::max(query_.max_tokens, length);
    query_.fill = Fill{fill_id(*expansion, tokenizer), length, expansion->is_attended};
  }
  query_.max_tokens = std::min(query_.max_tokens, positions);
  document_.max_tokens = std::min(document_.max_tokens, positions);
  skipped_ = ids_of(multi_vector.skipped, tokenizer);
  query_.skips = multi_vector.skips_in_queries;
  document_.skips = multi_vector.skips_in_documents;
}

std::string TextForms::prompt(const EncodeOptions& options, const Role* role) const {
  std::string text;
  if (options.prompt) {
    text = *options.prompt;
  } else if (role != nullptr && !options.prompt_name) {
    const auto found = prompts_.texts.find("document");
    if (found != prompts_.texts.end()) text = found->second;
  } else if (role == nullptr || prompts_.texts.contains(*options.prompt_name) ||
             (options.prompt_name != "query" && options.prompt_name != "document")) {
    text = prompts_.text(options.prompt_name);
  }
  if (role == nullptr) return text;
  if (text.starts_with(role->marker_name)) text.erase(0, role->marker_name.size());
  return role->marker_text + text;
}

void TextForms::set_windows(const EncodeOptions& options, TextForm& form) const {
  form.has_windows = options.chunk > 0;
  form.overlap = options.overlap;
  if (!form.has_windows && options.overlap == 0) return;
  if (!form.has_windows) throw Error(ErrorCode::bad_input, "overlap: expected it with chunk, found no chunk");
  if (options.chunk > form.max_tokens) {
    throw Error(ErrorCode::bad_input, fmt::format("chunk: expected at most the model's {} tokens, found {}",
                                                  form.max_tokens, options.chunk));
  }
  form.max_tokens = options.chunk;
}

TextForm TextForms::form(const EncodeOptions& options, const Tokenizer& tokenizer) const {
  const Role* role = !has_roles_ ? nullptr : options.prompt_name == "query" ? &query_ : &document_;
  TextForm form;
  form.prompt = prompt(options, role);
  form.lead_specials = lead_specials_;
  form.max_tokens = role != nullptr ? role->max_tokens : max_tokens_;
  form.truncate = options.truncate;
  if (role != nullptr) {
    form.marker = role->marker;
    form.fill = role->fill;
    if (role->skips) form.skipped = &skipped_;
  }
  set_windows(options, form);
  const bool has_prompt = !form.prompt.empty();
  const std::size_t lead = has_prompt ? prompt_tokens(form.prompt, tokenizer, 0) - lead_specials_ : 0;
  if (!include_prompt_ && has_prompt) form.pool_from = std::min(form.room() - 1, lead + lead_specials_);
  const std::size_t others = lead + specials_ + (form.marker ? 1 : 0);
  if (!form.is_plain() && others + form.overlap >= form.max_tokens) {
    throw Error(
        ErrorCode::bad_input,
        fmt::format("{}: expected room for more than {} special tokens, {} of the prompt and {} that windows "
                    "share, found {}",
                    form.has_windows ? "chunk" : "max_tokens", others - lead, lead, form.overlap,
                    form.max_tokens));
  }
  return form;
}

}  // namespace nybble::runtime
