#include "bench/step_profile.h"

#include <algorithm>
#include <utility>

namespace nybble::bench {

using runtime::TimeSpan;

void StepProfile::add(Event event) {
  const std::lock_guard lock(mutex_);
  event.thread =
      threads_.try_emplace(std::this_thread::get_id(), static_cast<int>(threads_.size())).first->second;
  collected_.events.push_back(event);
}

void StepProfile::step_ran(const runtime::Step& step, const runtime::Task& task, TimeSpan time) noexcept {
  add({Event::What::step, &step, task.begin, task.end, 0, time});
}

void StepProfile::batch_ran(const runtime::Plan& plan, const runtime::Batch& batch, TimeSpan time) noexcept {
  add({Event::What::batch, nullptr, 0, batch.sequences, 0, time});
  const std::lock_guard lock(mutex_);
  collected_.plan = &plan;
  ++collected_.work.batches;
  collected_.work.tokens += batch.tokens;
  collected_.work.sequences += batch.sequences;
  for (int i = 0; i < batch.sequences; ++i)
    ++collected_.work.lengths[batch.cu_seqlens[i + 1] - batch.cu_seqlens[i]];
}

double WorkDone::pairs(int window) const {
  double sum = 0;
  for (const auto& [length, count] : lengths) {
    const double n = length, reach = window == 0 ? n : std::min(n, window + 1.0);
    // Of n keys those up to reach - 1 away: all pairs but the two corners of a square.
    sum += count * (n * n - (n - reach) * (n - reach + 1));
  }
  return sum;
}

double WorkDone::positions(int most) const {
  double sum = 0;
  for (const auto& [length, count] : lengths) sum += count * length * std::min(length, most);
  return sum;
}

void StepProfile::texts_tokenized(std::size_t texts, TimeSpan time) noexcept {
  add({Event::What::tokenize, nullptr, 0, static_cast<int>(texts), 0, time});
}

void StepProfile::call_ran(TimeSpan time) {
  add({Event::What::call, nullptr, 0, 0, 0, time});
  collected_.call_seconds = collected_.events.back().seconds();
}

void StepProfile::take(StepProfile& other) { std::swap(collected_, other.collected_); }

void StepProfile::clear() {
  threads_ = {{std::this_thread::get_id(), 0}};
  const std::size_t events = collected_.events.size();
  collected_ = {};
  collected_.events.reserve(events);
}

CallTimes times_of(const StepProfile& profile, int threads) {
  CallTimes times;
  times.rest = profile.call_seconds() * threads;
  for (const Event& event : profile.events()) {
    if (event.what != Event::What::step && event.what != Event::What::tokenize) continue;
    times.rest -= event.seconds();
    if (event.what == Event::What::tokenize) {
      times.tokenizer += event.seconds();
    } else {
      CallTimes::OfStep& step = times.steps[event.step];
      ++step.tasks;
      step.seconds += event.seconds();
    }
  }
  return times;
}

CallTimes least_of(const CallTimes& a, const CallTimes& b) {
  CallTimes least = a;
  for (const auto& [step, of_step] : b.steps) {
    CallTimes::OfStep& here = least.steps.try_emplace(step, of_step).first->second;
    if (of_step.seconds < here.seconds) here = of_step;
  }
  least.tokenizer = std::min(a.tokenizer, b.tokenizer);
  least.rest = std::min(a.rest, b.rest);
  return least;
}

}  // namespace nybble::bench
