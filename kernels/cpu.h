// What this machine has: instruction-set features (CPUID and XCR0), caches, and the CPUs that this process
// may use.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace nybble::kernels {

/// Features that both the CPU has and the operating system saves (XCR0).
struct CpuFeatures {
  bool avx2_fma = false;  ///< AVX2, FMA, F16C, BMI2
  bool avx_vnni = false;  ///< VEX-encoded VNNI
  bool avx512 = false;    ///< F, BW, DQ, VL
  bool avx512_vnni = false;
  bool amx_int8 = false;  ///< tiles and their INT8 products, beside avx512_vnni; permitted to this process
};

struct Cache {
  int level;
  std::string type;  ///< "data", "instruction", "unified"
  std::size_t bytes;
  int line_bytes;
  int shared_by;  ///< logical CPUs that share it
};

/// The CPUs that this process may use and why.
struct UsableCpus {
  int online = 1;    ///< logical CPUs of the machine
  int affinity = 1;  ///< of those, in this process's affinity mask (taskset, cpusets)
  double quota = 0;  ///< CPUs' worth of time by the cgroup (v2 cpu.max or v1 cfs quota), the tightest on the
                     ///< path to the root; 0: no limit
  std::string quota_source;  ///< the file that says so; empty: no limit
  int threads = 1;           ///< what follows: min(affinity, ceil(quota)), at least 1
};

CpuFeatures cpu_features();
std::string cpu_model();  ///< the brand string, e.g. "AMD EPYC 9B45"
std::vector<Cache> caches();
UsableCpus usable_cpus();

/// usable_cpus() with the files of cgroup and proc under `root` instead of "/": for tests.
UsableCpus usable_cpus_under(const std::string& root, int affinity, int online);

}  // namespace nybble::kernels
