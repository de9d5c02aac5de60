#include "tokenizer/bert_ids.h"

#include <limits>
#include <string>

namespace nybble::tokenizer {
namespace {

/// Collects what a single byte becomes.
struct Collect {
  std::u32string out;
  void put(char32_t c, Span) { out.push_back(c); }
};

std::u32string normalized_byte(const BertNormalizer& options, char32_t byte) {
  Collect sink;
  BertNormalizerStream<Collect> stream(options, sink);
  stream.feed(byte, {});
  stream.finish();
  return sink.out;
}

ByteAction action_of(char32_t c) {
  const std::uint16_t flags = unicode::properties(c).flags;
  if ((flags & unicode::kSpace) != 0) return ByteAction::space;
  return (flags & unicode::kPunctuation) != 0 ? ByteAction::punctuation : ByteAction::word;
}

/// Tokens that start with white space can overlap what another one stripped; those that start with a wide
/// code point would cost a look at each.
bool needs_whole_text(const AddedTokenFinder& finder) {
  for (unsigned byte = 0x80; byte < 256; ++byte) {
    if (finder.may_start(static_cast<std::uint8_t>(byte))) return true;
  }
  for (unsigned byte = 0; byte < 0x80; ++byte) {
    if (finder.may_start(static_cast<std::uint8_t>(byte)) && unicode::has(byte, unicode::kSpace)) return true;
  }
  return false;
}

}  // namespace

/// One call: the word so far and where to put ids.
class BertIdsRun {
 public:
  BertIdsRun(const BertIds& parts, std::string_view text, std::size_t limit, std::vector<std::int32_t>& ids)
      : parts_(parts), text_(text), ids_(ids), stream_(parts.normalizer_, *this) {
    const std::size_t room = std::numeric_limits<std::size_t>::max() - ids.size();
    end_ = ids.size() + std::min(limit, room);
  }

  /// True if there are more ids than the limit; those were taken back.
  bool run() {
    while (at_ < text_.size() && ids_.size() <= end_) step();
    if (ids_.size() <= end_) end_piece();
    if (ids_.size() <= end_) return false;
    ids_.resize(end_);
    return true;
  }

  /// Takes a normalized code point: the sink of the normalizer.
  void put(char32_t c, Span) {
    switch (action_of(c)) {
      case ByteAction::space:
        return end_word();
      case ByteAction::punctuation:
        end_word();
        add(c);
        return end_word();
      default:
        return add(c);
    }
  }

 private:
  void step() {
    const auto byte = static_cast<std::uint8_t>(text_[at_]);
    ByteAction action = parts_.actions_[byte];
    if (action == ByteAction::added) {
      if (take_added()) return;
      action = parts_.plain_[byte];
    }
    if (action == ByteAction::wide || !stream_.idle()) return feed();
    switch (action) {
      case ByteAction::word:
        return take_word();
      case ByteAction::space:
        end_word();
        break;
      case ByteAction::punctuation:
        end_word();
        put_byte(byte);
        end_word();
        break;
      default:
        break;
    }
    ++at_;
  }

  void feed() {
    const CodePoint c = read_code_point(text_, at_);
    stream_.feed(c.value, {});
    at_ += c.size;
  }

  /// The byte here and all that follow it as parts of a word.
  void take_word() {
    const std::size_t begin = at_++;
    while (at_ < text_.size() && parts_.actions_[static_cast<std::uint8_t>(text_[at_])] == ByteAction::word)
      ++at_;
    points_ += at_ - begin;
    if (points_ > parts_.model_->max_word) return;
    const std::size_t old = word_.size();
    word_.resize(old + at_ - begin);
    for (std::size_t i = begin; i < at_; ++i) {
      word_[old + i - begin] = parts_.lower_[static_cast<std::uint8_t>(text_[i])];
    }
  }

  /// An added token at this place, unless it is inside one that did not hold.
  bool take_added() {
    if (at_ < passed_over_) return false;
    const auto match = parts_.added_->match(text_, at_);
    if (!match) return false;
    passed_over_ = match->end;
    if (!match->holds) return false;
    end_piece();
    ids_.push_back(match->token->id);
    at_ = match->end;
    return true;
  }

  void end_piece() {
    stream_.finish();
    end_word();
  }

  void put_byte(std::uint8_t byte) {
    ++points_;
    word_.push_back(parts_.lower_[byte]);
  }

  /// A word that is too long is unknown whatever it holds: it is counted, not kept.
  void add(char32_t c) {
    if (++points_ <= parts_.model_->max_word) append_code_point(word_, c);
  }

  void end_word() {
    if (points_ == 0) return;
    const std::size_t before = ids_.size();
    const bool known = points_ <= parts_.model_->max_word &&
                       parts_.model_->split(word_, [&](std::int32_t id, auto, auto) { ids_.push_back(id); });
    if (!known) {
      ids_.resize(before);
      ids_.push_back(parts_.model_->unknown_id);
    }
    word_.clear();
    points_ = 0;
  }

  const BertIds& parts_;
  std::string_view text_;
  std::vector<std::int32_t>& ids_;
  BertNormalizerStream<BertIdsRun> stream_;
  std::string word_;
  std::size_t points_ = 0;  ///< code points of the word, kept or not
  std::size_t at_ = 0;
  std::size_t passed_over_ = 0;
  std::size_t end_ = 0;
};

std::optional<BertIds> BertIds::make(const Pipeline& pipeline) {
  const auto* model = std::get_if<WordPiece>(&pipeline.model);
  const bool bert_words = pipeline.pre_tokenizer.size() == 1 &&
                          std::holds_alternative<BertPreTokenizer>(pipeline.pre_tokenizer[0]);
  const bool bert_text =
      pipeline.normalizer.empty() ||
      (pipeline.normalizer.size() == 1 && std::holds_alternative<BertNormalizer>(pipeline.normalizer[0]));
  const bool other = model == nullptr || !bert_words || !bert_text || !pipeline.added.normalized().empty() ||
                     needs_whole_text(pipeline.added.raw());
  if (other) return std::nullopt;
  BertIds out;
  out.model_ = model;
  out.added_ = &pipeline.added.raw();
  out.normalizer_ = pipeline.normalizer.empty() ? BertNormalizer{false, false, false, false}
                                                : std::get<BertNormalizer>(pipeline.normalizer[0]);
  out.actions_.fill(ByteAction::wide);
  for (std::uint8_t byte = 0; byte < 0x80; ++byte) {
    const std::u32string normalized = normalized_byte(out.normalizer_, byte);
    out.plain_[byte] = normalized.empty() ? ByteAction::dropped : action_of(normalized[0]);
    out.lower_[byte] = normalized.empty() ? '\0' : static_cast<char>(normalized[0]);
    out.actions_[byte] = out.added_->may_start(byte) ? ByteAction::added : out.plain_[byte];
  }
  return out;
}

bool BertIds::append(std::string_view text, std::size_t limit, std::vector<std::int32_t>& ids) const {
  return BertIdsRun(*this, text, limit, ids).run();
}

}  // namespace nybble::tokenizer
