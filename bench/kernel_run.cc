#include "bench/kernel_run.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>

#include "bench/entry_bench.h"
#include "bench/onednn_rival.h"
#include "bench/products.h"
#include "kernels/float_environment.h"
#include "kernels/registry.h"
#include "nybble/error.h"

namespace nybble::bench {
namespace {

/// Both ends of a pipe, closed at the end.
struct Pipe {
  int ends[2] = {-1, -1};
  Pipe() {
    if (::pipe(ends) != 0)
      throw Error(ErrorCode::io, fmt::format("cannot make a pipe: {}", std::strerror(errno)));
  }
  ~Pipe() { close(0), close(1); }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void close(int end) {
    if (ends[end] >= 0) ::close(ends[end]);
    ends[end] = -1;
  }
};

void send(int fd, const Record& record) {
  static_assert(sizeof(Record) <= 4096, "a record is written whole");
  while (::write(fd, &record, sizeof record) < 0 && errno == EINTR) {
  }
}

bool receive(int fd, Record& record) {
  auto* to = reinterpret_cast<char*>(&record);
  for (std::size_t have = 0; have < sizeof record;) {
    const ssize_t got = ::read(fd, to + have, sizeof record - have);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    have += static_cast<std::size_t>(got);
  }
  return true;
}

void measure_set(const std::string& name, const KernelPlan& plan, const Sink& sink) {
  const kernels::KernelSet& set = kernels::find_set(name);
  const kernels::FloatEnvironment environment;
  limit_onednn(name);
  if (plan.bandwidths) measure_bandwidths(set, plan, sink);
  plan.stream ? measure_streams(set, plan, sink) : measure_products(set, plan, sink);
  if (!plan.stream) measure_entries(set, plan, sink);
}

/// The child's life. A failure is its last record.
[[noreturn]] void measure_and_exit(const std::string& name, const KernelPlan& plan, int fd) {
  try {
    measure_set(name, plan, [fd](const Record& record) {
      send(fd, record);
      if (record.kind == RecordKind::failure) ::_exit(1);
    });
  } catch (const std::exception& error) {
    Record record;
    record.kind = RecordKind::failure;
    std::strncpy(record.sentence, error.what(), sizeof record.sentence - 1);
    send(fd, record);
  }
  ::_exit(0);  // what the parent has registered to run at exit is the parent's
}

/// Kills the child, if it still runs, and waits for it.
class Child {
 public:
  explicit Child(pid_t id) : id_(id) {}
  ~Child() {
    if (id_ > 0) ::kill(id_, SIGKILL), wait();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  int wait() {
    int status = 0;
    while (::waitpid(id_, &status, 0) < 0 && errno == EINTR) {
    }
    id_ = -1;
    return status;
  }

 private:
  pid_t id_;
};

void measure_in_child(const std::string& name, const KernelPlan& plan, const Sink& sink) {
  Pipe pipe;
  const pid_t id = ::fork();
  if (id < 0) throw Error(ErrorCode::io, fmt::format("cannot start a process: {}", std::strerror(errno)));
  if (id == 0) measure_and_exit(name, plan, pipe.ends[1]);
  Child child(id);
  pipe.close(1);
  for (Record record; receive(pipe.ends[0], record);) {
    if (record.kind == RecordKind::failure) throw Error(ErrorCode::bad_input, record.sentence);
    sink(record);
  }
  if (const int status = child.wait(); status != 0) {
    throw Error(ErrorCode::io, fmt::format("measuring {}: the process ended with status {}", name, status));
  }
}

}  // namespace

bool KernelPlan::wants(std::string_view name) const {
  return ops.empty() || std::find(ops.begin(), ops.end(), name) != ops.end();
}

std::vector<std::string> operation_names() {
  std::vector<std::string> names;
  for (const Product& product : products()) {
    if (std::find(names.begin(), names.end(), product.entry) == names.end())
      names.emplace_back(product.entry);
    if (product.name != product.entry) names.emplace_back(product.name);
  }
  for (const MeasuredEntry& entry : measured_entries()) names.emplace_back(entry.name);
  return names;
}

int operation_count(const KernelPlan& plan) {
  int count = 0;
  for (const Product& product : products()) {
    if (!plan.wants(product.name) && !plan.wants(product.entry)) continue;
    count += plan.stream ? 1 : static_cast<int>(plan.shapes.size());
  }
  for (const MeasuredEntry& entry : measured_entries())
    count += !plan.stream && plan.wants(entry.name) ? 1 : 0;
  return count;
}

void measure_kernels(const KernelPlan& plan, const Sink& sink) {
  for (const std::string& name : plan.sets) measure_in_child(name, plan, sink);
}

}  // namespace nybble::bench
