#include "tokenizer/tokenizer.h"

#include <algorithm>
#include <limits>

#include "include/nybble/error.h"
#include "tokenizer/assembly.h"
#include "tokenizer/bert_ids.h"
#include "tokenizer/pipeline.h"
#include "tokenizer/text_encoder.h"
#include "tokenizer/truncation.h"

namespace nybble::tokenizer {
namespace {

/// Offsets have 32 bits, and a byte of text can become four after normalization.
void check_size(std::string_view text) {
  constexpr std::size_t kMost = std::size_t{1} << 29;
  if (text.size() <= kMost) return;
  throw Error(ErrorCode::bad_input, "A text has " + std::to_string(text.size()) +
                                        " bytes, expected at most " + std::to_string(kMost) + ".");
}

/// The tokens that remain for texts when the template's own are in.
std::size_t room_for_text(const Template& pieces, std::size_t max_tokens) {
  if (max_tokens == 0) return std::numeric_limits<std::size_t>::max();
  const std::size_t special = special_tokens(pieces);
  if (max_tokens >= special) return max_tokens - special;
  throw Error(ErrorCode::bad_input, "At most " + std::to_string(max_tokens) +
                                        " tokens were asked for, expected " + std::to_string(special) +
                                        " or more: the special tokens alone are so many.");
}

Pipeline parse(const simdjson::padded_string& json, std::string_view name) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  const auto error = parser.parse(json).get(root);
  if (error != simdjson::SUCCESS) {
    throw Error(ErrorCode::unsupported_model,
                std::string(name) +
                    ": expected JSON, found what the parser calls: " + simdjson::error_message(error));
  }
  return read_pipeline(JsonNode(root, "$", name));
}

}  // namespace

struct Tokenizer::Impl {
  explicit Impl(Pipeline read) : parts(std::move(read)), bert_ids(BertIds::make(parts)) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  /// Appends ids of `text` without special tokens; true if there were more than `limit`.
  bool append_ids(std::string_view text, std::size_t limit, std::vector<std::int32_t>& ids) const {
    if (bert_ids) return bert_ids->append(text, limit, ids);
    const TextTokens tokens = encode_text(parts, text, true);
    const std::size_t kept = std::min(limit, tokens.ids.size());
    ids.insert(ids.end(), tokens.ids.begin(), tokens.ids.begin() + static_cast<std::ptrdiff_t>(kept));
    return kept < tokens.ids.size();
  }

  AssembledText encode(std::string_view text) const { return {text, encode_text(parts, text, false), {}}; }

  Pipeline parts;
  std::optional<BertIds> bert_ids;
};

Tokenizer::Tokenizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Tokenizer Tokenizer::from_file(const std::filesystem::path& file) {
  simdjson::padded_string json;
  if (simdjson::padded_string::load(file.string()).get(json) != simdjson::SUCCESS) {
    std::error_code ignored;
    const char* found = std::filesystem::is_directory(file, ignored) ? "a directory"
                        : std::filesystem::exists(file, ignored)     ? "one that cannot be read"
                                                                     : "none";
    throw Error(ErrorCode::io, file.string() + ": expected a readable file, found " + found + ".");
  }
  return Tokenizer(std::make_unique<Impl>(parse(json, file.string())));
}

Tokenizer Tokenizer::from_json(std::string_view json, std::string_view name) {
  return Tokenizer(std::make_unique<Impl>(parse(simdjson::padded_string(json), name)));
}

Encoding Tokenizer::encode(std::string_view text, std::size_t max_tokens) const {
  return encode(text, Truncation{max_tokens});
}

Encoding Tokenizer::encode_pair(std::string_view first, std::string_view second,
                                std::size_t max_tokens) const {
  return encode_pair(first, second, Truncation{max_tokens});
}

