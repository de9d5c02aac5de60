#include "runtime/workspace_pool.h"

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <cstring>
#include <latch>
#include <set>
#include <thread>
#include <vector>

#include "loader/temporary_folder.h"

using namespace nybble;
using runtime::Plan;
using runtime::Workspace;
using runtime::WorkspacePool;
using test::failure_of;

namespace {

Plan small_plan() {
  Plan plan;
  plan.max_tokens = 100;
  plan.block_rows = 10;
  plan.row_bytes = 40;
  plan.scratch_row_bytes = 24;
  plan.own_bytes = 100;
  return plan;
}

}  // namespace

TEST_CASE("a pool lends at most its limit, is busy for who will not wait, and lends again what came back") {
  const Plan plan = small_plan();
  WorkspacePool pool(plan, 1, 2);
  std::set<const Workspace*> seen;
  {
    const auto first = pool.borrow(false, {}), second = pool.borrow(false, {});
    seen = {&*first, &*second};
    REQUIRE(seen.size() == 2);
    const auto failure = failure_of([&] { pool.borrow(false, {}); });
    REQUIRE(failure.code == ErrorCode::busy);
    REQUIRE(failure.sentence == "all 2 workspaces of the model are in use");
  }
  for (int round = 0; round < 5; ++round) {
    const auto first = pool.borrow(false, {}), second = pool.borrow(true, {});
    REQUIRE(seen.contains(&*first));
    REQUIRE(seen.contains(&*second));
  }
}

TEST_CASE("waiting for a workspace ends when a stop is asked for") {
  const Plan plan = small_plan();
  WorkspacePool pool(plan, 1, 1);
  const auto held = pool.borrow(true, {});
  std::stop_source source;
  std::atomic<bool> cancelled = false;
  std::thread waiter([&] {
    const auto failure = failure_of([&] { pool.borrow(true, source.get_token()); });
    cancelled = failure.code == ErrorCode::cancelled;
  });
  REQUIRE_FALSE(cancelled);
  source.request_stop();
  waiter.join();
  REQUIRE(cancelled);
}

TEST_CASE("who waits gets the workspace that comes back") {
  const Plan plan = small_plan();
  WorkspacePool pool(plan, 1, 1);
  auto held = std::make_unique<WorkspacePool::Loan>(pool.borrow(true, {}));
  const Workspace* const only = &**held;
  std::atomic<bool> returned = false;
  bool after_return = false, same = false;
  std::thread waiter([&] {
    const auto loan = pool.borrow(true, {});
    after_return = returned;
    same = &*loan == only;
  });
  returned = true;
  held.reset();
  waiter.join();
  REQUIRE(after_return);
  REQUIRE(same);
}

TEST_CASE("many threads never hold more than the limit, nor one workspace twice") {
  const Plan plan = small_plan();
  WorkspacePool pool(plan, 1, 3);
  std::atomic<int> held = 0, most = 0, shared = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int round = 0; round < 500; ++round) {
        const auto loan = pool.borrow(true, {});
        const int now = ++held;
        for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
        }
        std::memcpy((*loan).rows(0, 1).data, &t, sizeof t);
        std::this_thread::yield();
        int found = -1;
        std::memcpy(&found, (*loan).rows(0, 1).data, sizeof found);
        shared += found != t;
        --held;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  REQUIRE(most <= 3);
  REQUIRE(shared == 0);
}
