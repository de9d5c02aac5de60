// Nybble's tasks beside embeddings: models with a head, loaded from the folders that transformers and
// sentence-transformers save.
//
//   nybble::Reranker reranker = nybble::Reranker::load("path/to/ms-marco-MiniLM-L6-v2");
//   std::vector<std::string_view> documents = {"logrotate(8) rotates log files.", "A chess program."};
//   for (const nybble::Ranked& hit : reranker.rank("how do I rotate a log file?", documents))
//     std::cout << hit.score << ' ' << documents[hit.index] << '\n';
//
// A Classifier gives a score a label, a Reranker one a document, an EntityRecognizer the entities of a text,
// a MaskFiller tokens for its masks. Each is immutable: any number of threads may call it at once, and copies
// share one model. LoadOptions and EncodeOptions are those of Model (nybble.h); what they say of rows,
// prompts and windows has no meaning here. Texts, or pairs, of one call whose tokens are equal are computed
// once. With integer weights the bits of a score depend on the text, or pair of texts, and the model alone.
// Failures are nybble::Error, as everywhere. Text that is no UTF-8 is read as U+FFFD, once for each maximal
// invalid part.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "nybble/nybble.h"

namespace nybble {

namespace runtime {
struct TaskModel;
}  // namespace runtime

/// What a folder's model can be asked for.
enum class Task {
  embed,      ///< Model
  classify,   ///< Classifier
  rerank,     ///< Reranker: a classifier of pairs with one label
  ner,        ///< EntityRecognizer
  fill_mask,  ///< MaskFiller
};

/// "embed", "classify", "rerank", "ner", "fill-mask": the commands of `nybble`.
NYBBLE_API std::string_view task_name(Task task);

/// What a folder has heads for, by its config.json and the names of its tensors; `model` as in Model::load().
/// Throws unsupported_model or io where these cannot be read.
NYBBLE_API std::vector<Task> tasks_of(std::string_view model = {});

/// How logits become scores.
enum class Scoring {
  softmax,  ///< e^x / Σ e^x over the labels: one label is right
  sigmoid,  ///< 1 / (1 + e^-x), each label by itself
  none,     ///< the logits: regression
};

/// A text, or a pair of texts: `second` is then the other one.
struct TextOrPair {
  std::string_view first;
  std::optional<std::string_view> second;
};

// ---- classification ----

/// Sequence classification: single label, several labels, regression; of texts and of pairs.
class NYBBLE_API Classifier {
 public:
  /// Throws unsupported_model where the folder has no such head, saying what it has.
  static Classifier load(std::string_view model = {}, const LoadOptions& options = {});

  const ModelInfo& info() const;
  const std::vector<std::string>& labels() const;  ///< config.json's id2label
  /// What classify() does unless it is told otherwise: by config.json's problem_type; without it softmax, or
  /// sigmoid where there is one label, as the pipelines of transformers.
  Scoring scoring() const;

  /// Writes labels().size() scores a text to `scores`. Texts of more tokens than info().max_tokens are cut,
  /// of a pair the longer text first, or an error, as options.truncate says. Throws bad_input where `scores`
  /// has another size.
  EncodeReport classify(std::span<const TextOrPair> texts, std::span<float> scores,
                        std::optional<Scoring> scoring = {}, const EncodeOptions& options = {}) const;

 private:
  std::shared_ptr<const runtime::TaskModel> impl_;
};

// ---- reranking ----

struct Ranked {
  std::size_t index = 0;  ///< of the document
  float score = 0;
};

/// A cross-encoder: reads a query and a document together.
class NYBBLE_API Reranker {
 public:
  /// Throws unsupported_model where the folder has no head for sequence classification, or one of several
  /// labels.
  static Reranker load(std::string_view model = {}, const LoadOptions& options = {});

  const ModelInfo& info() const;
  /// Sigmoid or none: the activation that the folder names as sentence-transformers' CrossEncoder writes it,
  /// without one sigmoid.
  Scoring scoring() const;

  /// Writes one score a pair of query and document. Cuts as Classifier::classify(). Throws bad_input where
  /// `scores` has another size.
  EncodeReport score(std::string_view query, std::span<const std::string_view> documents,
                     std::span<float> scores, std::optional<Scoring> scoring = {},
                     const EncodeOptions& options = {}) const;

