// The biases that disentangled attention adds to its scores (graph/relative_rows.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "graph/ir.h"
#include "kernels/kernel_set.h"
#include "quant/packed_linear.h"
#include "runtime/constants.h"

namespace nybble::runtime {

/// One term of the scores: rows of activations by the table's rows, projected for one head and scaled.
class RelativeProduct {
 public:
  /// `rows` [n][depth]: row i is the weight of column i. In integers they are quantized to 8 bits, each
  /// with a scale; `source` names them in the error that they are not finite.
  RelativeProduct(const kernels::KernelSet& kernels, bool is_int8, std::span<const float> rows, int n,
                  int depth, const std::string& source);

  /// Columns that are computed together: a multiple of this.
  int column_unit() const { return packed_ ? kernels::kPanelColumns : kernels::kColumnBlock; }
  std::size_t bytes() const;

  /// What the rows of one call are: floats, and in integers their codes as quantize_rows_u8 makes them.
  struct Rows {
    const float* x;  ///< [count][ldx]
    std::ptrdiff_t ldx;
    const std::uint8_t* codes;  ///< [count][padded_depth(depth)]
    const kernels::RowScale* scales;
  };
  /// Columns [begin, end) of `count` rows from row `first` on, y [count][end - begin]. begin is a multiple of
  /// column_unit(), end one or the number of columns rounded up to 16.
  void run(const kernels::KernelSet& kernels, const Rows& rows, int first, int count, int begin, int end,
           float* y) const;

  int columns() const { return kernels::padded_columns(n_); }

 private:
  int n_, depth_;
  std::optional<quant::PackedLinear> packed_;
  std::vector<float> panels_;  ///< as kernels::LinearArgs::w
};

/// The constants of one attention node, made at load. Immutable after construction; may be read by many
/// threads.
class RelativeAttention {
 public:
  /// Reads the node's table and projections. `longest`: most tokens of a sequence. Throws
  /// Error{unsupported_model} where weights for integers are not finite.
  RelativeAttention(const graph::Graph& graph, const graph::Node& node, const Constants& constants,
                    const Weights& weights, const kernels::KernelSet& kernels, int longest);

  std::size_t bytes() const;
  /// Of memory, 64-byte aligned, that run() needs for itself.
  std::size_t own_bytes() const;
  /// `attention` for the queries of `call`, all but its biases set, of head `head`, some rows at a time.
  void run(decltype(kernels::KernelSet::attention_f32) attention, kernels::AttentionArgs call, int head,
           std::byte* own) const;

  int positions() const { return 2 * span_; }
  /// Multiplications for each token and position that it sees.
  double macs_per_position() const;

 private:
  /// Query rows whose biases exist at a time.
  static int most_rows(int length);
  /// Reads the keys of a head of a sequence, as `call` has them.
  void begin(const kernels::AttentionArgs& call, std::byte* own) const;
  /// The biases of queries call.row_begin to row_end (at most most_rows): sets call.bias, which points into
  /// `own`.
  void bias(kernels::AttentionArgs& call, int head, std::byte* own) const;
  struct Layout;
  Layout layout(int length) const;
  void add_products(std::span<const float> rows, bool reversed, const std::string& source,
                    std::vector<RelativeProduct>& out);
  void position_to_content(const kernels::AttentionArgs& call, int head, std::byte* own) const;
  void content_to_position(const kernels::AttentionArgs& call, int head, std::byte* own) const;

  const kernels::KernelSet& kernels_;
  bool is_int8_;
  int heads_, head_dim_, span_, longest_;
  std::vector<RelativeProduct> keys_, queries_;  ///< of each head, or none
  /// Columns by distance: of keys_ at key - query + longest - 1, of queries_ at query - key + longest - 1.
  /// Both grow with it, so that neighbours in a row of scores are neighbours in the products.
  std::vector<std::int32_t> key_columns_, query_columns_;
};

}  // namespace nybble::runtime
