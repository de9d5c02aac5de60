#include "runtime/workspace_pool.h"

#include "nybble/error.h"

namespace nybble::runtime {

WorkspacePool::Loan WorkspacePool::borrow(bool wait, const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  const auto available = [this] { return !free_.empty() || made_ < limit_; };
  if (!wait && !available()) {
    throw Error(ErrorCode::busy, "all " + std::to_string(limit_) + " workspaces of the model are in use");
  }
  if (!freed_.wait(lock, stop, available)) throw Error(ErrorCode::cancelled, "the call was cancelled");
  if (free_.empty()) {
    // Made under the lock: rare, and a failure to allocate leaves the count right.
    free_.push_back(std::make_unique<Workspace>(plan_, threads_));
    ++made_;
  }
  std::unique_ptr<Workspace> workspace = std::move(free_.back());
  free_.pop_back();
  return {*this, std::move(workspace)};
}

void WorkspacePool::give_back(std::unique_ptr<Workspace> workspace) {
  {
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(workspace));
  }
  freed_.notify_one();
}

}  // namespace nybble::runtime
