#include "kernels/registry.h"

#include <cstdlib>
#include <vector>

#include "kernels/cpu.h"
#include "nybble/error.h"

namespace nybble::kernels {

// One constant an isa/*.cc: its only exported symbol.
extern const KernelSet kAmxSet;
extern const KernelSet kAvx512VnniSet;
extern const KernelSet kAvx512Set;
extern const KernelSet kAvxVnniSet;
extern const KernelSet kAvx2Set;
extern const KernelSet kScalarSet;

namespace {

// The list to extend with an instruction set: best first.
std::vector<RegisteredSet> make_registered_sets() {
  const CpuFeatures cpu = cpu_features();
  return {
      {&kAmxSet, cpu.amx_int8, "AMX tiles with INT8 and AVX-512 F, BW, DQ, VL and VNNI"},
      {&kAvx512VnniSet, cpu.avx512_vnni, "AVX-512 F, BW, DQ, VL and VNNI"},
      {&kAvx512Set, cpu.avx512, "AVX-512 F, BW, DQ and VL"},
      {&kAvxVnniSet, cpu.avx2_fma && cpu.avx_vnni, "AVX-VNNI, AVX2, FMA, F16C and BMI2"},
      {&kAvx2Set, cpu.avx2_fma, "AVX2, FMA, F16C and BMI2"},
      {&kScalarSet, true, "x86-64"},
  };
}

std::string runnable_names() {
  std::string names;
  for (const RegisteredSet& entry : registered_sets()) {
    if (!entry.runnable) continue;
    if (!names.empty()) names += ", ";
    names += entry.set->name;
  }
  return names;
}

/// find_set with `origin` (where the name came from) at the head of the error's sentence.
const KernelSet& find_set_from(std::string_view name, const std::string& origin) {
  for (const RegisteredSet& entry : registered_sets()) {
    if (entry.set->name != name) continue;
    if (entry.runnable) return *entry.set;
    throw Error(ErrorCode::bad_input, origin + "instruction set '" + std::string(name) + "' needs " +
                                          entry.needs + ", which this CPU lacks; it can run " +
                                          runnable_names());
  }
  throw Error(ErrorCode::bad_input, origin + "unknown instruction set '" + std::string(name) +
                                        "'; this CPU can run " + runnable_names());
}

}  // namespace

std::span<const RegisteredSet> registered_sets() {
  static const std::vector<RegisteredSet> sets = make_registered_sets();
  return sets;
}

const KernelSet& best_set() {
  for (const RegisteredSet& entry : registered_sets()) {
    if (entry.runnable) return *entry.set;
  }
  return kScalarSet;
}

const KernelSet& find_set(std::string_view name) { return find_set_from(name, ""); }

const KernelSet& default_set() {
  const char* forced = std::getenv("NYBBLE_ISA");
  return forced == nullptr || *forced == '\0' ? best_set() : find_set_from(forced, "NYBBLE_ISA: ");
}

}  // namespace nybble::kernels
