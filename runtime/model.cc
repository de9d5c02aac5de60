// Loading a model: folder -> graph -> passes -> plan.
#include <algorithm>
#include <chrono>
#include <future>
#include <tuple>

#include "graph/passes/passes.h"
#include "graph/text.h"
#include "kernels/cpu.h"
#include "kernels/float_environment.h"
#include "kernels/registry.h"
#include "runtime/embedding_target.h"
#include "runtime/loaded_model.h"
#include "runtime/model_folder.h"
#include "runtime/step_observer.h"
#include "runtime/task_folder.h"
#include "runtime/text_tokens.h"

namespace nybble {
namespace {

using runtime::ModelFolder;

/// Weights names them in the graph's order.
graph::WeightFormat format_of(Weights weights) {
  static_assert(static_cast<int>(Weights::int4) == static_cast<int>(graph::WeightFormat::int4));
  static_assert(std::size(kAllWeights) == 1 + quant::kIntegerFormats.size());
  return static_cast<graph::WeightFormat>(weights);
}

graph::PassRun pass_run(const LoadOptions& options) {
  graph::PassRun run;
  run.settings.weights = format_of(options.weights);
  run.disabled.insert(options.disabled_passes.begin(), options.disabled_passes.end());
  if (options.on_pass) {
    run.observer = [&options](std::string_view name, const graph::Graph& graph) {
      options.on_pass(name, graph::print(graph));
    };
  }
  return run;
}

void fill_lengths(const ModelFolder& folder, const LoadOptions& options, std::size_t special_tokens,
                  std::int64_t reserved_positions, ModelInfo& info) {
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
  const runtime::Length length =
      runtime::max_tokens(folder, info.positions, static_cast<std::size_t>(reserved_positions));
  info.max_tokens = static_cast<std::size_t>(length.tokens);
  info.max_tokens_source = length.source;
}

/// Rows of `columns` values are cut as the caller or the folder says.
void fill_dimensions(const ModelFolder& folder, const LoadOptions& options, std::size_t columns,
                     ModelInfo& info) {
  info.dimensions = columns;
  if (options.dimensions) {
    if (info.output != Output::embedding)
      throw Error(ErrorCode::bad_input, "dimensions: expected them with embeddings of one row a text alone");
    if (*options.dimensions < 1 || *options.dimensions > columns) {
      throw Error(ErrorCode::bad_input, "dimensions: expected 1 to " + std::to_string(columns) + ", found " +
                                            std::to_string(*options.dimensions));
    }
    info.dimensions = *options.dimensions;
  } else if (folder.st.dimensions && info.output == Output::embedding) {
    info.dimensions = std::min(columns, static_cast<std::size_t>(*folder.st.dimensions));
  }
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

/// Bytes of the cache of a level as one core sees it, `otherwise` where the machine does not say.
std::size_t cache_bytes(int level, std::size_t otherwise) {
  for (const kernels::Cache& cache : kernels::caches()) {
    if (cache.level == level && cache.bytes > 0) return cache.bytes;
  }
  return otherwise;
}

/// Eight groups of sequences for each thread: with fewer, threads wait long for the one that ends last.
std::size_t default_batch_tokens(int threads) {
  return std::max(std::size_t{4096}, std::size_t{1024} * static_cast<std::size_t>(threads));
}

template <class Work>
double seconds_of(Work&& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

using TimedTokenizer = std::pair<std::unique_ptr<tokenizer::Tokenizer>, double>;

/// Reads tokenizer.json, on a thread of its own if there is to be more than one: for small models it is a
/// third of the load.
std::future<TimedTokenizer> read_tokenizer(const ModelFolder& folder, int threads) {
  const auto policy = threads > 1 ? std::launch::async : std::launch::deferred;
  auto reading = std::async(policy, [file = folder.tokenizer_json] {
    TimedTokenizer result;
    result.second = seconds_of([&] {
      result.first = std::make_unique<tokenizer::Tokenizer>(tokenizer::Tokenizer::from_file(file));
    });
    return result;
  });
  if (threads == 1) reading.wait();
  return reading;
}

/// Passes are shown and left out for the encoder.
graph::PassRun decoder_run(const LoadOptions& options) {
  graph::PassRun run = pass_run(options);
  run.disabled.clear();
  run.observer = {};
  return run;
}

/// Maps the weights and makes the graph.
void read_graph(const ModelFolder& folder, const LoadOptions& options, graph::ImportTarget target,
                runtime::LoadedModel& model) {
  model.weights = std::make_unique<runtime::Weights>(folder.transformer_dir);
  runtime::add_modules(folder, target, *model.weights);
  const graph::TensorTable tensors = model.weights->tensor_table();
  graph::ImportedModel imported = graph::import_model(
      {folder.config.value(), folder.config.name(), tensors, model.weights->file().string()}, target);
  model.sizes = imported.sizes;
  model.graph = std::move(imported.graph);
  model.decoder = std::move(imported.decoder);
  if (model.decoder) graph::run_passes(*model.decoder, decoder_run(options));
  graph::run_passes(model.graph, pass_run(options));
  model.graph_text = graph::print(model.graph);
}

void check(const LoadOptions& options) {
  if (std::find(std::begin(kAllWeights), std::end(kAllWeights), options.weights) == std::end(kAllWeights)) {
    throw Error(ErrorCode::bad_input, "weights: expected a format of nybble::Weights, found number " +
                                          std::to_string(static_cast<int>(options.weights)));
  }
  if (options.threads < 0 || options.threads > 1024) {
    throw Error(ErrorCode::bad_input,
                "threads: expected 0 to 1024, found " + std::to_string(options.threads));
  }
  const std::size_t batch_tokens = options.batch_tokens.value_or(1);
  if (batch_tokens < 1 || batch_tokens > (std::size_t{1} << 24)) {
    throw Error(ErrorCode::bad_input,
                "batch_tokens: expected 1 to 16777216, found " + std::to_string(batch_tokens));
  }
  if (options.concurrent_calls < 0) {
    throw Error(ErrorCode::bad_input,
                "concurrent_calls: expected 0 or more, found " + std::to_string(options.concurrent_calls));
  }
}

/// The model on the threads of each NUMA node, one after the other: each needs the FP32 weights for a while.
void load_nodes(runtime::LoadedModel& model, const runtime::LoweringOptions& options, int calls) {
  const auto shares = runtime::share_threads(model.info.threads, runtime::numa_nodes());
  const int count = static_cast<int>(shares.size());
  for (const runtime::NodeThreads& share : shares) {
    const int calls_here = calls > 0 ? (calls + count - 1) / count : share.threads;
    model.nodes.push_back(
        std::make_unique<runtime::NodeModel>(share, model.graph, *model.weights, options, calls_here));
  }
  model.info.numa_nodes = count;
}

}  // namespace

std::shared_ptr<runtime::LoadedModel> runtime::load_model(const ModelFolder& folder,
                                                          const graph::ImportTarget& target,
                                                          const LoadOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  const kernels::FloatEnvironment environment;  // numbers of the files are read as in every other process
  check(options);
  const kernels::KernelSet& kernels =
      options.isa.empty() ? kernels::default_set() : kernels::find_set(options.isa);

  auto impl = std::make_shared<runtime::LoadedModel>();
  ModelInfo& info = impl->info;
  impl->kernels = &kernels;
  info.threads = options.threads > 0 ? options.threads : kernels::usable_cpus().threads;
  std::future<TimedTokenizer> tokenizer = read_tokenizer(folder, info.threads);
  info.graph_seconds = seconds_of([&] { read_graph(folder, options, target, *impl); });

  info.folder = folder.dir.string();
  fill_sizes(impl->sizes, info);
  info.weights = options.weights;
  info.isa = kernels.name;
  info.bits = options.weights == nybble::Weights::f32 ? "machine-dependent" : "exact (numerics 2)";

  impl->batch_tokens = options.batch_tokens.value_or(default_batch_tokens(info.threads));
  runtime::LoweringOptions lowering;
  lowering.kernels = &kernels;
  lowering.max_tokens = static_cast<int>(std::max(impl->batch_tokens, info.positions));
  lowering.longest = static_cast<int>(info.positions);
  lowering.l2_bytes = cache_bytes(2, lowering.l2_bytes);
  lowering.l3_bytes = cache_bytes(3, lowering.l3_bytes);
  info.plan_seconds = seconds_of([&] { load_nodes(*impl, lowering, options.concurrent_calls); });
  if (impl->decoder) {
    const int calls = options.concurrent_calls > 0 ? options.concurrent_calls : info.threads;
    impl->row_decoder =
        std::make_unique<RowDecoder>(*impl->decoder, *impl->weights, lowering, impl->scheduler(), calls);
  }
  std::tie(impl->tokenizer, info.tokenizer_seconds) = tokenizer.get();
  fill_tokenizer(*impl->tokenizer, info);
  // Tokenizers number the texts of a pair for models, too, that have one token type or none.
  impl->has_types = impl->sizes.token_types > 1 && has_token_types(folder);
  fill_lengths(folder, options, impl->tokenizer->special_tokens_of_single(), impl->sizes.first_position,
               info);

  info.linear_bytes = impl->nodes.front()->lowered.linear_bytes;
  if (impl->row_decoder) info.linear_bytes += impl->row_decoder->linear_bytes();
  info.table_bytes = impl->nodes.front()->lowered.table_bytes;
  info.file_bytes = impl->weights->file_bytes();
  info.load_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return impl;
}

Model Model::load(std::string_view model, const LoadOptions& options) {
  const std::filesystem::path dir = runtime::resolve_model(model);
  runtime::refuse_cross_encoder(dir);
  const ModelFolder folder = runtime::read_model_folder(dir);
  Model result;
  const Output output = runtime::output_of(folder, options);
  const graph::ImportTarget target = runtime::embedding_target(folder, options, output);
  const auto impl = runtime::load_model(folder, target, options);
  ModelInfo& info = impl->info;
  info.output = output;
  runtime::describe_target(folder, target, info);
  impl->sparse = folder.st.sparse.value_or(runtime::SparsePooling{});
  fill_dimensions(folder, options, impl->columns(), info);
  impl->text_forms = runtime::TextForms(folder.st, *impl->tokenizer, info.max_tokens, options.max_tokens > 0,
                                        info.positions);
  runtime::check_masked_keys(folder, impl->graph);
  result.impl_ = impl;
  return result;
}

std::string_view weights_name(Weights weights) { return graph::format_name(format_of(weights)); }

std::vector<std::string> pass_names() {
  std::vector<std::string> names;
  for (const graph::Pass& pass : graph::passes()) names.emplace_back(pass.name);
  return names;
}

const ModelInfo& Model::info() const { return impl_->info; }
std::string Model::explain() const { return runtime::describe(impl_->plan()); }
const std::string& Model::graph() const { return impl_->graph_text; }

Tokens Model::tokenize(std::string_view text) const {
  const runtime::TextForm form = impl_->text_forms.form({}, *impl_->tokenizer);
  if (!form.prompt.empty()) return runtime::text_windows(*impl_->tokenizer, text, form).front().tokens;
  return runtime::tokenize_text(*impl_->tokenizer, text, nullptr, impl_->info.max_tokens);
}

std::string Model::token(std::int32_t id) const { return std::string(impl_->tokenizer->token(id)); }

std::vector<Window> Model::windows(std::string_view text, const EncodeOptions& options) const {
  const runtime::TextForm form = impl_->text_forms.form(options, *impl_->tokenizer);
  return runtime::text_windows(*impl_->tokenizer, text, form);
}

void runtime::LoadedModel::run(const Batch& batch, const EncodeOptions& options) const {
  if (options.stop.stop_requested()) throw Error(ErrorCode::cancelled, "the call was cancelled");
  run_on_nodes(nodes, batch, options);
}

}  // namespace nybble
