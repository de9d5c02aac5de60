// One KernelSet an instruction set: a function pointer for each entry, its contract above it.
//
// Every entry is `noexcept`, keeps no state, allocates nothing (products use up to 136 KB of stack) and may
// be called from any thread. A NaN is written as 0x7FC00000 whatever NaN came in. Every set gives the bits of
// the scalar set (docs/numerics.md); the caller has set MXCSR to 0x1F80 (kernels/float_environment.h).
// Buffers may be unaligned unless an entry says otherwise; strides (ld*) are in elements.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/packed_weights.h"

namespace nybble::kernels {

/// How one block of a row was quantized: x ≈ scale · (q - zero). zero is in 1..255, of 4-bit rows in 0..15.
struct RowScale {
  float scale;
  std::int32_t zero;
};

/// The range of one block of a row while it grows, as bits of floats: the block's column j goes to lane
/// j mod 16. All zeros is the range of nothing. NaN and infinity stay visible: some high is ≥ 0x7F800000 or
/// some low ≥ 0xFF800000.
struct RowRange {
  /// The greatest of 0 and the bits as signed integers: the greatest value, or 0.
  std::int32_t high[16];
  /// The greatest of the bits as unsigned integers: the least value where its sign is set.
  std::uint32_t low[16];
};

/// A finished tile of a product: `data` is [rows][cols] with stride `ld`, and stands at (row, column) of C.
struct Tile {
  float* data;
  std::ptrdiff_t ld;
  int rows, cols;
  int row = 0, column = 0;
};

/// What some epilogues need beside the tile; the others ignore it.
struct EpilogueArgs {
  const float* residual = nullptr;  ///< [m][ld_residual], laid out as C is, n columns: what add_residual adds
  std::ptrdiff_t ld_residual = 0;
  /// [m][row_block_count(columns)], or null: an activation widens the range of each row's block by what it
  /// writes, so that quantize_ranged_u8 needs no pass of its own to find it. The tile is then at most 64
  /// columns of one block. Tiles of one row and block belong to one thread.
  RowRange* ranges = nullptr;
  int columns = 0;  ///< N of C, which says where the blocks end; set with either of the above
};

/// A step on a finished tile of a product while it is hot in L1, in place. Also usable on any matrix. `args`
/// may be null where the step's contract names none of its fields.
using TileEpilogue = void (*)(const Tile& tile, const EpilogueArgs* args);

/// Arguments of a product C[m][n] = dequantize(A · Wᵀ) + bias.
struct GemmArgs {
  const std::uint8_t* a;       ///< [m][lda] codes as quantize_rows_u8 or _u4 wrote them, padding included
  std::ptrdiff_t lda;          ///< in bytes
  const RowScale* rows;        ///< [m][row_block_count(k, format)]
  const std::byte* b;          ///< the pack (packed_weights.h), 64-byte aligned
  int m, n, k;                 ///< m, n, k ≥ 1
  int panel_begin, panel_end;  ///< the panels of 64 columns to compute
  float* c;  ///< [m][ldc]; columns n..padded_columns(n)-1 are written too: +0, NaN in rows whose scale is NaN
  std::ptrdiff_t ldc;     ///< ≥ the columns of the panels to compute, all of them: padded_columns(n)
  TileEpilogue epilogue;  ///< applied to each finished tile; null: none
  const EpilogueArgs* epilogue_args = nullptr;
  PackFormat format = {};  ///< of the pack; its bits are those of the entry
};

/// Arguments of a product of floats: y = x · Wᵀ + bias, for layers too small to be worth integers.
struct LinearArgs {
  const float* x;  ///< [m][ldx], k values a row
  std::ptrdiff_t ldx;
  const float* w;     ///< [columns n / 16, rounded up][k][16]: linear_floats(n, k), any value beyond column n
  const float* bias;  ///< [n], or null for +0
  int m, n, k;        ///< ≥ 1
  float* y;           ///< [m][ldy], n values a row are written
  std::ptrdiff_t ldy;
};

/// Floats of LinearArgs::w.
constexpr std::size_t linear_floats(int n, int k) {
  return static_cast<std::size_t>(round_up(n, 16)) * static_cast<std::size_t>(k);
}

/// Arguments of packing a layer's weights.
struct PackArgs {
  const float* w;  ///< [n][ldw], k values a row, finite
  std::ptrdiff_t ldw;
  int n, k;
  const float* scale;       ///< [n] per channel, [n][group_count(k)] in groups; finite
  const std::int8_t* zero;  ///< [n][group_count(k)], stored codes; null: middle_code, as without groups
  const float* bias;        ///< [n] or null (zeros); finite
  std::byte* pack;          ///< packed_bytes(n, k, format) bytes, 64-byte aligned
  PackFormat format = {};
};

/// Rows to quantize whose ranges are known.
struct RangedRows {
  const float* x;  ///< [m][ldx], k values a row
  std::ptrdiff_t ldx;
  int m, k;
  const RowRange* ranges;      ///< [m][row_block_count(k)]; no value lies outside its block's range
  int block_begin, block_end;  ///< the blocks of each row to quantize, within 0..row_block_count(k)
  std::uint8_t* q;             ///< [m][ldq]; bytes k..padded_depth(k)-1 are set to 128 with the last block
  std::ptrdiff_t ldq;
  RowScale* rows;  ///< [m][row_block_count(k)]
};

/// Rows to activate and to quantize.
struct ActivatedRows {
  float* x;  ///< [m][ldx], k values a row; of the blocks taken, anything is left
  std::ptrdiff_t ldx;
  int m, k;
  int block_begin, block_end;  ///< the blocks of each row to take, within 0..row_block_count(k)
  std::uint8_t* q;             ///< [m][ldq]; bytes k..padded_depth(k)-1 are set to 128 with the last block
  std::ptrdiff_t ldq;
  RowScale* rows;  ///< [m][row_block_count(k)]
};

/// Arguments of a norm of rows. With h = x + residual:
///   LayerNorm (Ba et al. 2016, eq. 3): y = (h - mean) / sqrt(variance + epsilon) · gamma + beta
///   RMSNorm (Zhang and Sennrich 2019, eq. 4): y = h / sqrt(mean of h² + epsilon) · gamma
struct NormArgs {
  const float* x;  ///< [m][ldx]
  std::ptrdiff_t ldx;
  const float* residual;  ///< [m][ldr], or null for none
  std::ptrdiff_t ldr;
  const float* gamma;  ///< [n]
  const float* beta;   ///< [n], or null for none; RMSNorm does not read it
  float epsilon;
  int m, n;
  float* y;  ///< [m][ldy]; may be x or residual (same stride)
  std::ptrdiff_t ldy;
  /// [m][lds]: where h goes, for the next residual, or null; may be x or residual, not y
  float* sum = nullptr;
  std::ptrdiff_t lds = 0;
  std::uint8_t* q = nullptr;  ///< [m][ldq], or null: y quantized as by quantize_rows_u8
  std::ptrdiff_t ldq = 0;
  RowScale* rows = nullptr;  ///< [m][row_block_count(n)] where there is q
};

/// Arguments of the gate of a gated layer (Shazeer 2020, eq. 6): out = activation(gate) · up. The product
/// before it leaves both halves in each row of C, in either order: `gate` and `up` say where.
struct GateArgs {
  const float* gate;  ///< [m][ldx]
  const float* up;    ///< [m][ldx]
  std::ptrdiff_t ldx;
  int m, n;    ///< n columns of each half
  float* out;  ///< [m][ldo]; may be gate or up (same stride)
  std::ptrdiff_t ldo;
  RowRange* ranges;  ///< [m][row_block_count(n)], widened by what is written, or null
};

/// How many tables embed_tables adds up at most.
inline constexpr int kEmbedTables = 4;

/// A table of rows of n values: of floats, or (values = null) of codes with a scale a row.
struct EmbedTable {
  const std::int32_t* ids;  ///< [m]: the row that each token takes; checked by the caller
  const float* values;
  const std::int8_t* codes = nullptr;
  const float* scales = nullptr;
};

/// Arguments of an embedding lookup: y = the first table's row (code · scale), then in order + a row of
/// floats, or fma(code, scale, sum) with one of codes.
struct EmbedArgs {
  const EmbedTable* tables;  ///< [count]
  int count;                 ///< 1..kEmbedTables
  int m, n;
  float* y;  ///< [m][ldy]
  std::ptrdiff_t ldy;
};

/// Arguments of a softmax along rows, in place. Row r stands at position first_position + r, column j at
/// position j; the row's keys are the columns below its length and inside its window.
struct SoftmaxArgs {
  float* x;  ///< [m][ld] scores; on return keys hold their share, all other columns 0
  std::ptrdiff_t ld;
  int m, n;                               ///< ≥ 1
  const std::int32_t* lengths = nullptr;  ///< [m] keys of each row, 0..n; null: `length` for all
  int length = 0;                         ///< 0..n
  int window = -1;                        ///< only |row's position - column| ≤ window; negative: no window
  int first_position = 0;                 ///< of row 0
  const float* bias = nullptr;            ///< [m][ld_bias], added to the scores; -infinity masks; or null
  std::ptrdiff_t ld_bias = 0;
};

/// Arguments of a gather of products by relative position, which makes biases of attention of them: to
/// out[i][j], i < rows and j < keys, goes
///   products[i][columns[j - i]]   where the products are the queries' (by_key = false), or
///   products[j][columns[i - j]]   where they are the keys'.
struct RelativeArgs {
  const float* products;  ///< [rows or keys][ld]; 15 values behind any that is named can be read
  std::ptrdiff_t ld;
  /// From 1 - rows, or 1 - keys, on, never falling; 15 entries behind the last can be read. Fastest where
  /// they grow by 15 or less over 16 entries.
  const std::int32_t* columns;
  bool by_key;
  bool add;        ///< to what `out` holds; else it is written
  int rows, keys;  ///< ≥ 1
  float* out;      ///< [rows][ldo]
  std::ptrdiff_t ldo;
};

/// Arguments of a rotary position embedding, in place: each pair (a, b) of a head becomes
/// (a·cos - b·sin, b·cos + a·sin) of the row's position (RoFormer, arXiv:2104.09864, equation 34).
struct RotaryArgs {
  float* x;  ///< [m][ldx]: `heads` heads of head_dim values a row
  std::ptrdiff_t ldx;
  int m, heads, head_dim;         ///< ≥ 1
  int rotary_dim;                 ///< even, 0..head_dim: the first values of each head; the others stay
  bool interleaved;               ///< pairs are (2i, 2i + 1); else (i, i + rotary_dim / 2)
  const std::int32_t* positions;  ///< [m]; null: first_position + row
  int first_position;
  const float* cos;  ///< [position][rotary_dim / 2]
  const float* sin;  ///< [position][rotary_dim / 2]
};

/// Arguments of attention for one sequence and one head: out = softmax(scale · Q·Kᵀ + bias) · V. Each call
/// prepares the K and V that its rows see anew (3 % of the work at 128 tokens when it computes all rows), so
/// give it as many rows as there are.
struct AttentionArgs {
  const float* q;  ///< [length][ldq], head_dim values a row
  const float* k;  ///< [length][ldk]
  const float* v;  ///< [length][ldv]
  std::ptrdiff_t ldq, ldk, ldv;
  int length;              ///< tokens of the sequence, ≥ 1
  int head_dim;            ///< ≥ 1
  int row_begin, row_end;  ///< the query rows to compute
  float scale;
  float* out;  ///< [length][ldo]: rows row_begin..row_end-1 are written, head_dim values each
  std::ptrdiff_t ldo;
  float* scratch;   ///< attention_scratch_floats(length, head_dim, window) floats, 64-byte aligned
  int window = -1;  ///< a query sees the keys with |query - key| ≤ window; negative: all of them
  const float* bias = nullptr;  ///< [length][ld_bias] of this head, query × key; -infinity masks; null: none
  std::ptrdiff_t ld_bias = 0;   ///< may be negative: -1 where the bias depends on key - query alone
};

/// The most keys, in blocks of 16, that up to 8 neighbouring queries see together.
constexpr int attention_keys(int length, int window) {
  const int all = round_up(length, 16);
  return window < 0 || window > (all - 64) / 2 ? all : round_up(2 * window + 38, 16);
}

/// Floats of scratch that AttentionArgs::scratch needs, on every instruction set.
constexpr std::size_t attention_scratch_floats(int length, int head_dim, int window = -1) {
  // K transposed in blocks of 16 keys, V padded to 16 columns, and scores for a block of 16 query rows.
  const std::size_t keys = static_cast<std::size_t>(round_up(length, 16));
  return keys * static_cast<std::size_t>(head_dim) + keys * static_cast<std::size_t>(round_up(head_dim, 16)) +
         static_cast<std::size_t>(attention_keys(length, window)) * 16;
}

/// Query rows that integer attention takes together at most.
inline constexpr int kAttentionS8Rows = 8;

/// Where the parts of integer attention's scratch begin, in bytes, on every instruction set but scalar; all
/// are multiples of 64.
struct AttentionS8Layout {
  std::size_t keys, key_scales, key_offsets;      ///< codes of K, as 16 bits or less; [key] each
  std::size_t values, value_scales, value_sums;   ///< codes of V; [column]; [16 keys][column]
  std::size_t queries, query_scales, transposed;  ///< of 16 rows
  std::size_t scores;                             ///< [64 keys][kAttentionS8Rows][64]; their weights, too
  std::size_t bytes;                              ///< of all
};

constexpr AttentionS8Layout attention_s8_layout(int length, int head_dim, int window) {
  const auto keys = static_cast<std::size_t>(round_up(length, 16));
  const auto depth = static_cast<std::size_t>(round_up(head_dim, 4));
  const auto columns = static_cast<std::size_t>(round_up(head_dim, 16));
  AttentionS8Layout at{};
  at.key_scales = at.keys + keys * depth * 2;
  at.key_offsets = at.key_scales + keys * 4;
  at.values = at.key_offsets + keys * 4;
  at.value_scales = at.values + keys * columns * 2;
  at.value_sums = at.value_scales + columns * 4;
  at.queries = at.value_sums + (keys / 16 + 1) * columns * 4;
  at.query_scales = at.queries + 16 * depth * 2;
  at.transposed = at.query_scales + 64;
  at.scores = at.transposed + columns * 64;
  const auto seen = static_cast<std::size_t>(round_up(attention_keys(length, window), 64));
  at.bytes = at.scores + seen * kAttentionS8Rows * 4;
  return at;
}

/// Bytes of scratch that AttentionArgs::scratch needs for attention_s8, on every instruction set.
constexpr std::size_t attention_s8_scratch_bytes(int length, int head_dim, int window = -1) {
  return attention_s8_layout(length, head_dim, window).bytes;
}

/// Whether attention_s8 keeps 16 bits of each weight rather than 8: beyond 16 keys. A query that looks at one
/// token almost alone gives each of the others a weight of 0.002 or less, which 8 bits round to 0: together
/// these can be a tenth of the softmax's mass.
constexpr bool attention_s8_is_wide(int length, int window) {
  return length > 16 && (window < 0 || window >= 8);
}

/// The functions of one instruction set. After the name come pointers to functions and nothing else.
struct KernelSet {
  const char* name;  ///< "scalar", "avx2", "avxvnni", "avx512", "avx512vnni", "amx"

