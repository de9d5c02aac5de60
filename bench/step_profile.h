// Where the time of one call goes: what each thread did when.
#pragma once

#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "runtime/step_observer.h"

namespace nybble::bench {

/// Something that one thread did.
struct Event {
  enum class What { step, batch, tokenize, call };
  What what = What::step;
  const runtime::Step* step = nullptr;  ///< of What::step
  int begin = 0, end = 0;               ///< of the task; of a batch its sequences, of tokenize its texts: end
  int thread = 0;                       ///< 0 is the caller
  runtime::TimeSpan time;

  double seconds() const { return std::chrono::duration<double>(time.stop - time.start).count(); }
};

/// How much a call computed.
struct WorkDone {
  double batches = 0, tokens = 0, sequences = 0;
  std::map<int, double> lengths;  ///< how many sequences of each

  /// Pairs of tokens of the same sequence, at most `window` from each other unless that is 0.
  double pairs(int window) const;
  /// Tokens and the relative positions that each sees, of `most` there are.
  double positions(int most) const;
};

/// Collects the events of a call. About 0.1 µs an event.
class StepProfile : public runtime::StepObserver {
 public:
  StepProfile() { clear(); }
  void step_ran(const runtime::Step& step, const runtime::Task& task,
                runtime::TimeSpan time) noexcept override;
  void batch_ran(const runtime::Plan& plan, const runtime::Batch& batch,
                 runtime::TimeSpan time) noexcept override;
  void texts_tokenized(std::size_t texts, runtime::TimeSpan time) noexcept override;
  /// The call as a whole, by its caller, when it is over.
  void call_ran(runtime::TimeSpan time);

  const std::vector<Event>& events() const { return collected_.events; }
  const WorkDone& work() const { return collected_.work; }
  /// The plan that ran; nullptr before a batch did. Belongs to the model.
  const runtime::Plan* plan() const { return collected_.plan; }
  double call_seconds() const { return collected_.call_seconds; }
  /// Takes over what `other` collected.
  void take(StepProfile& other);
  /// Forgets everything. The calling thread will be number 0.
  void clear();

 private:
  struct Collected {
    std::vector<Event> events;
    WorkDone work;
    const runtime::Plan* plan = nullptr;
    double call_seconds = 0;
  };

  void add(Event event);

  std::mutex mutex_;
  std::map<std::thread::id, int> threads_;
  Collected collected_;
};

/// Where the time of a call × threads went, in seconds, added up over threads.
struct CallTimes {
  struct OfStep {
    int tasks = 0;
    double seconds = 0;
  };
  std::map<const runtime::Step*, OfStep> steps;
  double tokenizer = 0;
  double rest = 0;  ///< in which a thread did none of this
};

CallTimes times_of(const StepProfile& profile, int threads);
/// Of each part the less of both, so that what disturbed a call does not show. Of the same plan.
CallTimes least_of(const CallTimes& a, const CallTimes& b);

}  // namespace nybble::bench
