// Nybble: quantized transformer encoders on CPUs.
//
// Load a Hugging Face folder once, then embed texts from as many threads as you like:
//
//   nybble::Model model = nybble::Model::load("path/to/all-MiniLM-L6-v2");
//   std::vector<std::string_view> texts = {"how do I rotate a log file?", "log rotation"};
//   std::vector<float> rows(texts.size() * model.info().hidden);
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
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "nybble/error.h"

#define NYBBLE_API __attribute__((visibility("default")))

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

/// How the rows of a sequence become one.
enum class Pooling {
  mean,  ///< the mean over all tokens
  cls,   ///< the first token's row
};

/// What encode() gives.
enum class Output {
  embedding,  ///< one row a text: pooled, and normalized if the model says so
  tokens,     ///< one row a token: the last layer's
};

struct LoadOptions {
  Weights weights = Weights::int8;
  Output output = Output::embedding;
  std::optional<Pooling> pooling;  ///< else as modules.json says; without modules.json the mean
  std::optional<bool> normalize;   ///< scale rows to length 1; else as modules.json says; without it, no
  int threads = 0;                 ///< 0: as many as this process may use (affinity and cgroup quota)
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
  Pooling pooling = Pooling::mean;
  bool normalize = false;
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

struct EncodeOptions {
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
  std::size_t invalid_texts = 0;  ///< texts with invalid UTF-8
  std::size_t invalid_parts = 0;  ///< parts of them replaced by U+FFFD
  std::size_t first_invalid = 0;  ///< index of the first such text
};

/// A text as encode() and tokenize() read it.
struct Utf8Text {
  std::string text;
  std::size_t invalid_parts = 0;       ///< replaced by U+FFFD
  std::size_t first_invalid_byte = 0;  ///< of the text as given
};

/// `text` with each maximal part that is no UTF-8 replaced by U+FFFD, as Python's decode("utf-8", "replace");
/// nothing if all is UTF-8.
NYBBLE_API std::optional<Utf8Text> repair_utf8(std::string_view text);

/// The tokens of one text.
struct Tokens {
  std::vector<std::int32_t> ids;
  std::vector<std::string>
      tokens;  ///< names; of an unknown one the text that it stands for where it has no other
  std::vector<std::pair<std::size_t, std::size_t>> offsets;  ///< [start, stop) bytes of the text as given
  std::vector<std::int32_t> type_ids;
  std::vector<std::int32_t> word_ids;  ///< -1 for special tokens
  std::vector<std::uint8_t> special;   ///< 1 for tokens that stand for no part of the text
  std::size_t invalid_parts = 0;       ///< parts of the text that were no UTF-8, read as U+FFFD
  std::size_t first_invalid_byte = 0;
};

/// Turns texts into tokens, without a model's weights. Immutable; any number of threads may call it at once.
class NYBBLE_API Tokenizer {
 public:
  /// Reads tokenizer.json in a model folder; `model` as in Model::load().
  static Tokenizer load(std::string_view model = {});
  /// Never pads; cuts to max_tokens unless that is 0.
  Tokens tokenize(std::string_view text, std::size_t max_tokens = 0) const;
  Tokens tokenize_pair(std::string_view first, std::string_view second, std::size_t max_tokens = 0) const;
  /// The text that ids stand for, as the decoder in tokenizer.json writes it. Ids that are no token are
  /// passed over, special tokens unless `special`.
  std::string decode(std::span<const std::int32_t> ids, bool special = false) const;

 private:
  struct Impl;
  std::shared_ptr<const Impl> impl_;
};

/// An encoder, ready to run. Immutable; any number of threads may call it at once. Copies share one model.
class NYBBLE_API Model {
 public:
  /// Loads a folder; or "org/name" from the Hugging Face cache on this machine; or, if empty, $NYBBLE_MODEL,
  /// else the default model of tools/setup. Nothing is downloaded. Throws unsupported_model, io, bad_input.
  static Model load(std::string_view model = {}, const LoadOptions& options = {});

  const ModelInfo& info() const;

  /// Writes one row of info().hidden floats a text to `rows` (texts.size() × hidden). Throws bad_input where
  /// `rows` has another size. For Output::embedding only; so is encode_pairs.
  EncodeReport encode(std::span<const std::string_view> texts, std::span<float> rows,
                      const EncodeOptions& options = {}) const;
  EncodeReport encode_pairs(std::span<const std::pair<std::string_view, std::string_view>> pairs,
                            std::span<float> rows, const EncodeOptions& options = {}) const;

  /// Sequences of ids laid end to end; sequence i is ids[cu_seqlens[i]] .. ids[cu_seqlens[i+1]-1],
  /// cu_seqlens[0] = 0. Nothing is added or cut: an id outside the vocabulary or an empty sequence is
  /// bad_input, more ids than positions is too_long. `rows` has a row a sequence, or for Output::tokens a row
  /// an id. `type_ids`: empty (all 0) or one an id.
  EncodeReport encode_ids(std::span<const std::int32_t> ids, std::span<const std::int32_t> cu_seqlens,
                          std::span<float> rows, std::span<const std::int32_t> type_ids = {},
                          const EncodeOptions& options = {}) const;

  /// Any number of texts in constant memory: `next` fills in the next text and returns true, or false at the
  /// end; `row` receives the rows in order. Both are called from this thread.
  EncodeReport encode_stream(const std::function<bool(std::string& text)>& next,
                             const std::function<void(std::size_t index, std::span<const float> row)>& row,
                             const EncodeOptions& options = {}) const;

  /// The tokens that encode() would compute for a text.
  Tokens tokenize(std::string_view text) const;

  /// The plan, a line a step: operation, shapes, weight format, kernel or primitive, bytes, share of the
  /// multiplications.
  std::string explain() const;
  /// The graph after all passes, as text.
  const std::string& graph() const;

 private:
  std::shared_ptr<const runtime::LoadedModel> impl_;
};

// ---- the machine ----

struct InstructionSet {
  std::string name;
  bool compiled = false, runnable = false;
  bool active = false;  ///< what a model loaded now without LoadOptions::isa uses
  std::string needs;
};

/// Best first. Throws bad_input if $NYBBLE_ISA names none that can run.
NYBBLE_API std::vector<InstructionSet> instruction_sets();

struct Machine {
  std::string cpu;
  struct Cache {
    int level;
    std::string type;
    std::size_t bytes;
    int shared_by;
  };
  std::vector<Cache> caches;
  int online_cpus = 1, affinity_cpus = 1;
  double quota_cpus = 0;     ///< 0: no limit
  std::string quota_source;  ///< the file that sets the limit
  int threads = 1;           ///< what follows for LoadOptions::threads = 0
};

NYBBLE_API Machine machine();

}  // namespace nybble
