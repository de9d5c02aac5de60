// Texts on their way to ids, a block at a time, so that all threads of a model can share the tokenizer's
// work.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/scheduler.h"
#include "runtime/step_observer.h"
#include "runtime/text_form.h"
#include "tokenizer/tokenizer.h"

namespace nybble::runtime {

/// One of the sequences that a text became.
struct TokenizedSequence {
  std::span<const std::int32_t> ids, types;
  std::size_t own_tokens = 0;  ///< of windows: the text's, without special ones and the prompt's
};

/// What a text, or a pair of texts, became.
struct TokenizedText {
  std::span<const TokenizedSequence> sequences;  ///< one, or a window each
  bool is_cut = false;                           ///< to the most tokens
  std::size_t invalid_texts = 0;                 ///< of one or two: those with invalid UTF-8
  std::size_t invalid_parts = 0;                 ///< of them, each read as U+FFFD
  std::exception_ptr error;                      ///< what the tokenizer threw instead
};

/// Collects texts and tokenizes them together. Reused from block to block; allocates only while it grows.
class TextBlock {
 public:
  /// Texts are read as `form` says; of pairs its length and truncation count. All must outlive this object;
  /// `observer` may be null.
  TextBlock(const tokenizer::Tokenizer& tokenizer, const Scheduler& scheduler, const TextForm& form,
            std::size_t batch_tokens, StepObserver* observer);

  /// The views stay the caller's until clear().
  void add(std::string_view text);
  void add_pair(std::string_view first, std::string_view second);
  /// Keeps the text itself.
  void add_own(std::string text);
  /// Whether the texts will make about a batch.
  bool is_full() const { return bytes_ >= full_bytes_ || own_bytes_ >= kMostOwnBytes; }

  /// Calls take(text) for each text in order, after all were tokenized; then forgets them. What take() throws
  /// ends it.
  void tokenize(const std::function<void(const TokenizedText& text)>& take);

 private:
  /// However much is cut off long texts, no more of them is kept.
  static constexpr std::size_t kMostOwnBytes = std::size_t{1} << 20;

  struct Source {
    std::string_view first, second;
    bool is_pair = false;
    std::string own;  ///< if not empty, the text instead of `first`
  };

  /// A sequence's ids and types, [begin, end) of a buffer.
  struct Piece {
    std::size_t begin = 0, end = 0, own_tokens = 0;
  };
  /// Where a thread leaves ids, those of one text after those of another.
  struct Buffer {
    std::vector<std::int32_t> ids, types;
    std::vector<Piece> pieces;
  };
  struct Result {
    TokenizedText text;  ///< but for the sequences, which are pieces [begin, end) of that buffer
    std::size_t buffer = 0, begin = 0, end = 0;
  };

  Source& next_source(std::size_t bytes);
  void tokenize_all();
  void tokenize_one(std::size_t index, std::size_t buffer);
  void read(const Source& source, TokenizedText& text, Buffer& buffer) const;
  void read_cut(std::string_view text, TokenizedText& result, Buffer& buffer) const;
  void check_length(std::size_t found) const;
  void read_pair(const Source& source, TokenizedText& text, Buffer& buffer) const;

  const tokenizer::Tokenizer& tokenizer_;
  const Scheduler& scheduler_;
  const TextForm& form_;
  std::size_t full_bytes_;
  StepObserver* observer_;
  std::vector<Source> sources_;
  std::vector<Result> results_;
  std::vector<Buffer> buffers_;  ///< one a thread
  std::vector<TokenizedSequence> sequences_;
  std::size_t count_ = 0;  ///< of sources_ and results_ that are in use
  std::size_t bytes_ = 0;  ///< that are read, about
  std::size_t own_bytes_ = 0;
};

}  // namespace nybble::runtime
