// The machine as the public API shows it.
#include "kernels/cpu.h"
#include "kernels/registry.h"
#include "nybble/nybble.h"

namespace nybble {

std::string_view version() { return NYBBLE_VERSION; }

std::vector<InstructionSet> instruction_sets() {
  const kernels::KernelSet& active = kernels::default_set();
  std::vector<InstructionSet> result;
  for (const kernels::RegisteredSet& entry : kernels::registered_sets()) {
    result.push_back({entry.set->name, true, entry.runnable, entry.set == &active, entry.needs});
  }
  return result;
}

Machine machine() {
  Machine result;
  result.cpu = kernels::cpu_model();
  for (const kernels::Cache& cache : kernels::caches()) {
    result.caches.push_back({cache.level, cache.type, cache.bytes, cache.shared_by});
  }
  const kernels::UsableCpus cpus = kernels::usable_cpus();
  result.online_cpus = cpus.online;
  result.affinity_cpus = cpus.affinity;
  result.quota_cpus = cpus.quota;
  result.quota_source = cpus.quota_source;
  result.threads = cpus.threads;
  return result;
}

}  // namespace nybble
