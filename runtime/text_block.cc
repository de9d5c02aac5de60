#include "runtime/text_block.h"

#include <algorithm>
#include <utility>

#include "runtime/text_windows.h"
#include "tokenizer/utf8.h"

namespace nybble::runtime {
namespace {

/// Of prose; where a token has more, blocks make less than a batch, which costs nothing.
constexpr std::size_t kBytesPerToken = 4;
/// Prose comes at 30 MB/s: so much takes 0.14 ms, and another thread 0.05 ms to wake up.
constexpr std::size_t kBytesAlone = 4096;

/// A text as the tokenizer may read it; `storage` holds it where it had to be repaired. Counts what was wrong
/// with it.
std::string_view readable(std::string_view text, std::string& storage, TokenizedText& result) {
  if (tokenizer::is_valid_utf8(text)) return text;
  tokenizer::RepairedText repaired = tokenizer::repair_utf8(text);
  ++result.invalid_texts;
  result.invalid_parts += repaired.replaced;
  storage = std::move(repaired.text);
  return storage;
}

}  // namespace

TextBlock::TextBlock(const tokenizer::Tokenizer& tokenizer, const Scheduler& scheduler, const TextForm& form,
                     std::size_t batch_tokens, StepObserver* observer)
    : tokenizer_(tokenizer),
      scheduler_(scheduler),
      form_(form),
      full_bytes_(kBytesPerToken * batch_tokens),
      observer_(observer),
      buffers_(static_cast<std::size_t>(scheduler.threads())) {}

TextBlock::Source& TextBlock::next_source(std::size_t bytes) {
  if (count_ == sources_.size()) {
    sources_.emplace_back();
    results_.emplace_back();
  }
  // At least one token, and no more than are kept.
  const std::size_t all = kBytesPerToken + bytes;
  bytes_ += form_.has_windows ? all : std::min(all, kBytesPerToken * form_.max_tokens);
  return sources_[count_++];
}

void TextBlock::add(std::string_view text) { next_source(text.size()) = {text, {}, false, {}}; }

void TextBlock::add_pair(std::string_view first, std::string_view second) {
  next_source(first.size() + second.size()) = {first, second, true, {}};
}

void TextBlock::add_own(std::string text) {
  own_bytes_ += text.size();
  Source& source = next_source(text.size());
  source = {{}, {}, false, std::move(text)};
}

void TextBlock::tokenize(const std::function<void(const TokenizedText&)>& take) {
  tokenize_all();
  for (std::size_t i = 0; i < count_; ++i) {
    Result& result = results_[i];
    const Buffer& buffer = buffers_[result.buffer];
    sequences_.clear();
    for (std::size_t p = result.begin; p < result.end; ++p) {
      const Piece& piece = buffer.pieces[p];
      const std::size_t length = piece.end - piece.begin;
      sequences_.push_back({std::span(buffer.ids).subspan(piece.begin, length),
                            std::span(buffer.types).subspan(piece.begin, length), piece.own_tokens});
    }
    result.text.sequences = sequences_;
    take(result.text);
  }
  count_ = bytes_ = own_bytes_ = 0;
}

void TextBlock::tokenize_all() {
  for (Buffer& buffer : buffers_) {
    buffer.ids.clear();
    buffer.types.clear();
    buffer.pieces.clear();
  }
  const auto one = [this](int i, int slot) {
    const auto index = static_cast<std::size_t>(i), buffer = static_cast<std::size_t>(slot);
    if (!observer_) return tokenize_one(index, buffer);
    observer_->texts_tokenized(1, timed([&] { tokenize_one(index, buffer); }));
  };
  if (count_ > 1 && bytes_ > kBytesAlone) return scheduler_.parallel_for(static_cast<int>(count_), one);
  for (std::size_t i = 0; i < count_; ++i) one(static_cast<int>(i), 0);
}

void TextBlock::tokenize_one(std::size_t index, std::size_t buffer) {
  const Source& source = sources_[index];
  Result& result = results_[index];
  Buffer& into = buffers_[buffer];
  const std::size_t ids = into.ids.size(), pieces = into.pieces.size();
  result = {{}, buffer, pieces, pieces};
  try {
    source.is_pair ? read_pair(source, result.text, into) : read(source, result.text, into);
    result.end = into.pieces.size();
  } catch (...) {
    // Of several texts that fail, the first is to be told of, after all before it were computed.
    result.text.error = std::current_exception();
    into.ids.resize(ids);
    into.types.resize(ids);
    into.pieces.resize(pieces);
  }
}

void TextBlock::read(const Source& source, TokenizedText& text, Buffer& buffer) const {
  std::string storage;
  std::string_view valid = readable(source.own.empty() ? source.first : source.own, storage, text);
  std::string prompted;
  if (!form_.prompt.empty()) valid = prompted.append(form_.prompt).append(valid);
  const std::size_t begin = buffer.ids.size();
  if (!form_.is_plain()) {
    read_cut(valid, text, buffer);
  } else {
    text.is_cut = tokenizer_.encode_ids(valid, form_.room(), buffer.ids, buffer.types);
    buffer.pieces.push_back({begin, buffer.ids.size(), 0});
  }
}

/// A marker stands behind the first special tokens of each sequence.
void TextBlock::read_cut(std::string_view text, TokenizedText& result, Buffer& buffer) const {
  const tokenizer::Encoding encoding = tokenizer_.encode(text);
  const TextParts parts = parts_of(encoding, form_.prompt.size());
  if (form_.truncate == Truncate::error && !form_.has_windows) check_length(encoding.ids.size());
  const auto copy = [&](std::size_t begin, std::size_t end) {
    const auto at = [](const auto& values, std::size_t i) {
      return values.begin() + static_cast<std::ptrdiff_t>(i);
    };
    buffer.ids.insert(buffer.ids.end(), at(encoding.ids, begin), at(encoding.ids, end));
    buffer.types.insert(buffer.types.end(), at(encoding.type_ids, begin), at(encoding.type_ids, end));
  };
  const auto offsets = TokenOffsets(encoding.offsets).subspan(parts.lead, parts.own);
  const std::size_t size = encoding.ids.size();
  for (const TokenRange& range : sequences_of_text(form_, parts, offsets)) {
    const std::size_t begin = buffer.ids.size();
    copy(0, parts.lead);
    copy(parts.lead + range.begin, parts.lead + range.end);
    copy(size - parts.trail, size);
    buffer.pieces.push_back({begin, buffer.ids.size(), range.end - range.begin});
    result.is_cut |= !form_.has_windows && range.end - range.begin < parts.own;
  }
}

void TextBlock::check_length(std::size_t found) const {
  if (found <= form_.room()) return;
  throw Error(ErrorCode::too_long, "expected at most " + std::to_string(form_.room()) +
                                       " tokens, special ones included, found " + std::to_string(found));
}

void TextBlock::read_pair(const Source& source, TokenizedText& text, Buffer& buffer) const {
  std::string storage_first, storage_second;
  const std::string_view first = readable(source.first, storage_first, text);
  const std::string_view second = readable(source.second, storage_second, text);
  tokenizer::Encoding encoding = tokenizer_.encode_pair(first, second);
  text.is_cut = encoding.ids.size() > form_.max_tokens;
  if (text.is_cut && form_.truncate == Truncate::error) check_length(encoding.ids.size());
  tokenizer::Truncation truncation;
  truncation.max_tokens = form_.max_tokens;
  truncation.overflow = false;
  if (form_.truncate == Truncate::left) truncation.side = tokenizer::Truncation::Side::left;
  if (text.is_cut) encoding = tokenizer_.encode_pair(first, second, truncation);
  const std::size_t begin = buffer.ids.size();
  buffer.ids.insert(buffer.ids.end(), encoding.ids.begin(), encoding.ids.end());
  buffer.types.insert(buffer.types.end(), encoding.type_ids.begin(), encoding.type_ids.end());
  buffer.pieces.push_back({begin, buffer.ids.size(), 0});
}

}  // namespace nybble::runtime
