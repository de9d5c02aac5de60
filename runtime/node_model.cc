#include "runtime/node_model.h"

#include <algorithm>
#include <exception>
#include <numeric>
#include <thread>

#include "runtime/run_plan.h"
#include "runtime/step_observer.h"

namespace nybble::runtime {
namespace {

// Tokens for each thread from which on a batch is worth the start of a thread for each node.
constexpr int kTokensAThread = 64;

/// The sequences from `begin` to `end` of a batch, with what a part needs of its own.
class BatchPart {
 public:
  BatchPart(const Plan& plan, const Batch& batch, int begin, int end)
      : borders_(static_cast<std::size_t>(end - begin) + 1), order_(borders_.size() - 1) {
    std::iota(order_.begin(), order_.end(), 0);
    batch_ = sequences_of(plan, batch, begin, end - begin, borders_.data());
    std::sort(order_.begin(), order_.end(), [this](int a, int b) { return length(a) > length(b); });
    batch_.order = order_.data();
  }
  const Batch& batch() const { return batch_; }

 private:
  int length(int sequence) const {
    return borders_[static_cast<std::size_t>(sequence) + 1] - borders_[static_cast<std::size_t>(sequence)];
  }

  std::vector<std::int32_t> borders_, order_;
  Batch batch_;
};

int threads_of(std::span<const std::unique_ptr<NodeModel>> nodes) {
  return std::accumulate(nodes.begin(), nodes.end(), 0,
                         [](int sum, const auto& node) { return sum + node->scheduler.threads(); });
}

bool all_idle(std::span<const std::unique_ptr<NodeModel>> nodes) {
  return std::all_of(nodes.begin(), nodes.end(), [](auto& node) { return node->scheduler.calls() == 0; });
}

double load_of(const NodeModel& node) {
  return static_cast<double>(node.scheduler.calls()) / node.scheduler.threads();
}

void run_parts(std::span<const std::unique_ptr<NodeModel>> nodes, const Batch& batch,
               const EncodeOptions& options) {
  std::vector<int> shares;
  for (const auto& node : nodes) shares.push_back(node->scheduler.threads());
  const std::vector<int> cuts = cut_batch(batch, shares);
  std::vector<std::exception_ptr> failures(nodes.size());
  const auto run = [&](std::size_t i) noexcept {
    try {
      if (cuts[i] == cuts[i + 1]) return;
      nodes[i]->run(BatchPart(nodes[i]->lowered.plan, batch, cuts[i], cuts[i + 1]).batch(), options);
    } catch (...) {
      failures[i] = std::current_exception();
    }
  };
  {
    // They do no work themselves but to enter their node's arena: there are no more busy threads than it has.
    std::vector<std::jthread> others;
    for (std::size_t i = 1; i < nodes.size(); ++i) others.emplace_back(run, i);
    run(0);
  }
  for (const std::exception_ptr& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
}

}  // namespace

NodeModel::NodeModel(const NodeThreads& threads, const graph::Graph& graph, const Weights& weights,
                     const LoweringOptions& options, int calls)
    : scheduler(threads),
      lowered(lower(graph, weights, options, scheduler)),
      workspaces(lowered.plan, scheduler.threads(), calls) {}

void NodeModel::run(const Batch& batch, const EncodeOptions& options) {
  const WorkspacePool::Loan workspace = workspaces.borrow(options.wait, options.stop);
  if (!options.observer) return run_plan(lowered.plan, batch, *workspace, scheduler);
  Batch observed = batch;
  observed.observer = options.observer;
  const TimeSpan time = timed([&] { run_plan(lowered.plan, observed, *workspace, scheduler); });
  options.observer->batch_ran(lowered.plan, observed, time);
}

std::vector<int> cut_batch(const Batch& batch, const std::vector<int>& shares) {
  const std::int64_t all = std::accumulate(shares.begin(), shares.end(), std::int64_t{0});
  std::vector<int> cuts = {0};
  std::int64_t share = 0;
  for (const int part : shares) {
    share += part;
    const auto wanted = static_cast<std::int32_t>(batch.tokens * share / all);
    int cut = cuts.back();
    const auto middle = [&] { return (batch.cu_seqlens[cut] + batch.cu_seqlens[cut + 1]) / 2; };
    while (cut < batch.sequences && middle() < wanted) ++cut;
    cuts.push_back(cut);
  }
  cuts.back() = batch.sequences;
  return cuts;
}

void run_on_nodes(std::span<const std::unique_ptr<NodeModel>> nodes, const Batch& batch,
                  const EncodeOptions& options) {
  if (nodes.size() > 1 && batch.tokens >= kTokensAThread * threads_of(nodes) && all_idle(nodes))
    return run_parts(nodes, batch, options);
  const auto least = std::min_element(nodes.begin(), nodes.end(),
                                      [](const auto& a, const auto& b) { return load_of(*a) < load_of(*b); });
  (*least)->run(batch, options);
}

}  // namespace nybble::runtime
