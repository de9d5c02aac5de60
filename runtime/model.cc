// Loading a model: folder -> graph -> passes -> plan.
#include <algorithm>
#include <chrono>

#include "graph/passes/passes.h"
#include "graph/text.h"
#include "kernels/cpu.h"
#include "kernels/float_environment.h"
#include "kernels/registry.h"
#include "runtime/loaded_model.h"
#include "runtime/model_folder.h"
#include "runtime/text_tokens.h"

namespace nybble {
namespace {

using runtime::ModelFolder;

graph::ImportTarget import_target(const ModelFolder& folder, const LoadOptions& options) {
  graph::ImportTarget target;
  const bool is_cls =
      options.pooling ? *options.pooling == Pooling::cls : folder.st.pooling == graph::PoolMode::cls;
  target.pooling = is_cls ? graph::PoolMode::cls : graph::PoolMode::mean;
  target.normalize = options.normalize.value_or(folder.st.normalize);
  target.per_token = options.output == Output::tokens;
  return target;
}

graph::PassRun pass_run(const LoadOptions& options) {
  graph::PassRun run;
  run.settings.weights =
      options.weights == Weights::int8 ? graph::WeightFormat::int8 : graph::WeightFormat::f32;
  run.disabled.insert(options.disabled_passes.begin(), options.disabled_passes.end());
  if (options.on_pass) {
    run.observer = [&options](std::string_view name, const graph::Graph& graph) {
      options.on_pass(name, graph::print(graph));
    };
  }
  return run;
}

void fill_lengths(const ModelFolder& folder, const LoadOptions& options, std::size_t special_tokens,
                  ModelInfo& info) {
  if (options.max_tokens > info.positions) {
    throw Error(ErrorCode::bad_input, "max_tokens: expected at most the model's " +
                                          std::to_string(info.positions) + " positions, found " +
                                          std::to_string(options.max_tokens));
  }
  if (options.max_tokens > 0 && options.max_tokens < special_tokens) {
    throw Error(ErrorCode::bad_input, "max_tokens: expected at least the " + std::to_string(special_tokens) +
                                          " special tokens of a text, found " +
                                          std::to_string(options.max_tokens));
  }
  if (options.max_tokens > 0) {
    info.max_tokens = options.max_tokens;
    info.max_tokens_source = "the caller";
    return;
  }
  const runtime::Length length = runtime::max_tokens(folder, info.positions);
  info.max_tokens = static_cast<std::size_t>(length.tokens);
  info.max_tokens_source = length.source;
}

void fill_sizes(const graph::EncoderSizes& sizes, ModelInfo& info) {
  info.family = sizes.family;
  info.layers = static_cast<std::size_t>(sizes.layers);
  info.hidden = static_cast<std::size_t>(sizes.hidden);
  info.heads = static_cast<std::size_t>(sizes.heads);
  info.intermediate = static_cast<std::size_t>(sizes.intermediate);
  info.vocabulary = static_cast<std::size_t>(sizes.vocabulary);
  info.positions = static_cast<std::size_t>(sizes.positions);
  info.token_types = static_cast<std::size_t>(sizes.token_types);
  info.activation = sizes.activation;
}

void fill_tokenizer(const tokenizer::Tokenizer& tokenizer, ModelInfo& info) {
  info.tokenizer = tokenizer.model_type();
  info.tokenizer_vocabulary = tokenizer.vocabulary_size();
  const tokenizer::LeftOverState& left_over = tokenizer.left_over_state();
  if (left_over.truncation)
    info.tokenizer_truncation = static_cast<std::int64_t>(left_over.truncation->max_tokens);
  if (left_over.padding && left_over.padding->length > 0)
    info.tokenizer_padding = static_cast<std::int64_t>(left_over.padding->length);
}

/// Bytes of level-2 cache that one core has to itself, 1 MiB where the machine does not say.
std::size_t l2_bytes() {
  for (const kernels::Cache& cache : kernels::caches()) {
    if (cache.level == 2 && cache.bytes > 0) return cache.bytes;
  }
  return std::size_t{1} << 20;
}

void check(const LoadOptions& options) {
  if (options.threads < 0 || options.threads > 1024) {
    throw Error(ErrorCode::bad_input,
                "threads: expected 0 to 1024, found " + std::to_string(options.threads));
  }
  if (options.batch_tokens < 1 || options.batch_tokens > (std::size_t{1} << 24)) {
    throw Error(ErrorCode::bad_input,
                "batch_tokens: expected 1 to 16777216, found " + std::to_string(options.batch_tokens));
  }
  if (options.concurrent_calls < 0) {
    throw Error(ErrorCode::bad_input,
                "concurrent_calls: expected 0 or more, found " + std::to_string(options.concurrent_calls));
  }
}

}  // namespace

Model Model::load(std::string_view model, const LoadOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  const kernels::FloatEnvironment environment;  // numbers of the files are read as in every other process
  check(options);
  const kernels::KernelSet& kernels =
      options.isa.empty() ? kernels::default_set() : kernels::find_set(options.isa);
  const ModelFolder folder = runtime::read_model_folder(runtime::resolve_model(model));

  auto impl = std::make_shared<runtime::LoadedModel>();
  ModelInfo& info = impl->info;
  impl->output = options.output;
  impl->batch_tokens = options.batch_tokens;
  impl->tokenizer =
      std::make_unique<tokenizer::Tokenizer>(tokenizer::Tokenizer::from_file(folder.tokenizer_json));
  impl->weights = std::make_unique<runtime::Weights>(folder.transformer_dir);
  const graph::TensorTable tensors = impl->weights->tensor_table();
  const graph::ImportTarget target = import_target(folder, options);
  graph::ImportedModel imported = graph::import_model(
      {folder.config.value(), folder.config.name(), tensors, impl->weights->file().string()}, target);
  impl->sizes = imported.sizes;
  impl->graph = std::move(imported.graph);
  graph::run_passes(impl->graph, pass_run(options));
  impl->graph_text = graph::print(impl->graph);

  info.folder = folder.dir.string();
  fill_sizes(impl->sizes, info);
  fill_tokenizer(*impl->tokenizer, info);
  fill_lengths(folder, options, impl->tokenizer->special_tokens_of_single(), info);
  info.pooling = target.pooling == graph::PoolMode::cls ? Pooling::cls : Pooling::mean;
  info.normalize = target.normalize;
  info.weights = options.weights;
  info.isa = kernels.name;
  info.threads = options.threads > 0 ? options.threads : kernels::usable_cpus().threads;
  info.bits = options.weights == Weights::int8 ? "exact (numerics 1)" : "machine-dependent";

  impl->scheduler = std::make_unique<runtime::Scheduler>(info.threads);
  runtime::LoweringOptions lowering;
  lowering.kernels = &kernels;
  lowering.max_tokens = static_cast<int>(std::max(options.batch_tokens, info.positions));
  lowering.longest = static_cast<int>(info.positions);
  lowering.l2_bytes = l2_bytes();
  impl->lowered = runtime::lower(impl->graph, *impl->weights, lowering, *impl->scheduler);
  const int calls = options.concurrent_calls > 0 ? options.concurrent_calls : info.threads;
  impl->workspaces = std::make_unique<runtime::WorkspacePool>(impl->lowered.plan, info.threads, calls);

  info.linear_bytes = impl->lowered.linear_bytes;
  info.table_bytes = impl->lowered.table_bytes;
  info.file_bytes = impl->weights->file_bytes();
  info.load_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  Model result;
  result.impl_ = std::move(impl);
  return result;
}

std::vector<std::string> pass_names() {
  std::vector<std::string> names;
  for (const graph::Pass& pass : graph::passes()) names.emplace_back(pass.name);
  return names;
}

const ModelInfo& Model::info() const { return impl_->info; }
std::string Model::explain() const { return runtime::describe(impl_->lowered.plan); }
const std::string& Model::graph() const { return impl_->graph_text; }

Tokens Model::tokenize(std::string_view text) const {
  return runtime::tokenize_text(*impl_->tokenizer, text, nullptr, impl_->info.max_tokens);
}

void runtime::LoadedModel::run(const Batch& batch, const EncodeOptions& options) const {
  if (options.stop.stop_requested()) throw Error(ErrorCode::cancelled, "the call was cancelled");
  const WorkspacePool::Loan workspace = workspaces->borrow(options.wait, options.stop);
  run_plan(lowered.plan, batch, *workspace, *scheduler);
}

}  // namespace nybble
