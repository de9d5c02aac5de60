#include "runtime/text_block.h"

#include <algorithm>
#include <utility>

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

TextBlock::TextBlock(const tokenizer::Tokenizer& tokenizer, const Scheduler& scheduler,
                     std::size_t max_tokens, std::size_t batch_tokens, StepObserver* observer)
    : tokenizer_(tokenizer),
      scheduler_(scheduler),
      max_tokens_(max_tokens),
      full_bytes_(kBytesPerToken * batch_tokens),
      observer_(observer),
      buffers_(static_cast<std::size_t>(scheduler.threads())) {}

TextBlock::Source& TextBlock::next_source(std::size_t bytes) {
  if (count_ == sources_.size()) {
    sources_.emplace_back();
    results_.emplace_back();
  }
  // At least one token, and no more than are kept.
  bytes_ += std::min(kBytesPerToken + bytes, kBytesPerToken * max_tokens_);
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
    const std::size_t length = result.end - result.begin;
    result.text.ids = std::span(buffer.ids).subspan(result.begin, length);
    result.text.types = std::span(buffer.types).subspan(result.begin, length);
    take(result.text);
  }
  count_ = bytes_ = own_bytes_ = 0;
}

void TextBlock::tokenize_all() {
  for (Buffer& buffer : buffers_) {
    buffer.ids.clear();
    buffer.types.clear();
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
  Buffer& ids = buffers_[buffer];
  result = {{}, buffer, ids.ids.size(), ids.ids.size()};
  try {
    source.is_pair ? read_pair(source, result.text, ids) : read(source, result.text, ids);
    result.end = ids.ids.size();
  } catch (...) {
    // Of several texts that fail, the first is to be told of, after all before it were computed.
    result.text.error = std::current_exception();
    ids.ids.resize(result.begin);
    ids.types.resize(result.begin);
  }
}

void TextBlock::read(const Source& source, TokenizedText& text, Buffer& buffer) const {
  std::string storage;
  const std::string_view valid = readable(source.own.empty() ? source.first : source.own, storage, text);
  text.is_cut = tokenizer_.encode_ids(valid, max_tokens_, buffer.ids, buffer.types);
}

void TextBlock::read_pair(const Source& source, TokenizedText& text, Buffer& buffer) const {
  std::string storage_first, storage_second;
  const std::string_view first = readable(source.first, storage_first, text);
  const std::string_view second = readable(source.second, storage_second, text);
  tokenizer::Encoding encoding = tokenizer_.encode_pair(first, second);
  text.is_cut = encoding.ids.size() > max_tokens_;
  if (text.is_cut) encoding = tokenizer_.encode_pair(first, second, max_tokens_);
  buffer.ids.insert(buffer.ids.end(), encoding.ids.begin(), encoding.ids.end());
  buffer.types.insert(buffer.types.end(), encoding.type_ids.begin(), encoding.type_ids.end());
}

}  // namespace nybble::runtime
