// What this machine has, and which instruction sets Nybble can use here.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "nybble/api.h"

namespace nybble {

struct InstructionSet {
  std::string name;
  bool compiled = false, runnable = false;
  bool active = false;  ///< what a model loaded now without LoadOptions::isa uses
  std::string needs;
};

/// Best first. Throws bad_input if $NYBBLE_ISA names none that can run.
NYBBLE_API std::vector<InstructionSet> instruction_sets();

struct Machine {
  std::string cpu;
  struct Cache {
    int level;
    std::string type;
    std::size_t bytes;
    int shared_by;
  };
  std::vector<Cache> caches;
  int online_cpus = 1, affinity_cpus = 1;
  double quota_cpus = 0;     ///< 0: no limit
  std::string quota_source;  ///< the file that sets the limit
  int threads = 1;           ///< what follows for LoadOptions::threads = 0
};

NYBBLE_API Machine machine();

}  // namespace nybble