  // ---- products on packed weights: exact int32 sums, then the float order of docs/numerics.md ----
  void (*gemm_u8s8)(const GemmArgs& args) noexcept;  ///< 8-bit rows × 8-bit weights
  void (*gemm_u8s7)(const GemmArgs& args) noexcept;
  void (*gemm_u8s6)(const GemmArgs& args) noexcept;
  void (*gemm_u8s5)(const GemmArgs& args) noexcept;  ///< per channel or in groups
  void (*gemm_u8s4)(const GemmArgs& args) noexcept;  ///< per channel or in groups
  void (*gemm_u4s4)(const GemmArgs& args) noexcept;  ///< 4-bit rows; per channel or in groups

  /// A product of floats: from the bias one chain of fma, k ascending, for each value.
  void (*linear_f32)(const LinearArgs& args) noexcept;

  // ---- making integers ----
  /// Quantizes x [m][ldx], k values a row, to u8 by row and block of row_block_depth(k). Writes q [m][ldq]
  /// with bytes k..padded_depth(k)-1 set to 128, and rows [m][row_block_count(k)]. A block with NaN or
  /// infinity, or whose span overflows, gets scale = canonical NaN, codes 128.
  void (*quantize_rows_u8)(const float* x, std::ptrdiff_t ldx, int m, int k, std::uint8_t* q,
                           std::ptrdiff_t ldq, RowScale* rows) noexcept;
  /// The same to 4 bits, codes 0..15, by blocks of `row_block` along K (PackFormat::row_block: 0, 32, 64,
  /// 128). A row is padded_depth(k) / 2 bytes: byte (k / 8) · 4 + k mod 4 has code k in its low nibble where
  /// k mod 8 < 4, else in its high one. Padding codes are 0; a block without a range has codes and zero 8.
  void (*quantize_rows_u4)(const float* x, std::ptrdiff_t ldx, int m, int k, int row_block, std::uint8_t* q,
                           std::ptrdiff_t ldq, RowScale* rows) noexcept;
  /// quantize_rows_u8 of rows whose ranges are known (EpilogueArgs::ranges): the same bits.
  void (*quantize_ranged_u8)(const RangedRows& args) noexcept;
  /// The codes and rows that quantize_rows_u8 makes of gelu_erf_q(x); x is spent. Cheaper than the epilogue
  /// and quantize_ranged_u8 where the rows of some panels of the product are still in cache.
  void (*gelu_quantize_rows_u8)(const ActivatedRows& args) noexcept;
  /// The largest |x[i]|, i < n; NaN (canonical) where any x is NaN or infinite.
  float (*absmax)(const float* x, std::ptrdiff_t n) noexcept;
  /// Writes panel `panel` of a pack with its trailer: code = clamp(rint(w / scale) + zero), `zero` itself
  /// where scale is 0.
  void (*pack)(const PackArgs& args, int panel) noexcept;
  /// The weights of a pack as floats, w [n][ldw] = scale · (code - zero): the columns of panel `panel`.
  void (*unpack)(const std::byte* pack, int n, int k, const PackFormat& format, int panel, float* w,
                 std::ptrdiff_t ldw) noexcept;

