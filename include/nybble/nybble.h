// Nybble: quantized transformer encoders on CPUs.
//
// Load a Hugging Face folder once, then embed texts from as many threads as you like:
//
//   nybble::Model model = nybble::Model::load("path/to/all-MiniLM-L6-v2");
//   std::vector<std::string_view> texts = {"how do I rotate a log file?", "log rotation"};
//   std::vector<float> rows(texts.size() * model.info().dimensions);
//   model.encode(texts, rows);
//
// The library never prints and never aborts: every failure is a nybble::Error (error.h) whose what() is one
// sentence. With integer weights the bits of a row depend on its text and the model alone: not on the batch
// it came in, nor on the number of threads, nor on the instruction set (docs/numerics.md). With Weights::f32
// they agree to about 2e-5.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "nybble/api.h"
#include "nybble/error.h"
#include "nybble/machine.h"
#include "nybble/tokens.h"

namespace nybble {

namespace runtime {
struct LoadedModel;
class StepObserver;
}  // namespace runtime

/// "0.1.0"
NYBBLE_API std::string_view version();

// ---- loading ----

/// How the weights of the linear layers are held and multiplied.
enum class Weights {
  f32,   ///< as in the file, on oneDNN
  int8,  ///< 8 bits, one scale an output channel; rows of activations in 8 bits, one scale and zero point a
         ///< row
  int7,
  int6,
  int5,  ///< fewer bits, held in bytes: faster than int8 on CPUs with neither VNNI nor AMX
  int4,  ///< 4 bits, two a byte, in groups of 64 along a row of weights: 0.58 of int8's memory
};
inline constexpr Weights kAllWeights[] = {Weights::f32,  Weights::int8, Weights::int7,
                                          Weights::int6, Weights::int5, Weights::int4};
/// "f32", "int8" …
NYBBLE_API std::string_view weights_name(Weights weights);

/// How the rows of a sequence become one; i and n are a token's place from 1 on and the number of tokens.
enum class Pooling {
  mean,           ///< Σ x / n
  cls,            ///< the first token's row
  max,            ///< the greatest of each column
  last,           ///< the last token's row
  weighted_mean,  ///< Σ i·x / Σ i
  mean_sqrt_len,  ///< Σ x / √n
};

/// What a model gives.
enum class Output {
  embedding,     ///< one row a text: pooled, and normalized if the model says so
  tokens,        ///< one row a token: the last layer's
  multi_vector,  ///< one row a token that is compared (ColBERT; vectors.h)
  sparse,        ///< one row a text, a weight for each token of the vocabulary (SPLADE; vectors.h)
};

struct LoadOptions {
  Weights weights = Weights::int8;
  std::optional<Output> output;   ///< else as the folder says; without modules.json, embedding
  std::vector<Pooling> pooling;   ///< several stand side by side; none: as modules.json says, else the mean
  std::optional<bool> normalize;  ///< scale rows to length 1; else as modules.json says; without it, no
  /// Rows are cut to so many values, then normalized if that is on; else as the folder's truncate_dim says.
  std::optional<std::size_t> dimensions;
  int threads = 0;  ///< 0: as many as this process may use (affinity and cgroup quota)
  std::string isa;  ///< an instruction set by name; empty: $NYBBLE_ISA, else the best that runs here
  std::size_t max_tokens =
      0;  ///< cut texts to this; 0: as the model's files say (ModelInfo::max_tokens_source)
  /// Tokens computed at a time; memory grows with it. Else 4096, or 1024 a thread where that is more.
  std::optional<std::size_t> batch_tokens;
  int concurrent_calls = 0;  ///< calls that compute at a time, others wait; 0: as many as threads
  std::vector<std::string> disabled_passes;  ///< graph passes to leave out, by name: for experiments
  /// Called after each graph pass with its name and the graph as text; may be empty.
  std::function<void(std::string_view pass, const std::string& graph)> on_pass;
};

/// The names of the graph passes, in the order in which they run.
NYBBLE_API std::vector<std::string> pass_names();

/// What a loaded model is. Immutable.
struct ModelInfo {
  std::string folder;
  std::string family;  ///< "bert"
  std::size_t layers = 0, hidden = 0, heads = 0, intermediate = 0;
  std::size_t vocabulary = 0, positions = 0, token_types = 0;
  std::string activation;  ///< as config.json calls it
  std::string tokenizer;   ///< the tokenizer's model: "WordPiece", "BPE", "Unigram" or "WordLevel"
  std::size_t tokenizer_vocabulary = 0;
  /// Left over in tokenizer.json from the run that saved it; shown, never applied.
  std::optional<std::int64_t> tokenizer_truncation, tokenizer_padding;
  std::size_t max_tokens = 0;
  std::string max_tokens_source;  ///< which file or option says so
  Output output = Output::embedding;
  std::size_t dimensions = 0;        ///< floats in a row of the output
  std::vector<Pooling> pooling;      ///< empty where nothing is pooled
  bool normalize = false;            ///< rows are scaled to length 1
  std::vector<std::string> modules;  ///< between encoder and output, as people call them: "Dense to 24, tanh"
  std::map<std::string, std::string> prompts;  ///< by name, as config_sentence_transformers.json says
  std::string default_prompt;                  ///< its name; empty: none
  Weights weights = Weights::int8;
  std::string isa;
  int threads = 1;
  int numa_nodes = 1;            ///< whose threads these are; each has a copy of the linears' weights
  std::string bits;              ///< "exact (numerics 2)" or "machine-dependent"
  std::size_t linear_bytes = 0;  ///< the linears' weights as held in memory
  std::size_t table_bytes = 0;   ///< embedding tables and vectors
  std::size_t file_bytes = 0;    ///< the weight files
  double load_seconds = 0;
  /// Of these: reading tokenizer.json (beside all else on two threads or more); checking the files' headers
  /// and making the graph; and quantizing and packing the weights.
  double tokenizer_seconds = 0, graph_seconds = 0, plan_seconds = 0;
};

// ---- encoding ----

/// What becomes of a text of more than ModelInfo::max_tokens tokens. A prompt is never cut off.
enum class Truncate {
  right,  ///< its end is left out
  left,   ///< its beginning is left out
  error,  ///< Error{too_long}
};

struct EncodeOptions {
  std::optional<std::string> prompt;  ///< put before each text; else that of prompt_name
  /// One of ModelInfo::prompts; else the default, if there is one. For Output::multi_vector "query" makes
  /// queries; all else makes documents.
  std::optional<std::string> prompt_name;
  Truncate truncate = Truncate::right;
  /// Not 0: a text is computed in windows of up to so many tokens, special ones and the prompt's included,
  /// none of which begins or ends within a character. Rows are averaged by the number of the text's tokens in
  /// each (sparse ones: the greatest weight counts), then normalized if the model normalizes.
  std::size_t chunk = 0;
  std::size_t overlap = 0;                ///< tokens that windows share with the one before
  std::optional<std::size_t> dimensions;  ///< else as ModelInfo::dimensions
  std::stop_token stop;  ///< Error{cancelled} soon after it is triggered; rows written until then stay
  bool wait = true;      ///< false: Error{busy} at once where every workspace is in use
  /// Told of every step while the call runs; for `nybble profile`, whose interface is not public.
  runtime::StepObserver* observer = nullptr;
};

/// What happened to the texts of a call. Text that is no UTF-8 is read as U+FFFD, once for each maximal
/// invalid part.
struct EncodeReport {
  std::size_t texts = 0;
  std::size_t tokens = 0;         ///< computed, special tokens included
  std::size_t folded = 0;         ///< texts of the same tokens as an earlier one, whose rows they got
  std::size_t cut = 0;            ///< texts cut to max_tokens
  std::size_t windows = 0;        ///< of all texts, where EncodeOptions::chunk is set
  std::size_t invalid_texts = 0;  ///< texts with invalid UTF-8
  std::size_t invalid_parts = 0;  ///< parts of them replaced by U+FFFD
  std::size_t first_invalid = 0;  ///< index of the first such text
};

/// An encoder, ready to run. Immutable; any number of threads may call it at once. Copies share one model.
class NYBBLE_API Model {
 public:
  /// Loads a folder; or "org/name" from the Hugging Face cache on this machine; or, if empty, $NYBBLE_MODEL,
  /// else the default model of tools/setup. Nothing is downloaded. Throws unsupported_model, io, bad_input.
  static Model load(std::string_view model = {}, const LoadOptions& options = {});

