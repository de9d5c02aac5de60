#include "tokenizer/text_encoder.h"

#include <algorithm>

namespace nybble::tokenizer {
namespace {

class TextEncoder {
 public:
  TextEncoder(const Pipeline& parts, bool bare)
      : parts_(parts),
        bare_(bare),
        origins_(bare && !needs_origins(parts.pre_tokenizer) ? AlignedText::Origins::none
                                                             : AlignedText::Origins::in_place) {
    const auto* bpe = std::get_if<Bpe>(&parts.model);
    byte_level_ = bpe != nullptr && bpe->byte_level;
  }

  TextTokens encode(std::string_view text) {
    size_ = static_cast<std::uint32_t>(text.size());
    for (const AddedSplit& split : parts_.added.raw().split(text)) {
      const std::string_view piece = text.substr(split.span.start, split.span.stop - split.span.start);
      if (split.token != nullptr) {
        add_token(*split.token, piece, split.span);
      } else {
        encode_piece(align(piece, split.span.start, origins_));
      }
    }
    return std::move(out_);
  }

 private:
  void encode_piece(AlignedText piece) {
    AlignedText normalized = normalize(parts_.normalizer, std::move(piece));
    const auto splits = parts_.added.normalized().split(normalized.text);
    if (splits.size() == 1 && splits[0].token == nullptr) return encode_words(std::move(normalized));
    for (const AddedSplit& split : splits) {
      const auto [start, stop] = split.span;
      if (split.token != nullptr) {
        add_token(*split.token, std::string_view(normalized.text).substr(start, stop - start),
                  normalized.origin(start, stop));
      } else {
        encode_words(normalized.slice(start, stop));
      }
    }
  }

  void encode_words(AlignedText text) {
    PreTokenized words{std::move(text), {}, false};
    words.words.push_back({0, static_cast<std::uint32_t>(words.text.text.size())});
    pre_tokenize(parts_.pre_tokenizer, words);
    if (!byte_level_) spell_bytes(words);
    std::visit([&](const auto& model) { encode_all(model, words); }, parts_.model);
  }

  template <class AnyModel>
  void encode_all(const AnyModel& model, const PreTokenized& words) {
    if (bare_) out_.ids.reserve(out_.ids.size() + words.words.size());
    for (const Span& word : words.words) {
      tokens_.clear();
      tokenize(model, words.word(word), words.bytes);
      if (bare_) {
        for (const ModelToken& token : tokens_) out_.ids.push_back(token.id);
        continue;
      }
      for (const ModelToken& token : tokens_) add(token, words, word);
      if constexpr (std::is_same_v<AnyModel, Unigram>) spell_unknown(model, words.word(word));
      ++word_;
    }
  }

  void tokenize(const WordPiece& model, std::string_view word, bool) {
    const bool known =
        count_code_points(word) <= model.max_word &&
        model.split(word, [&](std::int32_t id, std::size_t begin, std::size_t end) {
          tokens_.push_back({id, static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)});
        });
    if (!known) tokens_.assign({{model.unknown_id, 0, static_cast<std::uint32_t>(word.size())}});
  }
  void tokenize(const Bpe& model, std::string_view word, bool bytes) {
    model.tokenize(word, bytes, bpe_, tokens_);
  }
  void tokenize(const Unigram& model, std::string_view word, bool) {
    model.tokenize(word, unigram_, tokens_);
  }
  void tokenize(const WordLevel& model, std::string_view word, bool) { tokens_.push_back(model.token(word)); }

  /// A BPE model that drops what is unknown, or whose bytes stand for an affix, counts places that are not in
  /// the word: the reference then gives the places as they are.
  void add(const ModelToken& token, const PreTokenized& words, Span word) {
    const std::uint32_t size = word.stop - word.start;
    Span origin{std::min(token.begin, size_), std::min(token.end, size_)};
    if (token.end <= size) origin = words.text.origin(word.start + token.begin, word.start + token.end);
    out_.ids.push_back(token.id);
    out_.offsets.push_back(origin);
    out_.word_ids.push_back(word_);
  }

  /// The tokens of the last word that are unknown are called what they stand for.
  void spell_unknown(const Unigram& model, std::string_view word) {
    const std::size_t first = out_.ids.size() - tokens_.size();
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      if (tokens_[i].id != model.unknown_id) continue;
      const std::string_view text = word.substr(tokens_[i].begin, tokens_[i].end - tokens_[i].begin);
      if (text != model.vocabulary.token(model.unknown_id))
        out_.spelled.emplace_back(static_cast<std::uint32_t>(first + i), text);
    }
  }

  void add_token(const AddedToken& token, std::string_view text, Span origin) {
    if (!bare_) {
      if (text != token.content) out_.spelled.emplace_back(static_cast<std::uint32_t>(out_.ids.size()), text);
      out_.offsets.push_back(origin);
      out_.word_ids.push_back(word_++);
    }
    out_.ids.push_back(token.id);
  }

  const Pipeline& parts_;
  bool bare_;
  AlignedText::Origins origins_;
  bool byte_level_ = false;
  TextTokens out_;
  std::vector<ModelToken> tokens_;  ///< of the word at hand
  BpeScratch bpe_;
  UnigramScratch unigram_;
  std::int32_t word_ = 0;
  std::uint32_t size_ = 0;  ///< of the text
};

}  // namespace

TextTokens encode_text(const Pipeline& parts, std::string_view text, bool bare) {
  return TextEncoder(parts, bare).encode(text);
}

}  // namespace nybble::tokenizer
