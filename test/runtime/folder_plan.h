// A plan of a model folder with all that it needs, for tests that look below the public interface.
#pragma once

#include <algorithm>
#include <filesystem>
#include <memory>
#include <vector>

#include "graph/import/importer.h"
#include "graph/passes/passes.h"
#include "kernels/registry.h"
#include "runtime/batch_builder.h"
#include "runtime/lowering.h"
#include "runtime/model_folder.h"
#include "runtime/run_plan.h"

namespace nybble::test {

struct FolderPlan {
  static constexpr int kMaxTokens = 2048;

  FolderPlan(const std::filesystem::path& path, graph::WeightFormat format, graph::PoolMode pooling,
             int threads)
      : folder(runtime::read_model_folder(path)), weights(folder.transformer_dir), scheduler(threads) {
    graph::ImportTarget target;
    target.pooling = {pooling};
    target.normalize = true;
    const graph::TensorTable tensors = weights.tensor_table();
    imported = graph::import_model(
        {folder.config.value(), folder.config.name(), tensors, weights.file().string()}, target);
    graph::PassRun passes;
    passes.settings.weights = format;
    graph::run_passes(imported.graph, passes);
    runtime::LoweringOptions options;
    options.kernels = &kernels::default_set();
    options.max_tokens = kMaxTokens;
    options.longest = static_cast<int>(imported.sizes.positions);
    lowered = runtime::lower(imported.graph, weights, options, scheduler);
    workspace = std::make_unique<runtime::Workspace>(lowered.plan, threads);
  }

  void run(const runtime::Batch& batch) { runtime::run_plan(lowered.plan, batch, *workspace, scheduler); }

  runtime::ModelFolder folder;
  runtime::Weights weights;
  runtime::Scheduler scheduler;
  graph::ImportedModel imported;
  runtime::LoweredModel lowered;
  std::unique_ptr<runtime::Workspace> workspace;
};

/// A batch of sequences of these lengths, and where its rows go.
struct FolderInput {
  FolderInput(const FolderPlan& plan, const std::vector<int>& lengths)
      : builder(plan.imported.sizes, FolderPlan::kMaxTokens),
        rows(lengths.size() * static_cast<std::size_t>(plan.lowered.plan.output_columns)) {
    for (std::size_t i = 0; i < lengths.size(); ++i)
      builder.add(std::vector<std::int32_t>(static_cast<std::size_t>(lengths[i]), 5), {}, i);
    batch = builder.batch(rows.data());
  }

  runtime::BatchBuilder builder;
  std::vector<float> rows;
  runtime::Batch batch;
};

}  // namespace nybble::test
