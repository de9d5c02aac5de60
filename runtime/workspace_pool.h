// A bounded number of workspaces, shared by the calls of one model.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <stop_token>
#include <vector>

#include "runtime/workspace.h"

namespace nybble::runtime {

class WorkspacePool {
 public:
  /// Makes workspaces for `plan` when they are first needed, at most `limit`. The plan must outlive the pool.
  WorkspacePool(const Plan& plan, int threads, int limit) : plan_(plan), threads_(threads), limit_(limit) {}

  /// A workspace on loan; goes back when destroyed. Must not outlive the pool.
  class Loan {
   public:
    Loan(WorkspacePool& pool, std::unique_ptr<Workspace> workspace)
        : pool_(&pool), workspace_(std::move(workspace)) {}
    Loan(Loan&&) = default;
    ~Loan() {
      if (workspace_) pool_->give_back(std::move(workspace_));
    }
    Workspace& operator*() const { return *workspace_; }

   private:
    WorkspacePool* pool_;
    std::unique_ptr<Workspace> workspace_;
  };

  /// Waits for a free workspace. Throws Error{cancelled} when `stop` is triggered meanwhile, and Error{busy}
  /// instead of waiting if `wait` is false. Any thread may call it.
  Loan borrow(bool wait, const std::stop_token& stop);

 private:
  void give_back(std::unique_ptr<Workspace> workspace);

  const Plan& plan_;
  int threads_, limit_;
  int made_ = 0;
  std::mutex mutex_;
  std::condition_variable_any freed_;
  std::vector<std::unique_ptr<Workspace>> free_;
};

}  // namespace nybble::runtime