  // ---- activations, in place; each is a TileEpilogue ----
  TileEpilogue gelu_erf;    ///< 0.5·x·(1 + erf(x/√2)), to 1 ulp of x
  TileEpilogue gelu_erf_q;  ///< the same to 2.4e-4: for values about to be quantized
  TileEpilogue gelu_tanh;   ///< 0.5·x·(1 + tanh(√(2/π)·(x + 0.044715·x³))), to 2 ulp of x
  TileEpilogue relu;        ///< max(x, 0), +0 for -0; NaN stays NaN
  TileEpilogue silu;        ///< x / (1 + exp(-x)), to 3 ulp; NaN for -infinity
  TileEpilogue sigmoid;     ///< 1 / (1 + exp(-x)), to 3 ulp
  TileEpilogue tanh;        ///< to 3 ulp
  /// Adds EpilogueArgs::residual in the tile's real columns; no range is widened.
  TileEpilogue add_residual;

  // ---- gated layers: out = activation(gate) · up ----
  void (*gate_silu)(const GateArgs& args) noexcept;       ///< SwiGLU
  void (*gate_gelu_erf)(const GateArgs& args) noexcept;   ///< GeGLU
  void (*gate_gelu_tanh)(const GateArgs& args) noexcept;  ///< GeGLU by tanh

