#include "tokenizer/tokenizer.h"

#include <algorithm>
#include <limits>

#include "include/nybble/error.h"
#include "tokenizer/bert_ids.h"
#include "tokenizer/pipeline.h"

namespace nybble::tokenizer {
namespace {

/// The tokens of one text, without special ones.
struct TextTokens {
  std::vector<std::int32_t> ids;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> offsets;
  std::vector<std::int32_t> word_ids;

  void add(std::int32_t id, Span origin, std::int32_t word) {
    ids.push_back(id);
    offsets.emplace_back(origin.start, origin.stop);
    word_ids.push_back(word);
  }
  void cut(std::size_t size) {
    ids.resize(size);
    offsets.resize(size);
    word_ids.resize(size);
  }
};

/// Runs the parts one after the other over the whole text and keeps track of where everything came from.
class TextEncoder {
 public:
  explicit TextEncoder(const Pipeline& parts) : parts_(parts) {}

  TextTokens encode(std::string_view text) {
    for (const AddedSplit& split : parts_.added.raw().split(text)) {
      if (split.token != nullptr) {
        out_.add(split.token->id, split.span, word_++);
      } else {
        encode_piece(text.substr(split.span.start, split.span.stop - split.span.start), split.span.start);
      }
    }
    return std::move(out_);
  }

 private:
  void encode_piece(std::string_view piece, std::uint32_t start) {
    const AlignedText normalized = normalize(parts_.normalizer, align(piece, start));
    for (const AddedSplit& split : parts_.added.normalized().split(normalized.text)) {
      if (split.token != nullptr) {
        out_.add(split.token->id, normalized.origin(split.span.start, split.span.stop), word_++);
        continue;
      }
      words_.clear();
      pre_tokenize(parts_.pre_tokenizer, normalized.text, split.span, words_);
      for (const Span& word : words_) encode_word(normalized, word);
    }
  }

  void encode_word(const AlignedText& text, Span at) {
    const auto& model = std::get<WordPiece>(parts_.model);
    const std::string_view word = std::string_view(text.text).substr(at.start, at.stop - at.start);
    const std::size_t before = out_.ids.size();
    const bool known = count_code_points(word) <= model.max_word &&
                       model.split(word, [&](std::int32_t id, std::size_t begin, std::size_t end) {
                         out_.add(id, text.origin(at.start + begin, at.start + end), word_);
                       });
    if (!known) {
      out_.cut(before);
      out_.add(model.unknown_id, text.origin(at.start, at.stop), word_);
    }
    ++word_;
  }

  const Pipeline& parts_;
  TextTokens out_;
  std::vector<Span> words_;
  std::int32_t word_ = 0;
};

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

/// "Longest first" as the reference cuts: the longer text gives way until both have half.
void cut_longest_first(TextTokens& a, TextTokens& b, std::size_t room) {
  if (a.ids.size() <= room && b.ids.size() <= room - a.ids.size()) return;
  TextTokens& shorter = a.ids.size() <= b.ids.size() ? a : b;
  TextTokens& longer = &shorter == &a ? b : a;
  std::size_t keep_shorter = shorter.ids.size();
  std::size_t keep_longer = keep_shorter > room ? keep_shorter : std::max(keep_shorter, room - keep_shorter);
  if (keep_shorter + keep_longer > room) {
    keep_shorter = room / 2;
    keep_longer = keep_shorter + room % 2;
  }
  shorter.cut(std::min(keep_shorter, shorter.ids.size()));
  longer.cut(std::min(keep_longer, longer.ids.size()));
}

void append_special(const TemplatePiece& piece, Encoding& out) {
  for (const std::int32_t id : piece.ids) {
    out.ids.push_back(id);
    out.type_ids.push_back(piece.type_id);
    out.offsets.emplace_back(0, 0);
    out.word_ids.push_back(-1);
    out.special.push_back(1);
  }
}

void append_text(const TextTokens& text, std::int32_t type_id, Encoding& out) {
  out.ids.insert(out.ids.end(), text.ids.begin(), text.ids.end());
  out.type_ids.insert(out.type_ids.end(), text.ids.size(), type_id);
  out.offsets.insert(out.offsets.end(), text.offsets.begin(), text.offsets.end());
  out.word_ids.insert(out.word_ids.end(), text.word_ids.begin(), text.word_ids.end());
  out.special.insert(out.special.end(), text.ids.size(), 0);
}

Encoding fill(const Template& pieces, const TextTokens& first, const TextTokens& second) {
  Encoding out;
  for (const TemplatePiece& piece : pieces) {
    switch (piece.kind) {
      case TemplatePiece::Kind::special:
        append_special(piece, out);
        break;
      case TemplatePiece::Kind::first_text:
        append_text(first, piece.type_id, out);
        break;
      case TemplatePiece::Kind::second_text:
        append_text(second, piece.type_id, out);
        break;
    }
  }
  return out;
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
    const TextTokens tokens = TextEncoder(parts).encode(text);
    const std::size_t kept = std::min(limit, tokens.ids.size());
    ids.insert(ids.end(), tokens.ids.begin(), tokens.ids.begin() + static_cast<std::ptrdiff_t>(kept));
    return kept < tokens.ids.size();
  }

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
  check_size(text);
  const Template& pieces = impl_->parts.post_processor.single;
  const std::size_t room = room_for_text(pieces, max_tokens);
  TextTokens tokens = TextEncoder(impl_->parts).encode(text);
  tokens.cut(std::min(room, tokens.ids.size()));
  return fill(pieces, tokens, {});
}

Encoding Tokenizer::encode_pair(std::string_view first, std::string_view second,
                                std::size_t max_tokens) const {
  check_size(first);
  check_size(second);
  const Template& pieces = impl_->parts.post_processor.pair;
  const std::size_t room = room_for_text(pieces, max_tokens);
  TextTokens a = TextEncoder(impl_->parts).encode(first);
  TextTokens b = TextEncoder(impl_->parts).encode(second);
  cut_longest_first(a, b, room);
  return fill(pieces, a, b);
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
