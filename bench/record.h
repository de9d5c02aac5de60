// What a measurement gave, as plain data: it goes from the process that measures to the one that prints.
#pragma once

#include <cmath>
#include <limits>

namespace nybble::bench {

inline constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

enum class RecordKind {
  product,    ///< of a linear layer whose weights are hot
  streamed,   ///< of many layers whose weights come from memory
  entry,      ///< another entry of a KernelSet: what counts is its elements
  bandwidth,  ///< what a loop of loads reached: `kernel` names the level
  done,       ///< one more operation is measured: for the progress bar
  failure     ///< `kernel` and `what` are nothing; `sentence` says what is wrong
};

/// Numbers that a kind does not have are 0 (counts) or NaN (kNone).
struct Record {
  RecordKind kind = RecordKind::product;
  char kernel[40] = {};  ///< "gemm_u8s8", "layernorm"; "memory" of a bandwidth
  char isa[16] = {};
  char what[48] = {};       ///< "minilm-l6 qkv", "16 rows of 384"
  char peak_unit[24] = {};  ///< "vpdpbusd zmm"
  char onednn[40] = {};     ///< the primitive's implementation, "brg:avx512_core_vnni"
  int m = 0, n = 0, k = 0;
  int layers = 0;  ///< of a streamed product
  double gmac_s = kNone, mac_per_cycle = kNone, peak_share = kNone, weight_gb_s = kNone, vs_onednn = kNone,
         vs_scalar = kNone;
  double vs_onednn_f32 = kNone;
  double cycles_per_element = kNone, gb_s = kNone;  ///< of an entry: bytes read and written
  char beside[32] = {};                             ///< "the product"
  double beside_share = kNone;                      ///< of an entry's time to that of what stands beside it
  double peak_gmac_s = kNone;
  double bandwidth_gb_s = kNone;  ///< of memory in the same rounds, or of the level that `kernel` names
  double macs_per_byte = kNone;   ///< multiply-adds a byte of weights, activations and results
  double gigahertz = kNone;
  char sentence[400] = {};
};

}  // namespace nybble::bench