  // ---- rows ----
  void (*layernorm)(const NormArgs& args) noexcept;
  void (*rmsnorm)(const NormArgs& args) noexcept;
  /// A row without a key, or whose keys are all -infinity, becomes zeros; NaN or +infinity among its keys
  /// makes all of them NaN.
  void (*softmax)(const SoftmaxArgs& args) noexcept;
  void (*rotary)(const RotaryArgs& args) noexcept;
  /// Biases of attention from products by relative position.
  void (*gather_relative)(const RelativeArgs& args) noexcept;
  /// With a bias, a query whose keys are all -infinity gets zeros (NaN if V has NaN or infinity there).
  void (*attention_f32)(const AttentionArgs& args) noexcept;
  /// The integer form: Q, K and V are quantized to 8 bits on the way (docs/numerics.md). length ≤ 65536,
  /// head_dim ≤ 65536; scratch: attention_s8_scratch_bytes. A query whose keys are all -infinity gets zeros,
  /// one with NaN or +infinity among its scores NaN; NaN or infinity in a column of V makes that column NaN
  /// for all queries, whatever their windows.
  void (*attention_s8)(const AttentionArgs& args) noexcept;
  /// The sum of rows of up to four tables, each of floats or of codes.
  void (*embed_tables)(const EmbedArgs& args) noexcept;
  /// x [m][ldx], n values a row, as rows of codes for embed_tables: scale = max |x| / 127, code =
  /// rint(x / scale) in -127..127. A row whose scale would be subnormal has scale 0 and codes 0, one with NaN
  /// or infinity scale NaN and codes 0.
  void (*quantize_rows_s8)(const float* x, std::ptrdiff_t ldx, int m, int n, std::int8_t* q,
                           std::ptrdiff_t ldq, float* scales) noexcept;
  /// y[0..n) = mean over i < m of x[i][·]: sums in token order, then one division by float(m).
  void (*mean_pool)(const float* x, std::ptrdiff_t ldx, int m, int n, float* y) noexcept;
  /// y[0..n) = the greatest over i < m of x[i][·], NaN where any is; of equal values (-0, +0) the first.
  void (*max_pool)(const float* x, std::ptrdiff_t ldx, int m, int n, float* y) noexcept;
  /// y[0..n) = x[0][·], the first token; the other arguments as for mean_pool.
  void (*cls_pool)(const float* x, std::ptrdiff_t ldx, int m, int n, float* y) noexcept;
  /// y = x / max(‖x‖₂, 1e-12), as torch.nn.functional.normalize; y may be x.
  void (*l2_normalize)(const float* x, int n, float* y) noexcept;
};

}  // namespace nybble::kernels
