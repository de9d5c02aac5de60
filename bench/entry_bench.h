// How the entries that are not products are measured: a function an entry, which gives its work to EntryBench
// size by size. The list is in measure_entries.cc.
#pragma once

#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "bench/kernel_run.h"
#include "kernels/kernel_set.h"

namespace nybble::bench {

/// Roughly normal floats of a fixed seed, at a 64-byte boundary.
class Floats {
 public:
  explicit Floats(std::size_t n, float deviation = 1.0F);
  explicit Floats(int n, float deviation = 1.0F) : Floats(static_cast<std::size_t>(n), deviation) {}
  float* data() { return first_; }
  std::uint8_t* codes() { return reinterpret_cast<std::uint8_t*>(first_); }
  std::span<std::byte> bytes() { return std::as_writable_bytes(std::span(first_, count_)); }

 private:
  std::vector<float> memory_;
  float* first_;
  std::size_t count_;
};

/// What one call works on. Zero: not printed.
struct EntryWork {
  std::string what;           ///< "16 rows of 384"
  double elements;            ///< what cycles are counted by
  double bytes;               ///< read and written
  double products = 0;        ///< multiply-adds, where their share of a peak says more
  bool are_integers = false;  ///< the peak is that of gemm_u8s8, else that of FMA
  int m = 0, n = 0;
};

/// One set's call with the work of it.
using SetCall = std::function<void(const kernels::KernelSet&)>;

/// What a measured call contains beside the entry.
struct Beside {
  std::function<void()> call;  ///< timed in the same rounds, and subtracted
  std::string name;            ///< what the entry is printed as a share of; empty: of nothing
};

class EntryBench {
 public:
  EntryBench(const char* entry, const kernels::KernelSet& set, int rounds, const Sink& sink)
      : entry_(entry), set_(set), rounds_(rounds), sink_(sink) {}

  const kernels::KernelSet& set() const { return set_; }

  /// Runs `call` with the scalar set and with this one, each time after `prepare` (empty: after the outputs
  /// were filled with 0xA5). Both must leave the same bytes in the outputs. Then times it, less what stands
  /// beside.
  void time(const EntryWork& work, const std::vector<std::span<std::byte>>& outputs, const SetCall& call,
            const Beside& beside = {}, const std::function<void()>& prepare = {});

 private:
  const char* entry_;
  const kernels::KernelSet& set_;
  int rounds_;
  const Sink& sink_;
};

struct MeasuredEntry {
  const char* name;
  void (*run)(EntryBench& bench);
};
std::span<const MeasuredEntry> measured_entries();

void bench_linear_f32(EntryBench& bench);
void bench_quantize_rows_u8(EntryBench& bench);
void bench_quantize_rows_u4(EntryBench& bench);
void bench_quantize_ranged_u8(EntryBench& bench);
void bench_gelu_quantize_rows_u8(EntryBench& bench);
void bench_softmax(EntryBench& bench);
void bench_rotary(EntryBench& bench);
void bench_gather_relative(EntryBench& bench);
void bench_attention_s8(EntryBench& bench);
void bench_absmax(EntryBench& bench);
void bench_pack(EntryBench& bench);
void bench_unpack(EntryBench& bench);
void bench_gelu_erf(EntryBench& bench);
void bench_gelu_erf_q(EntryBench& bench);
void bench_gelu_tanh(EntryBench& bench);
void bench_relu(EntryBench& bench);
void bench_layernorm(EntryBench& bench);
void bench_attention_f32(EntryBench& bench);
void bench_mean_pool(EntryBench& bench);
void bench_l2_normalize(EntryBench& bench);
void bench_silu(EntryBench& bench);
void bench_sigmoid(EntryBench& bench);
void bench_tanh(EntryBench& bench);
void bench_add_residual(EntryBench& bench);
void bench_gate_silu(EntryBench& bench);
void bench_gate_gelu_erf(EntryBench& bench);
void bench_gate_gelu_tanh(EntryBench& bench);
void bench_rmsnorm(EntryBench& bench);
void bench_embed_tables(EntryBench& bench);
void bench_quantize_rows_s8(EntryBench& bench);
void bench_max_pool(EntryBench& bench);
void bench_cls_pool(EntryBench& bench);

}  // namespace nybble::bench
