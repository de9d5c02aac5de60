// The kernel sets of this build, best first; which of them this machine can run, and which one is in use.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "kernels/kernel_set.h"

namespace nybble::kernels {

/// A set of this build and whether this CPU and operating system can run it.
struct RegisteredSet {
  const KernelSet* set;
  bool runnable;
  std::string needs;  ///< what it needs, e.g. "AVX-512 F, BW, DQ, VL and VNNI"
};

/// Every compiled set, best first. Computed once; thread-safe.
std::span<const RegisteredSet> registered_sets();

/// The best runnable set.
const KernelSet& best_set();

/// The set of that name. An unknown or unrunnable name throws Error{bad_input} with a sentence that lists the
/// runnable ones.
const KernelSet& find_set(std::string_view name);

/// What to use when a caller names nothing: $NYBBLE_ISA if set (same errors, the sentence names the
/// variable), else the best.
const KernelSet& default_set();

}  // namespace nybble::kernels
