// How the texts of a call become sequences of ids: prompt, marker, length, and what is filled in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nybble/nybble.h"
#include "runtime/multi_vector.h"
#include "runtime/sentence_transformers.h"
#include "tokenizer/tokenizer.h"

namespace nybble::runtime {

/// What follows a query that is too short.
struct Fill {
  std::int32_t id = 0;
  std::size_t length = 0;  ///< of the sequence when it is filled up
  bool is_attended = false;
};

/// How a text is read.
struct TextForm {
  std::string prompt;                  ///< before each text
  std::optional<std::int32_t> marker;  ///< behind the first special tokens
  std::size_t lead_specials = 0;       ///< tokens that the post-processor puts before a text
  std::size_t max_tokens = 0;          ///< of a sequence, special ones included
  Truncate truncate = Truncate::right;
  bool has_windows = false;  ///< of max_tokens; else a text is one sequence
  std::size_t overlap = 0;
  std::optional<Fill> fill;
  std::size_t pool_from = 0;                   ///< Batch::pool_from of each sequence
  const std::vector<bool>* skipped = nullptr;  ///< by id: tokens whose rows are left out; null: none

  /// Whether the tokenizer's fast path gives all that is needed.
  bool is_plain() const { return truncate == Truncate::right && !has_windows; }
  /// Most tokens of a sequence that the tokenizer makes.
  std::size_t room() const { return max_tokens - (marker ? 1 : 0); }
};

/// What a model says about its texts, resolved with its tokenizer. Immutable.
class TextForms {
 public:
  TextForms() = default;
  /// `max_tokens` is the model's or the caller's; no form has more than `positions`. Throws
  /// Error{unsupported_model} where a query is filled up with a token that the tokenizer lacks.
  TextForms(const SentenceTransformers& st, const tokenizer::Tokenizer& tokenizer, std::size_t max_tokens,
            bool is_callers, std::size_t positions);

  /// The form that `options` ask for. Throws Error{bad_input} for an unknown prompt name, or windows that
  /// have no room for a text's tokens.
  TextForm form(const EncodeOptions& options, const tokenizer::Tokenizer& tokenizer) const;

 private:
  /// Of queries, or of documents.
  struct Role {
    std::optional<std::int32_t> marker;
    std::string marker_name;  ///< which PyLate writes into the prompt, too
    std::string marker_text;  ///< the part of it that is no token, and stands before the prompt
    std::size_t max_tokens = 0;
    std::optional<Fill> fill;
    bool skips = false;
  };

  void resolve(const MultiVector& multi_vector, const tokenizer::Tokenizer& tokenizer, std::size_t max_tokens,
               bool is_callers, std::size_t positions);
  std::string prompt(const EncodeOptions& options, const Role* role) const;
  void set_windows(const EncodeOptions& options, TextForm& form) const;

  Prompts prompts_;
  bool include_prompt_ = true;
  std::size_t max_tokens_ = 0, lead_specials_ = 0, specials_ = 0;
  bool has_roles_ = false;
  Role query_, document_;
  std::vector<bool> skipped_;
};

}  // namespace nybble::runtime