  const ModelInfo& info() const;

  /// Writes one row of info().dimensions floats a text to `rows` (texts.size() × dimensions). Throws
  /// bad_input where `rows` has another size. For outputs of one row a text only; so is encode_pairs, which
  /// knows no prompt and no windows, and gives the model the tokenizer's token types where transformers does.
  EncodeReport encode(std::span<const std::string_view> texts, std::span<float> rows,
                      const EncodeOptions& options = {}) const;
  EncodeReport encode_pairs(std::span<const std::pair<std::string_view, std::string_view>> pairs,
                            std::span<float> rows, const EncodeOptions& options = {}) const;

  /// Sequences of ids laid end to end; sequence i is ids[cu_seqlens[i]] .. ids[cu_seqlens[i+1]-1],
  /// cu_seqlens[0] = 0. Nothing is added or cut: an id outside the vocabulary or an empty sequence is
  /// bad_input, more ids than positions is too_long. `rows` has a row a sequence, or an id where the output
  /// is one row a token. `type_ids`: empty (all 0) or one an id.
  EncodeReport encode_ids(std::span<const std::int32_t> ids, std::span<const std::int32_t> cu_seqlens,
                          std::span<float> rows, std::span<const std::int32_t> type_ids = {},
                          const EncodeOptions& options = {}) const;

  /// Any number of texts in constant memory: `next` fills in the next text and returns true, or false at the
  /// end; `row` receives the row of each in order, or where the output is one row a token its rows, end to
  /// end. Both are called from this thread.
  EncodeReport encode_stream(const std::function<bool(std::string& text)>& next,
                             const std::function<void(std::size_t index, std::span<const float> row)>& row,
                             const EncodeOptions& options = {}) const;

  /// The tokens that encode() would compute for a text.
  Tokens tokenize(std::string_view text) const;
  /// The same where it is cut in windows, or otherwise than on the right; one window unless `chunk` is set.
  std::vector<Window> windows(std::string_view text, const EncodeOptions& options) const;

  /// The name of a token of the vocabulary; empty if there is none.
  std::string token(std::int32_t id) const;

  /// The plan, a line a step: operation, shapes, weight format, kernel or primitive, bytes, share of the
  /// multiplications.
  std::string explain() const;
  /// The graph after all passes, as text.
  const std::string& graph() const;

 private:
  std::shared_ptr<const runtime::LoadedModel> impl_;
};

}  // namespace nybble
