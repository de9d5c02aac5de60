#include "bench/chrome_trace.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "bench/profile_report.h"

namespace nybble::bench {
namespace {

using Json = nlohmann::ordered_json;
using Clock = runtime::TimeSpan::Clock;

/// Where a step stands in the plan, from 1.
std::map<const runtime::Step*, int> step_numbers(const runtime::Plan& plan) {
  std::map<const runtime::Step*, int> numbers;
  for (const runtime::Stage& stage : plan.stages) {
    for (const runtime::Step& step : stage.steps)
      numbers.emplace(&step, static_cast<int>(numbers.size()) + 1);
  }
  return numbers;
}

double microseconds(Clock::duration duration) {
  return std::chrono::duration<double, std::micro>(duration).count();
}

struct Label {
  std::string name;
  std::string_view category;
  Json args;
};

Label label_of(const Event& event, const std::map<const runtime::Step*, int>& numbers) {
  switch (event.what) {
    case Event::What::step:
      break;
    case Event::What::batch:
      return {"batch", "call", {{"sequences", event.end}}};
    case Event::What::tokenize:
      return {"tokenize", "tokenizer", {{"texts", event.end}}};
    case Event::What::call:
      return {"call", "call", Json::object()};
  }
  const runtime::StepDescription& step = event.step->description;
  return {step.op,
          kind_of(step),
          {{"step", numbers.at(event.step)},
           {"kernel", step.kernel},
           {"shape", step.shape},
           {"begin", event.begin},
           {"end", event.end}}};
}

Json thread_name(int thread) {
  return {{"name", "thread_name"},
          {"ph", "M"},
          {"pid", 1},
          {"tid", thread},
          {"args", {{"name", thread == 0 ? "caller" : "thread " + std::to_string(thread)}}}};
}

Clock::time_point first_start(const std::vector<Event>& events) {
  Clock::time_point first = Clock::time_point::max();
  for (const Event& event : events) first = std::min(first, event.time.start);
  return first;
}

}  // namespace

std::string chrome_trace(const StepProfile& profile) {
  const std::map<const runtime::Step*, int> numbers = step_numbers(*profile.plan());
  const Clock::time_point zero = first_start(profile.events());
  Json events = Json::array();
  int threads = 0;
  for (const Event& event : profile.events()) {
    Label label = label_of(event, numbers);
    events.push_back({{"name", std::move(label.name)},
                      {"cat", label.category},
                      {"ph", "X"},
                      {"ts", microseconds(event.time.start - zero)},
                      {"dur", microseconds(event.time.stop - event.time.start)},
                      {"pid", 1},
                      {"tid", event.thread},
                      {"args", std::move(label.args)}});
    threads = std::max(threads, event.thread + 1);
  }
  for (int thread = 0; thread < threads; ++thread) events.push_back(thread_name(thread));
  return Json{{"traceEvents", std::move(events)}, {"displayTimeUnit", "ms"}}.dump() + "\n";
}

}  // namespace nybble::bench