  /// The `top_k` documents of the highest scores (0: all), the highest first, of equal ones the first first.
  std::vector<Ranked> rank(std::string_view query, std::span<const std::string_view> documents,
                           std::size_t top_k = 0, const EncodeOptions& options = {}) const;

 private:
  std::shared_ptr<const runtime::TaskModel> impl_;
};

/// The order of `scores`: what Reranker::rank() gives of them.
NYBBLE_API std::vector<Ranked> rank_scores(std::span<const float> scores, std::size_t top_k = 0);

// ---- named entities ----

/// How the labels of tokens become entities, as the token-classification pipelines of transformers do it.
enum class Aggregation {
  none,     ///< each token by itself
  simple,   ///< neighbours of one tag are an entity; a B- tag begins another
  first,    ///< as simple, of words that have their first token's label
  average,  ///< of words that have the label of their tokens' mean scores
  max,      ///< of words that have the label of the token with the highest score
};

struct Entity {
  std::string label;  ///< with Aggregation::none as id2label has it, else without B- or I-
  float score = 0;    ///< of an entity of several tokens or words their mean
  std::string word;   ///< as the tokenizer's decoder writes it; the text has the offsets
  std::size_t byte_begin = 0, byte_end = 0;  ///< in the text as given
  std::size_t char_begin = 0, char_end = 0;  ///< in code points; an invalid part of the text is one
  std::size_t token = 0;  ///< index of the first token, special tokens counted, windows laid end to end
};

struct EntityOptions {
  Aggregation aggregation = Aggregation::simple;
  std::vector<std::string> ignored_labels = {"O"};  ///< entities of these are left out
  /// A text of more tokens than this (special ones included; 0: info().max_tokens) is read in windows that
  /// share `overlap` tokens. Each token takes its scores from the window in which it stands farthest from an
  /// end that is not the text's, and entities are made of the tokens of all windows: none ends where a window
  /// does.
  std::size_t window = 0;
  std::optional<std::size_t> overlap;  ///< else a quarter of the window
  /// Instead of windows: what becomes of a text of more than info().max_tokens tokens.
  std::optional<Truncate> truncate;
  EncodeOptions encode;  ///< whose `truncate` has no meaning here
};

/// What happened to the texts of a call.
struct EntityReport {
  std::size_t windows = 0;   ///< of all texts
  std::size_t windowed = 0;  ///< texts of more than one window
  std::size_t cut = 0;       ///< texts, to info().max_tokens
  std::size_t folded = 0;    ///< windows of the same tokens as an earlier one, whose scores they got
  std::size_t invalid_texts = 0, invalid_parts = 0, first_invalid = 0;  ///< as in EncodeReport
};

/// Token classification with offsets into the text.
class NYBBLE_API EntityRecognizer {
 public:
  static EntityRecognizer load(std::string_view model = {}, const LoadOptions& options = {});

  const ModelInfo& info() const;
  const std::vector<std::string>& labels() const;

  /// The entities of each text, in its order. Throws bad_input where the overlap does not fit the window, or
  /// windows are asked for and truncation too.
  std::vector<std::vector<Entity>> entities(std::span<const std::string_view> texts,
                                            const EntityOptions& options = {},
                                            EntityReport* report = nullptr) const;

 private:
  std::shared_ptr<const runtime::TaskModel> impl_;
};

// ---- masks ----

struct Filling {
  std::int32_t id = 0;
  std::string token;     ///< decoded
  float score = 0;       ///< softmax over the vocabulary
  std::string sequence;  ///< the text with this token in the mask's place, decoded
};

/// A masked language model.
class NYBBLE_API MaskFiller {
 public:
  static MaskFiller load(std::string_view model = {}, const LoadOptions& options = {});

  const ModelInfo& info() const;
  const std::string& mask_token() const;  ///< what stands for a mask in a text: "[MASK]"

  /// For each mask of each text the `top_k` likeliest tokens, the likeliest first; each mask by itself, as
  /// the fill-mask pipelines of transformers. Texts of more than info().max_tokens tokens are cut, or an
  /// error, as options.truncate says. Throws bad_input for a text without a mask, too_long for one that would
  /// lose a mask.
  std::vector<std::vector<std::vector<Filling>>> fill(std::span<const std::string_view> texts,
                                                      std::size_t top_k = 5,
                                                      const EncodeOptions& options = {},
                                                      EncodeReport* report = nullptr) const;

 private:
  std::shared_ptr<const runtime::TaskModel> impl_;
};

}  // namespace nybble
