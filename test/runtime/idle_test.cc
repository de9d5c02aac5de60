// After the last call no thread runs on.
#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "runtime/scheduler.h"

using namespace nybble::runtime;

namespace {

/// Milliseconds on a CPU of each thread of this process but the caller's, as the kernel counts its ticks.
std::map<int, double> milliseconds_of_others() {
  std::map<int, double> times;
  DIR* tasks = opendir("/proc/self/task");
  REQUIRE(tasks != nullptr);
  while (const dirent* entry = readdir(tasks)) {
    const int thread = std::atoi(entry->d_name);
    if (thread == 0 || thread == gettid()) continue;
    std::ifstream in(std::string("/proc/self/task/") + entry->d_name + "/stat");
    std::string line;
    if (!std::getline(in, line)) continue;  // it has ended
    // The name, in parentheses, may hold anything; after it come fields 3, 4, … of which 14 and 15 are times.
    std::istringstream fields(line.substr(line.rfind(')') + 2));
    std::string skipped;
    for (int field = 3; field < 14; ++field) fields >> skipped;
    double user = 0, system = 0;
    fields >> user >> system;
    times[thread] = (user + system) * 1000 / static_cast<double>(sysconf(_SC_CLK_TCK));
  }
  closedir(tasks);
  return times;
}

/// The most that a thread has done more at `after` than at `before`.
double most_done(const std::map<int, double>& before, const std::map<int, double>& after) {
  double most = 0;
  for (const auto& [thread, time] : after) {
    const auto earlier = before.find(thread);
    most = std::max(most, time - (earlier == before.end() ? 0 : earlier->second));
  }
  return most;
}

void work_for(std::chrono::microseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end) {
  }
}

}  // namespace

TEST_CASE("the test sees a thread that runs on") {
  std::atomic<bool> stop = false;
  const auto before = milliseconds_of_others();
  std::thread busy([&] {
    while (!stop) {
    }
  });
  double most = 0;
  for (int i = 0; i < 1000 && most <= 50; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    most = most_done(before, milliseconds_of_others());
  }
  stop = true;
  busy.join();
  REQUIRE(most > 50);
}

TEST_CASE("no thread uses 50 ms of CPU after the last call has returned") {
  for (const int threads : {2, 4}) {
    const Scheduler scheduler(threads);
    for (int call = 0; call < 20; ++call)
      scheduler.parallel_for(4 * threads, [](int, int) { work_for(std::chrono::microseconds(500)); });
    const auto before = milliseconds_of_others();
    // On a machine with other work it takes a thread longer to use its time: wait until all stand still.
    auto last = before;
    for (int still = 0, i = 0; still < 5 && i < 500; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      auto now = milliseconds_of_others();
      still = now == last ? still + 1 : 0;
      last = std::move(now);
    }
    INFO(threads << " threads");
    REQUIRE(last.size() >= static_cast<std::size_t>(threads - 1));
    REQUIRE(most_done(before, last) < 50);
  }
}
