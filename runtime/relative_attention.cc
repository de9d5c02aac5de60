#include "runtime/relative_attention.h"

#include <algorithm>

#include "graph/relative_rows.h"

namespace nybble::runtime {
namespace {

// Rows of activations that are multiplied together: 64 rows of 512 columns are 128 KB, in L2 beside the
// biases.
constexpr int kChunk = 64;
// Floats of biases at a time, 256 KB, and the most and least rows of them.
constexpr int kBiasFloats = 64 * 1024;
constexpr int kMostRows = 128, kLeastRows = 16;

using kernels::AttentionArgs;
using kernels::KernelSet;

/// The table [2·span][hidden], normalized if the node says so.
std::vector<float> table_of(const graph::Node& node, const Constants& constants, const KernelSet& kernels,
                            int hidden) {
  const graph::RelativeInputs at = graph::relative_inputs(node);
  std::vector<float> scratch, gamma, beta;
  const std::span<const float> values = constants.read(node.inputs[at.table], scratch);
  std::vector<float> table(values.begin(), values.end());
  if (!at.gamma) return table;
  kernels::NormArgs args{};
  args.x = args.y = table.data();
  args.ldx = args.ldy = args.n = hidden;
  args.m = static_cast<int>(table.size() / static_cast<std::size_t>(hidden));
  args.gamma = constants.read(node.inputs[at.gamma], gamma).data();
  args.beta = constants.read(node.inputs[at.gamma + 1], beta).data();
  args.epsilon = static_cast<float>(graph::number(node, "norm_epsilon"));
  kernels.layernorm(args);
  return table;
}

/// Weights [n][k] as LinearArgs::w has them, columns beyond n zero.
std::vector<float> in_panels(std::span<const float> w, int n, int k) {
  constexpr int kBlock = kernels::kColumnBlock;
  std::vector<float> panels(kernels::linear_floats(n, k));
  for (std::ptrdiff_t column = 0; column < n; ++column) {
    float* to = panels.data() + column / kBlock * kBlock * k + column % kBlock;
    for (std::ptrdiff_t i = 0; i < k; ++i) to[i * kBlock] = w[static_cast<std::size_t>(column * k + i)];
  }
  return panels;
}

/// scale · (table · Wᵀ + b) of the weight that is input `at` of the node and the bias behind it.
std::vector<float> projected(const std::vector<float>& table, const graph::Node& node, std::size_t at,
                             const Constants& constants, const KernelSet& kernels, int hidden) {
  std::vector<float> weight_scratch, bias_scratch, result(table.size());
  const std::vector<float> panels =
      in_panels(constants.read(node.inputs[at], weight_scratch), hidden, hidden);
  const float* bias = constants.read(node.inputs[at + 1], bias_scratch).data();
  const auto rows = static_cast<int>(table.size() / static_cast<std::size_t>(hidden));
  kernels.linear_f32(
      {table.data(), hidden, panels.data(), bias, rows, hidden, hidden, result.data(), hidden});
  const auto scale = static_cast<float>(graph::number(node, "scale"));
  for (float& value : result) value *= scale;
  return result;
}

constexpr std::size_t round_up_64(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

}  // namespace

// ---- one product ----

RelativeProduct::RelativeProduct(const KernelSet& kernels, bool is_int8, std::span<const float> rows, int n,
                                 int depth, const std::string& source)
    : n_(n), depth_(depth) {
  if (is_int8) {
    const quant::SourceRows name{source, n};
    packed_.emplace(kernels, *quant::find_integer_format("int8"), rows, n, depth, std::span<const float>(),
                    std::span(&name, 1), std::span<const quant::SourceRows>());
  } else {
    panels_ = in_panels(rows, n, depth);
  }
}

std::size_t RelativeProduct::bytes() const {
  return packed_ ? packed_->bytes() : panels_.size() * sizeof(float);
}

void RelativeProduct::run(const KernelSet& kernels, const Rows& rows, int first, int count, int begin,
                          int end, float* y) const {
  const std::ptrdiff_t row = first, ld = end - begin;
  if (!packed_) {
    kernels.linear_f32({rows.x + row * rows.ldx, rows.ldx,
                        panels_.data() + static_cast<std::ptrdiff_t>(begin) * depth_, nullptr, count,
                        end - begin, depth_, y, ld});
    return;
  }
  kernels::GemmArgs args{};
  args.lda = kernels::padded_depth(depth_);
  args.a = rows.codes + row * args.lda;
  args.rows = rows.scales + row * kernels::row_block_count(depth_);
  args.b = packed_->data();
  args.m = count;
  args.n = n_;
  args.k = depth_;
  args.panel_begin = begin / kernels::kPanelColumns;
  args.panel_end = kernels::panel_count(end);
  args.c = y - begin;  // kernels count columns from the first of the row; those before begin are not touched
  args.ldc = ld;
  kernels.gemm_u8s8(args);
}

// ---- all of them ----

/// Where the parts of own memory begin, in bytes.
struct RelativeAttention::Layout {
  std::size_t key_codes, key_scales, query_codes, query_scales, products, biases, bytes;
};

RelativeAttention::RelativeAttention(const graph::Graph& graph, const graph::Node& node,
                                     const Constants& constants, const Weights& weights,
                                     const KernelSet& kernels, int longest)
    : kernels_(kernels),
      is_int8_(graph::has(node, "format") && graph::text(node, "format") == "int8"),
      heads_(static_cast<int>(graph::integer(node, "heads"))),
      head_dim_(static_cast<int>(graph::integer(node, "head_dim"))),
      longest_(longest) {
  const graph::RelativeBuckets by = graph::relative_buckets(node);
  span_ = static_cast<int>(by.span());
  const int hidden = heads_ * head_dim_;
  const graph::RelativeInputs at = graph::relative_inputs(node);
  const graph::Value& value = graph.values[static_cast<std::size_t>(node.inputs[at.table])];
  const std::string source = weights.at(value.tensors.at(0)).label;
  const std::vector<float> table = table_of(node, constants, kernels, hidden);
  if (at.key_weight)
    add_products(projected(table, node, at.key_weight, constants, kernels, hidden), true, source, keys_);
  if (at.query_weight)
    add_products(projected(table, node, at.query_weight, constants, kernels, hidden), false, source,
                 queries_);
  // kernels::RelativeArgs: 15 entries behind the last can be read.
  for (int distance = 1 - longest; distance < longest + 15; ++distance) {
    key_columns_.push_back(2 * span_ - 1 - static_cast<int>(graph::relative_row(by, -distance)));
    query_columns_.push_back(static_cast<int>(graph::relative_row(by, distance)));
  }
}

void RelativeAttention::add_products(std::span<const float> rows, bool reversed, const std::string& source,
                                     std::vector<RelativeProduct>& out) {
  const int n = 2 * span_, hidden = heads_ * head_dim_;
  std::vector<float> part;
  for (int head = 0; head < heads_; ++head) {
    part.clear();
    for (int i = 0; i < n; ++i) {
      const auto from =
          rows.subspan(static_cast<std::size_t>(reversed ? n - 1 - i : i) * static_cast<std::size_t>(hidden) +
                           static_cast<std::size_t>(head * head_dim_),
                       static_cast<std::size_t>(head_dim_));
      part.insert(part.end(), from.begin(), from.end());
    }
    out.emplace_back(kernels_, is_int8_, part, n, head_dim_, source);
  }
}

std::size_t RelativeAttention::bytes() const {
  std::size_t total = 0;
  for (const RelativeProduct& product : keys_) total += product.bytes();
  for (const RelativeProduct& product : queries_) total += product.bytes();
  return total;
}

int RelativeAttention::most_rows(int length) {
  return std::clamp(kBiasFloats / length / 8 * 8, kLeastRows, kMostRows);
}

RelativeAttention::Layout RelativeAttention::layout(int length) const {
  const auto depth = static_cast<std::size_t>(kernels::padded_depth(head_dim_));
  const auto scales =
      sizeof(kernels::RowScale) * static_cast<std::size_t>(kernels::row_block_count(head_dim_));
  const auto keys = static_cast<std::size_t>(length);
  const auto columns = static_cast<std::size_t>(kernels::padded_columns(2 * span_));
  Layout at{};
  at.key_scales = at.key_codes + (is_int8_ ? keys * depth : 0);
  at.query_codes = at.key_scales + (is_int8_ ? round_up_64(keys * scales) : 0);
  at.query_scales = at.query_codes + kChunk * depth;
  at.products = at.query_scales + round_up_64(kChunk * scales);
  at.biases = at.products + (kChunk * columns + 16) * sizeof(float);
  at.bytes = at.biases + static_cast<std::size_t>(most_rows(length)) *
                             static_cast<std::size_t>(kernels::padded_columns(length)) * sizeof(float);
  return at;
}

/// The part before the biases grows with the length, and so do these until they have the least rows.
std::size_t RelativeAttention::own_bytes() const {
  const std::size_t most_biases =
      sizeof(float) * static_cast<std::size_t>(std::max(kBiasFloats + 16 * kMostRows,
                                                        kLeastRows * kernels::padded_columns(longest_)));
  return layout(longest_).biases + most_biases;
}

double RelativeAttention::macs_per_position() const {
  return static_cast<double>((keys_.size() + queries_.size()) * static_cast<std::size_t>(head_dim_));
}

void RelativeAttention::run(decltype(KernelSet::attention_f32) attention, AttentionArgs call, int head,
                            std::byte* own) const {
  begin(call, own);
  const int end = call.row_end, rows = most_rows(call.length);
  for (; call.row_begin < end; call.row_begin = call.row_end) {
    call.row_end = std::min(end, call.row_begin + rows);
    bias(call, head, own);
    attention(call);
  }
}

void RelativeAttention::begin(const AttentionArgs& call, std::byte* own) const {
  if (!is_int8_ || queries_.empty()) return;
  const Layout at = layout(call.length);
  kernels_.quantize_rows_u8(
      call.k, call.ldk, call.length, head_dim_, reinterpret_cast<std::uint8_t*>(own + at.key_codes),
      kernels::padded_depth(head_dim_), reinterpret_cast<kernels::RowScale*>(own + at.key_scales));
}

void RelativeAttention::bias(AttentionArgs& call, int head, std::byte* own) const {
  const Layout at = layout(call.length);
  call.ld_bias = kernels::padded_columns(call.length);
  call.bias = reinterpret_cast<const float*>(own + at.biases) - call.row_begin * call.ld_bias;
  if (!queries_.empty()) position_to_content(call, head, own);
  if (!keys_.empty()) content_to_position(call, head, own);
}

/// Writes k_j · query_r, for kChunk keys at a time: of their products only the columns that these rows read.
void RelativeAttention::position_to_content(const AttentionArgs& call, int head, std::byte* own) const {
  const Layout at = layout(call.length);
  const RelativeProduct& product = queries_[static_cast<std::size_t>(head)];
  const RelativeProduct::Rows rows{call.k, call.ldk,
                                   reinterpret_cast<const std::uint8_t*>(own + at.key_codes),
                                   reinterpret_cast<const kernels::RowScale*>(own + at.key_scales)};
  auto* products = reinterpret_cast<float*>(own + at.products);
  auto* biases = reinterpret_cast<float*>(own + at.biases);
  const std::int32_t* columns = query_columns_.data() + longest_ - 1;
  const int unit = product.column_unit();
  for (int key = 0; key < call.length; key += kChunk) {
    const int end = std::min(call.length, key + kChunk);
    const int first = columns[call.row_begin - (end - 1)] / unit * unit;
    const int last =
        std::min(product.columns(), kernels::round_up(columns[call.row_end - 1 - key] + 1, unit));
    product.run(kernels_, rows, key, end - key, first, last, products);
    const int rows_count = call.row_end - call.row_begin;
    kernels_.gather_relative({products - first, last - first, columns + call.row_begin - key, true, false,
                              rows_count, end - key, biases + key, call.ld_bias});
  }
}

/// Adds q_i · key_r, for kChunk queries at a time.
void RelativeAttention::content_to_position(const AttentionArgs& call, int head, std::byte* own) const {
  const Layout at = layout(call.length);
  const RelativeProduct& product = keys_[static_cast<std::size_t>(head)];
  auto* codes = reinterpret_cast<std::uint8_t*>(own + at.query_codes);
  auto* scales = reinterpret_cast<kernels::RowScale*>(own + at.query_scales);
  auto* products = reinterpret_cast<float*>(own + at.products);
  auto* biases = reinterpret_cast<float*>(own + at.biases);
  const std::int32_t* columns = key_columns_.data() + longest_ - 1;
  const int unit = product.column_unit();
  for (int row = call.row_begin; row < call.row_end; row += kChunk) {
    const int end = std::min(call.row_end, row + kChunk);
    const float* q = call.q + row * call.ldq;
    if (is_int8_)
      kernels_.quantize_rows_u8(q, call.ldq, end - row, head_dim_, codes, kernels::padded_depth(head_dim_),
                                scales);
    const int first = columns[-(end - 1)] / unit * unit;
    const int last = std::min(product.columns(), kernels::round_up(columns[call.length - 1 - row] + 1, unit));
    product.run(kernels_, {q, call.ldq, codes, scales}, 0, end - row, first, last, products);
    kernels_.gather_relative({products - first, last - first, columns - row, false, !queries_.empty(),
                              end - row, call.length, biases + (row - call.row_begin) * call.ld_bias,
                              call.ld_bias});
  }
}

}  // namespace nybble::runtime
