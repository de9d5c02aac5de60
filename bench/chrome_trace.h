// A profile as a Chrome trace: https://ui.perfetto.dev and chrome://tracing open it.
#pragma once

#include <string>

#include "bench/step_profile.h"

namespace nybble::bench {

/// The trace event format's JSON object: a complete event ("X", microseconds since the call began) for the
/// call, each batch, each block of texts that was tokenized and each task of each step, on the thread that
/// did it.
std::string chrome_trace(const StepProfile& profile);

}  // namespace nybble::bench