Encoding Tokenizer::encode(std::string_view text, const Truncation& truncation) const {
  check_size(text);
  const PostProcessor& around = impl_->parts.post_processor;
  const std::size_t room = room_for_text(around.single, truncation.max_tokens);
  AssembledText only = impl_->encode(text);
  const std::size_t size = only.tokens.ids.size();
  const std::size_t keep = kept_tokens(size, std::nullopt, room, truncation.strategy).first;
  only.windows = windows(size, keep, truncation);
  Encoding out = assemble(*this, around.single, around.trims, only, {});
  out.is_cut = keep < size;
  return out;
}

Encoding Tokenizer::encode_pair(std::string_view first, std::string_view second,
                                const Truncation& truncation) const {
  check_size(first);
  check_size(second);
  const PostProcessor& around = impl_->parts.post_processor;
  const std::size_t room = room_for_text(around.pair, truncation.max_tokens);
  AssembledText a = impl_->encode(first), b = impl_->encode(second);
  const std::size_t size_a = a.tokens.ids.size(), size_b = b.tokens.ids.size();
  const auto [keep_a, keep_b] = kept_tokens(size_a, size_b, room, truncation.strategy);
  a.windows = windows(size_a, keep_a, truncation);
  b.windows = windows(size_b, keep_b, truncation);
  Encoding out = assemble(*this, around.pair, around.trims, a, b);
  out.is_cut = keep_a < size_a || keep_b < size_b;
  return out;
}

bool Tokenizer::encode_ids(std::string_view text, std::size_t max_tokens, std::vector<std::int32_t>& ids,
                           std::vector<std::int32_t>& type_ids) const {
  check_size(text);
  const Template& pieces = impl_->parts.post_processor.single;
  const std::size_t room = room_for_text(pieces, max_tokens);
  bool cut = false;
  for (const TemplatePiece& piece : pieces) {
    const std::size_t before = ids.size();
    if (piece.kind == TemplatePiece::Kind::special) {
      ids.insert(ids.end(), piece.ids.begin(), piece.ids.end());
    } else {
      cut = impl_->append_ids(text, room, ids);
    }
    type_ids.insert(type_ids.end(), ids.size() - before, piece.type_id);
  }
  return cut;
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids, bool skip_special) const {
  std::vector<std::string> tokens;
  for (const std::int32_t id : ids) {
    const std::string_view name = token(id);
    if (name.empty() || (skip_special && impl_->parts.added.is_special(name))) continue;
    tokens.emplace_back(name);
  }
  return tokenizer::decode(impl_->parts.decoder, std::move(tokens));
}

std::string Tokenizer::decode_names(std::vector<std::string> names) const {
  return tokenizer::decode(impl_->parts.decoder, std::move(names));
}

std::optional<std::int32_t> Tokenizer::unknown_id() const {
  const std::int32_t id = std::visit([](const auto& model) { return model.unknown_id; }, impl_->parts.model);
  return id < 0 ? std::nullopt : std::optional(id);
}

bool Tokenizer::marks_continuations() const {
  const Bpe* bpe = std::get_if<Bpe>(&impl_->parts.model);
  return bpe ? !bpe->prefix.empty() : std::holds_alternative<WordPiece>(impl_->parts.model);
}

std::size_t Tokenizer::vocabulary_size() const {
  const std::int32_t largest =
      std::max(vocabulary(impl_->parts.model).largest_id(), impl_->parts.added.largest_id());
  return static_cast<std::size_t>(largest) + 1;
}

std::string_view Tokenizer::token(std::int32_t id) const {
  const std::string_view added = impl_->parts.added.token(id);
  return added.empty() ? vocabulary(impl_->parts.model).token(id) : added;
}

std::optional<std::int32_t> Tokenizer::id(std::string_view token) const {
  const auto added = impl_->parts.added.id(token);
  return added ? added : vocabulary(impl_->parts.model).id(token);
}

std::string_view Tokenizer::model_type() const { return type_name(impl_->parts.model); }

const LeftOverState& Tokenizer::left_over_state() const { return impl_->parts.left_over_state; }

std::size_t Tokenizer::special_tokens_of_single() const {
  return special_tokens(impl_->parts.post_processor.single);
}

}  // namespace nybble::tokenizer
