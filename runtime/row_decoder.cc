#include "runtime/row_decoder.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "runtime/run_plan.h"

namespace nybble::runtime {
namespace {

LoweringOptions for_rows(LoweringOptions options, int most) {
  options.max_tokens = most;
  options.longest = 1;
  return options;
}

}  // namespace

RowDecoder::RowDecoder(const graph::Graph& graph, const Weights& weights, LoweringOptions options,
                       const Scheduler& scheduler, int calls)
    : scheduler_(scheduler),
      lowered_(lower(graph, weights, for_rows(options, kMostRows), scheduler)),
      workspaces_(lowered_.plan, scheduler.threads(), calls) {}

void RowDecoder::run(std::span<const float> rows, std::span<float> out, const EncodeOptions& options) {
  std::array<std::int32_t, kMostRows + 1> borders{};
  std::iota(borders.begin(), borders.end(), 0);
  const WorkspacePool::Loan workspace = workspaces_.borrow(options.wait, options.stop);
  const std::size_t count = rows.size() / input_columns();
  for (std::size_t done = 0; done < count;) {
    const std::size_t now = std::min<std::size_t>(count - done, kMostRows);
    Batch batch;
    batch.cu_seqlens = batch.order = borders.data();  // a sequence a row, all of one length
    batch.tokens = batch.sequences = static_cast<int>(now);
    batch.rows = rows.data() + done * input_columns();
    batch.out = out.data() + done * output_columns();
    run_plan(lowered_.plan, batch, *workspace, scheduler_);
    done += now;
  }
}

}  // namespace nybble::runtime
