#include "kernels/cpu.h"

#include <cpuid.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

namespace nybble::kernels {
namespace {

struct Cpuid {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;  // all 0 for a leaf that the CPU does not have
  explicit Cpuid(unsigned leaf, unsigned subleaf = 0) {
    __get_cpuid_count(leaf, subleaf, &eax, &ebx, &ecx, &edx);
  }
};

bool bit(unsigned word, int index) { return (word >> index & 1) != 0; }

/// XCR0: which register files the operating system saves; 0 where it does not say.
std::uint64_t saved_registers() {
  if (!bit(Cpuid(1).ecx, 27)) return 0;  // OSXSAVE
  unsigned low = 0, high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return static_cast<std::uint64_t>(high) << 32 | low;
}

/// Linux lets a process use tiles once it has asked: they make its threads' signal frames 11 KB. Asked once;
/// the answer holds for all threads. No: an old kernel, or a thread whose alternate signal stack is too
/// small.
bool tiles_permitted() {
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  static const bool permitted = syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  return permitted;
}

std::optional<std::string> read_line(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::string line;
  if (!std::getline(in, line)) return std::nullopt;
  return line;
}

// ---- caches ----

/// "48K", "2M" as bytes; 0 where it is not that.
std::size_t bytes_of(const std::string& size) {
  std::istringstream in(size);
  std::size_t value = 0;
  char unit = 0;
  in >> value >> unit;
  return unit == 'K' ? value << 10 : unit == 'M' ? value << 20 : unit == 'G' ? value << 30 : value;
}

/// How many CPUs a list such as "0-3,8" names.
int cpus_in_list(const std::string& list) {
  std::istringstream in(list);
  int count = 0;
  for (std::string part; std::getline(in, part, ',');) {
    int first = 0, last = 0;
    const int fields = std::sscanf(part.c_str(), "%d-%d", &first, &last);
    if (fields >= 1) count += fields == 2 ? last - first + 1 : 1;
  }
  return std::max(count, 1);
}

std::string lower_case(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

std::vector<Cache> caches_from_sysfs(const std::filesystem::path& folder) {
  std::vector<Cache> found;
  for (int index = 0;; ++index) {
    const auto entry = folder / ("index" + std::to_string(index));
    const auto level = read_line(entry / "level"), type = read_line(entry / "type");
    const auto size = read_line(entry / "size"), line = read_line(entry / "coherency_line_size");
    if (!level || !type || !size) return found;
    const auto shared = read_line(entry / "shared_cpu_list");
    found.push_back({std::atoi(level->c_str()), lower_case(*type), bytes_of(*size),
                     line ? std::atoi(line->c_str()) : 64, shared ? cpus_in_list(*shared) : 1});
  }
}

/// CPUID's deterministic cache leaf: 4 (Intel) or 0x8000001D (AMD), of one shape.
std::vector<Cache> caches_from_cpuid(unsigned leaf) {
  static const char* const types[] = {"", "data", "instruction", "unified"};
  std::vector<Cache> found;
  for (unsigned index = 0; index < 16; ++index) {
    const Cpuid id(leaf, index);
    const unsigned type = id.eax & 31;
    if (type == 0 || type > 3) break;
    const std::size_t line = (id.ebx & 0xFFF) + 1, partitions = (id.ebx >> 12 & 0x3FF) + 1;
    const std::size_t ways = (id.ebx >> 22) + 1, sets = std::size_t{id.ecx} + 1;
    found.push_back({static_cast<int>(id.eax >> 5 & 7), types[type], line * partitions * ways * sets,
                     static_cast<int>(line), static_cast<int>((id.eax >> 14 & 0xFFF) + 1)});
  }
  return found;
}

// ---- cgroups ----

/// One limit found: CPUs' worth of time, and the file that says so.
struct Quota {
  double cpus;
  std::string file;
};

void keep_tightest(std::optional<Quota>& best, double limit, double period,
                   const std::filesystem::path& file) {
  if (limit <= 0 || period <= 0) return;
  const double cpus = limit / period;
  if (!best || cpus < best->cpus) best = Quota{cpus, file.string()};
}

/// cgroup v2: "max 100000" or "150000 100000" in cpu.max.
void read_cpu_max(const std::filesystem::path& group, std::optional<Quota>& best) {
  const auto line = read_line(group / "cpu.max");
  double limit = 0, period = 0;
  if (line && std::sscanf(line->c_str(), "%lf %lf", &limit, &period) == 2) {
    keep_tightest(best, limit, period, group / "cpu.max");
  }
}

/// cgroup v1: cpu.cfs_quota_us (-1: none) over cpu.cfs_period_us.
void read_cfs_quota(const std::filesystem::path& group, std::optional<Quota>& best) {
  const auto limit = read_line(group / "cpu.cfs_quota_us"), period = read_line(group / "cpu.cfs_period_us");
  if (limit && period) {
    keep_tightest(best, std::atof(limit->c_str()), std::atof(period->c_str()), group / "cpu.cfs_quota_us");
  }
}

using ReadLimit = void (*)(const std::filesystem::path& group, std::optional<Quota>& best);

/// Reads the limit of `group` ("/a/b") under `mount` and of each ancestor, the mount itself included: in a
/// container the group's own path is often not there, but the mount is its root.
void read_path_to_root(const std::filesystem::path& mount, const std::string& group, ReadLimit read,
                       std::optional<Quota>& best) {
  std::filesystem::path at = std::filesystem::path(group).relative_path();
  for (; !at.empty(); at = at.parent_path()) read(mount / at, best);
  read(mount, best);
}

bool names_controller(const std::string& list, const std::string& controller) {
  std::istringstream in(list);
  for (std::string part; std::getline(in, part, ',');) {
    if (part == controller) return true;
  }
  return false;
}

/// Reads one line "hierarchy:controllers:path" of /proc/self/cgroup.
void read_membership(const std::filesystem::path& root, const std::string& line, std::optional<Quota>& best) {
  const auto first = line.find(':');
  const auto second = first == std::string::npos ? first : line.find(':', first + 1);
  if (second == std::string::npos) return;
  const std::string controllers = line.substr(first + 1, second - first - 1), group = line.substr(second + 1);
  const auto mounts = root / "sys/fs/cgroup";
  if (controllers.empty()) {  // v2, alone or beside v1
    read_path_to_root(mounts, group, read_cpu_max, best);
    read_path_to_root(mounts / "unified", group, read_cpu_max, best);
  } else if (names_controller(controllers, "cpu")) {
    for (const char* name : {"cpu", "cpu,cpuacct", "cpuacct,cpu"}) {
      if (!std::filesystem::exists(mounts / name)) continue;
      read_path_to_root(mounts / name, group, read_cfs_quota, best);
      break;
    }
  }
}

std::optional<Quota> cgroup_quota(const std::filesystem::path& root) {
  std::ifstream membership(root / "proc/self/cgroup");
  std::optional<Quota> best;
  for (std::string line; std::getline(membership, line);) read_membership(root, line, best);
  return best;
}

int cpus_in_affinity_mask(int online) {
  // The kernel refuses a mask smaller than its own: grow until it fits.
  for (int size = std::max(1024, online); size <= 1 << 20; size *= 2) {
    cpu_set_t* mask = CPU_ALLOC(static_cast<std::size_t>(size));
    const std::size_t bytes = CPU_ALLOC_SIZE(static_cast<std::size_t>(size));
    const bool read = mask != nullptr && sched_getaffinity(0, bytes, mask) == 0;
    const int count = read ? CPU_COUNT_S(bytes, mask) : 0;
    CPU_FREE(mask);
    if (read) return std::max(count, 1);
  }
  return online;
}

}  // namespace

CpuFeatures cpu_features() {
  const std::uint64_t saved = saved_registers();
  const bool ymm = (saved & 0x06) == 0x06, zmm = (saved & 0xE6) == 0xE6, tiles = (saved & 0x60000) == 0x60000;
  const Cpuid basic(1), extended(7), more(7, 1);
  CpuFeatures features;
  features.avx2_fma = ymm && bit(basic.ecx, 12) && bit(basic.ecx, 28) && bit(basic.ecx, 29) &&
                      bit(extended.ebx, 5) && bit(extended.ebx, 8);
  features.avx_vnni = features.avx2_fma && bit(more.eax, 4);
  features.avx512 = features.avx2_fma && zmm && bit(extended.ebx, 16) && bit(extended.ebx, 17) &&
                    bit(extended.ebx, 30) && bit(extended.ebx, 31);
  features.avx512_vnni = features.avx512 && bit(extended.ecx, 11);
  features.amx_int8 =
      features.avx512_vnni && tiles && bit(extended.edx, 24) && bit(extended.edx, 25) && tiles_permitted();
  return features;
}

std::string cpu_model() {
  char brand[49] = {};
  for (unsigned i = 0; i < 3; ++i) {
    const Cpuid id(0x80000002 + i);
    std::memcpy(brand + 16 * i, &id, 16);
  }
  const std::string text(brand);
  const auto first = text.find_first_not_of(' '), last = text.find_last_not_of(' ');
  return first == std::string::npos ? "unknown" : text.substr(first, last - first + 1);
}

std::vector<Cache> caches() {
  auto found = caches_from_sysfs("/sys/devices/system/cpu/cpu0/cache");
  if (found.empty()) found = caches_from_cpuid(4);
  if (found.empty()) found = caches_from_cpuid(0x8000001D);
  return found;
}

UsableCpus usable_cpus() {
  const int online = std::max(1, static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN)));
  return usable_cpus_under("/", cpus_in_affinity_mask(online), online);
}

UsableCpus usable_cpus_under(const std::string& root, int affinity, int online) {
  UsableCpus cpus;
  cpus.online = online;
  cpus.affinity = affinity;
  cpus.threads = std::max(1, affinity);
  if (const auto quota = cgroup_quota(root)) {
    cpus.quota = quota->cpus;
    cpus.quota_source = quota->file;
    cpus.threads = std::max(1, std::min(cpus.threads, static_cast<int>(std::ceil(quota->cpus))));
  }
  return cpus;
}

}  // namespace nybble::kernels
