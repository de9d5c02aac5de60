// Checks every entry of an instruction set against the scalar set, bit by bit, entry by entry.
//
//   check_kernels --isa NAME [--function NAME] [--seed N] [--every N] [--bench]
//   check_kernels --list      prints the entries' names
//
// --every N runs one case of N, for an emulated CPU; N prime to the lists of sizes (31) meets every size of
// each list. --bench then hands over to `nybble bench kernels`, which times what was checked. Exits with 0, 1
// (a difference), 2 (usage) or 77 (this CPU cannot run the set).
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/cpu.h"
#include "kernels/float_environment.h"
#include "kernels/registry.h"
#include "nybble/error.h"
#include "test/kernels/check.h"

namespace nybble::kernels::test {
namespace {

// The list to extend with an entry.
constexpr Entry kEntries[] = {
    {"gemm_u8s8", check_gemm_u8s8},
    {"gemm_u8s7", check_gemm_u8s7},
    {"gemm_u8s6", check_gemm_u8s6},
    {"gemm_u8s5", check_gemm_u8s5},
    {"gemm_u8s4", check_gemm_u8s4},
    {"gemm_u4s4", check_gemm_u4s4},
    {"linear_f32", check_linear_f32},
    {"quantize_rows_u8", check_quantize_rows_u8},
    {"quantize_rows_u4", check_quantize_rows_u4},
    {"quantize_ranged_u8", check_quantize_ranged_u8},
    {"gelu_quantize_rows_u8", check_gelu_quantize_rows_u8},
    {"absmax", check_absmax},
    {"pack", check_pack},
    {"unpack", check_unpack},
    {"gelu_erf", check_gelu_erf},
    {"gelu_erf_q", check_gelu_erf_q},
    {"gelu_tanh", check_gelu_tanh},
    {"relu", check_relu},
    {"silu", check_silu},
    {"sigmoid", check_sigmoid},
    {"tanh", check_tanh},
    {"add_residual", check_add_residual},
    {"gate_silu", check_gate_silu},
    {"gate_gelu_erf", check_gate_gelu_erf},
    {"gate_gelu_tanh", check_gate_gelu_tanh},
    {"layernorm", check_layernorm},
    {"rmsnorm", check_rmsnorm},
    {"softmax", check_softmax},
    {"rotary", check_rotary},
    {"gather_relative", check_gather_relative},
    {"attention_f32", check_attention_f32},
    {"attention_s8", check_attention_s8},
    {"embed_tables", check_embed_tables},
    {"quantize_rows_s8", check_quantize_rows_s8},
    {"mean_pool", check_mean_pool},
    {"max_pool", check_max_pool},
    {"cls_pool", check_cls_pool},
    {"l2_normalize", check_l2_normalize},
};

struct Options {
  std::string isa, function;
  std::uint64_t seed = std::random_device{}();
  long every = 1;
  bool bench = false;
};

bool parse(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    if (flag == "--bench") {
      options.bench = true;
      continue;
    }
    if (++i == argc) return false;
    const std::string_view value = argv[i];
    if (flag == "--isa")
      options.isa = value;
    else if (flag == "--function")
      options.function = value;
    else if (flag == "--seed")
      std::from_chars(value.data(), value.data() + value.size(), options.seed);
    else if (flag == "--every")
      std::from_chars(value.data(), value.data() + value.size(), options.every);
    else
      return false;
  }
  return !options.isa.empty() && options.every >= 1;
}

const RegisteredSet* registered(std::string_view name) {
  for (const RegisteredSet& entry : registered_sets()) {
    if (entry.set->name == name) return &entry;
  }
  return nullptr;
}

/// Checks one entry with buffers flush against the guard behind them, then against the one before them.
int check_entry(const Entry& entry, const KernelSet& set, const Options& options) {
  Context context{set, find_set("scalar"), Random(options.seed), options.every};
  for (const bool front : {false, true}) {
    GuardedPlacement::front = front;
    entry.check(context);
  }
  std::printf("%-22s %-12s %7ld cases, %d failed\n", entry.name, set.name, context.cases, context.failures);
  return context.cases == 0 ? 1 : context.failures;
}

constexpr std::size_t kSlots = sizeof(KernelSet) / sizeof(void*) - 1;  // what follows the name
static_assert(std::size(kEntries) == kSlots, "every entry of a KernelSet has its check");

/// The set that a forced name dispatches to must be the one asked for, with none of scalar's functions.
bool dispatches_to(const std::string& name) {
  setenv("NYBBLE_ISA", name.c_str(), 1);
  const KernelSet& set = default_set();
  if (set.name != name) return false;
  void *own[kSlots + 1], *scalars[kSlots + 1];
  std::memcpy(own, &set, sizeof own);
  std::memcpy(scalars, &find_set("scalar"), sizeof scalars);
  for (std::size_t slot = 1; slot <= kSlots; ++slot) {
    if (own[slot] == nullptr || (name != "scalar" && own[slot] == scalars[slot])) return false;
  }
  return true;
}

/// Becomes `nybble bench kernels` of the same build; returns where that is not there.
int run_benchmark(const Options& options) {
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "../../nybble";
  std::vector<const char*> words = {"nybble", "bench", "kernels", "--isa", options.isa.c_str()};
  if (!options.function.empty()) words.insert(words.end(), {"--op", options.function.c_str()});
  words.push_back(nullptr);
  std::fflush(nullptr);
  execv(program.c_str(), const_cast<char**>(words.data()));
  std::fprintf(stderr, "%s: %s\n", program.c_str(), std::strerror(errno));
  return 2;
}

int run(const Options& options) {
  const RegisteredSet* entry = registered(options.isa);
  if (entry == nullptr)
    return std::fprintf(stderr, "no instruction set '%s' in this build\n", options.isa.c_str()), 2;
  if (!entry->runnable)
    return std::printf("%s needs %s: skipped\n", entry->set->name, entry->needs.c_str()), 77;
  if (!dispatches_to(options.isa))
    return std::fprintf(stderr, "%s was not dispatched\n", options.isa.c_str()), 1;
  std::printf("%s on %s, --seed %llu\n", entry->set->name, cpu_model().c_str(),
              static_cast<unsigned long long>(options.seed));
  const FloatEnvironment environment;
  int failures = 0, ran = 0;
  for (const Entry& e : kEntries) {
    if (!options.function.empty() && options.function != e.name) continue;
    ++ran;
    failures += check_entry(e, *entry->set, options);
  }
  if (ran == 0) return std::fprintf(stderr, "no entry '%s'\n", options.function.c_str()), 2;
  if (failures != 0) return 1;
  return options.bench ? run_benchmark(options) : 0;
}

}  // namespace
}  // namespace nybble::kernels::test

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "--list") {
    for (const auto& entry : nybble::kernels::test::kEntries) std::puts(entry.name);
    return 0;
  }
  nybble::kernels::test::Options options;
  if (!nybble::kernels::test::parse(argc, argv, options)) {
    std::fprintf(stderr,
                 "usage: check_kernels --isa NAME [--function NAME] [--seed N] [--every N] [--bench]\n");
    return 2;
  }
  return nybble::kernels::test::run(options);
}
