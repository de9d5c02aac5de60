// What is behind the public classes of tasks.h.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/kernel_set.h"
#include "nybble/tasks.h"
#include "runtime/loaded_model.h"

namespace nybble::runtime {

/// Immutable once loaded.
struct TaskModel {
  std::shared_ptr<const LoadedModel> model;
  const kernels::KernelSet* kernels = nullptr;
  std::vector<std::string> labels;  ///< of a classifier
  Scoring scoring = Scoring::none;  ///< likewise
  std::string mask_token;           ///< of a masked language model
  std::int32_t mask_id = -1;        ///< likewise
};

/// Loads a folder that has `head`; throws Error{unsupported_model} where it has not. `folder` is what
/// read_task_folder() gave.
std::shared_ptr<TaskModel> load_task(const ModelFolder& folder, graph::Head head, const LoadOptions& options);

/// Turns rows [m][n] of logits into scores, in place.
void apply_scoring(const kernels::KernelSet& kernels, Scoring scoring, std::span<float> rows, std::size_t n);

/// Of text `index`, which has more than `max_tokens` tokens.
Error too_long(std::size_t index, std::size_t max_tokens);

/// A text, or a pair, as ids, cut (of a pair the longer text first) to the model's max_tokens.
struct TaskTokens {
  std::vector<std::int32_t> ids, types;
  bool is_cut = false;
  std::size_t invalid_texts = 0, invalid_parts = 0;
};

/// Tokenizes texts on all threads of the model. Rethrows what the tokenizer threw of the first text that
/// fails; with Truncate::error one that is too long fails with Error{too_long}, numbered from `first` on.
std::vector<TaskTokens> tokenize_texts(const LoadedModel& model, std::span<const TextOrPair> texts,
                                       Truncate truncate, std::size_t first);

/// Adds what happened to the next text of a call. `is_folded`: it got the scores of one before it.
void count(const TaskTokens& tokens, bool is_folded, EncodeReport& report);

}  // namespace nybble::runtime
