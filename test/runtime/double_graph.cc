#include "double_graph.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace nybble::test {
namespace {

using graph::Node;
using graph::Op;

class Interpreter {
 public:
  Interpreter(const graph::Graph& graph, const std::map<std::string, std::vector<float>>& weights,
              const DoubleInputs& inputs)
      : graph_(graph), inputs_(inputs), values_(graph.values.size()) {
    for (std::size_t i = 0; i < graph.values.size(); ++i) {
      if (graph.values[i].kind != graph::ValueKind::weight) continue;
      values_[i].columns = static_cast<std::size_t>(graph.values[i].shape.back().size);
      for (const std::string& tensor : graph.values[i].tensors) {
        const std::vector<float>& part = weights.at(tensor);
        values_[i].values.insert(values_[i].values.end(), part.begin(), part.end());
      }
    }
  }

  Rows run() {
    for (const Node& node : graph_.nodes) value(node.output) = result_of(node);
    return value(graph_.outputs.at(0).value);
  }

 private:
  Rows& value(graph::ValueId id) { return values_[static_cast<std::size_t>(id)]; }
  Rows& in(const Node& node, std::size_t i) { return value(node.inputs.at(i)); }

  Rows result_of(const Node& node) {
    switch (node.op) {
      case Op::embed_sum:
        return embed_sum(node);
      case Op::layernorm:
        return layernorm(node);
      case Op::linear:
        return linear(node);
      case Op::add_bias:
        return plus(in(node, 0), in(node, 1));
      case Op::add:
        return plus(in(node, 0), in(node, 1));
      case Op::activation:
        return activated(in(node, 0), graph::text(node, "kind"));
      case Op::attention:
        return attention(node);
      case Op::pool:
        return pool(node);
      case Op::gate:
        return gate(node);
      case Op::rotary:
        return rotary(node);
      case Op::concat:
        return concat(node);
      case Op::unfold:
        return unfold(node);
      case Op::copy:
        return in(node, 0);
      case Op::l2_normalize:
        return l2_normalize(in(node, 0));
      case Op::quantize_rows:
        break;
    }
    throw std::logic_error("not an op in double precision");
  }

  Rows embed_sum(const Node& node) {
    const std::size_t tables = node.inputs.size() / 2;
    Rows y{in(node, tables).columns, {}};
    for (std::size_t t = 0; t < inputs_.ids.size(); ++t) {
      for (std::size_t c = 0; c < y.columns; ++c) {
        double sum = 0;
        for (std::size_t i = 0; i < tables; ++i)
          sum += in(node, tables + i)[static_cast<std::size_t>(indices(node.inputs[i])[t])][c];
        y.values.push_back(sum);
      }
    }
    return y;
  }

  const std::vector<std::int32_t>& indices(graph::ValueId id) const {
    const std::string& name = graph_.values[static_cast<std::size_t>(id)].name;
    return name == "ids" ? inputs_.ids : name == "positions" ? inputs_.positions : inputs_.types;
  }

  static double gelu(double v) { return 0.5 * v * (1 + std::erf(v / std::sqrt(2.0))); }
  static double gelu_tanh(double v) {
    return 0.5 * v * (1 + std::tanh(std::sqrt(2 / M_PI) * (v + 0.044715 * v * v * v)));
  }

  Rows gate(const Node& node) {
    const Rows& x = in(node, 0);
    Rows y{x.columns / 2, {}};
    const bool up_first = graph::integer(node, "up_first") == 1;
    for (std::size_t r = 0; r < x.count(); ++r) {
      for (std::size_t c = 0; c < y.columns; ++c) {
        const double gate = x[r][c + (up_first ? y.columns : 0)], up = x[r][c + (up_first ? 0 : y.columns)];
        const std::string& kind = graph::text(node, "kind");
        y.values.push_back(up * (kind == "silu"       ? gate / (1 + std::exp(-gate))
                                 : kind == "gelu_erf" ? gelu(gate)
                                                      : gelu_tanh(gate)));
      }
    }
    return y;
  }

  Rows rotary(const Node& node) {
    Rows x = in(node, 0);
    const auto heads = static_cast<std::size_t>(graph::integer(node, "heads"));
    const auto size = static_cast<std::size_t>(graph::integer(node, "head_dim"));
    const auto dim = static_cast<std::size_t>(graph::integer(node, "rotary_dim"));
    const bool neighbours = graph::integer(node, "interleaved") == 1;
    const double factor = graph::has(node, "factor") ? graph::number(node, "factor") : 1;
    for (std::size_t r = 0; r < x.count(); ++r) {
      for (std::size_t i = 0; i < heads * dim / 2; ++i) {
        const std::size_t pair = i % (dim / 2), head = i / (dim / 2) * size;
        const double power = std::pow(graph::number(node, "theta"),
                                      2.0 * static_cast<double>(pair) / static_cast<double>(dim));
        const double angle = inputs_.positions[r] / power / factor;
        double& a = x[r][head + (neighbours ? 2 * pair : pair)];
        double& b = x[r][head + (neighbours ? 2 * pair + 1 : pair + dim / 2)];
        const double turned = a * std::cos(angle) - b * std::sin(angle);
        b = b * std::cos(angle) + a * std::sin(angle);
        a = turned;
      }
    }
    return x;
  }

  Rows concat(const Node& node) {
    Rows y;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) y.columns += in(node, i).columns;
    for (std::size_t r = 0; r < in(node, 0).count(); ++r) {
      for (std::size_t i = 0; i < node.inputs.size(); ++i)
        y.values.insert(y.values.end(), in(node, i)[r], in(node, i)[r] + in(node, i).columns);
    }
    return y;
  }

  /// `y` has as many rows as `x`, or one for all of them.
  static Rows plus(const Rows& x, const Rows& y) {
    Rows sum = x;
    for (std::size_t i = 0; i < sum.values.size(); ++i) sum.values[i] += y.values[i % y.values.size()];
    return sum;
  }

  Rows layernorm(const Node& node) {
    const bool residual = graph::has_residual(graph_, node);
    Rows y = residual ? plus(in(node, 0), in(node, 1)) : in(node, 0);
    const double* gamma = in(node, residual ? 2 : 1)[0];
    const std::size_t beta_at = residual ? 3 : 2;
    const std::vector<double> zeros(y.columns);
    const double* beta = node.inputs.size() > beta_at ? in(node, beta_at)[0] : zeros.data();
    return normalized(y, graph::number(node, "epsilon"), gamma, beta);
  }

  static Rows normalized(Rows y, double epsilon, const double* gamma, const double* beta) {
    for (std::size_t r = 0; r < y.count(); ++r) {
      double mean = 0, variance = 0;
      for (std::size_t c = 0; c < y.columns; ++c) mean += y[r][c] / static_cast<double>(y.columns);
      for (std::size_t c = 0; c < y.columns; ++c)
        variance += std::pow(y[r][c] - mean, 2) / static_cast<double>(y.columns);
      const double scale = 1 / std::sqrt(variance + epsilon);
      for (std::size_t c = 0; c < y.columns; ++c) y[r][c] = (y[r][c] - mean) * scale * gamma[c] + beta[c];
    }
    return y;
  }

  static Rows product(const Rows& x, const Rows& w) {
    Rows y{w.count(), {}};
    for (std::size_t r = 0; r < x.count(); ++r) {
      for (std::size_t n = 0; n < w.count(); ++n) y.values.push_back(dot(x[r], w[n], x.columns));
    }
    return y;
  }

  Rows linear(const Node& node) {
    Rows y = product(in(node, 0), in(node, 1));
    if (node.inputs.size() == 3) y = plus(y, in(node, 2));
    return graph::has(node, "activation") ? activated(y, graph::text(node, "activation")) : y;
  }

  static Rows activated(Rows x, const std::string& kind) {
    for (double& v : x.values) {
      if (kind == "relu") {
        v = std::max(v, 0.0);
      } else if (kind == "gelu_tanh") {
        v = gelu_tanh(v);
      } else if (kind == "silu") {
        v = v / (1 + std::exp(-v));
      } else if (kind == "sigmoid") {
        v = 1 / (1 + std::exp(-v));
      } else if (kind == "tanh") {
        v = std::tanh(v);
      } else {
        v = gelu(v);
      }
    }
    return x;
  }

  /// What attention adds to the score of a key so far behind the query, by the definitions of T5 and ALiBi;
  /// -infinity where the window ends.
  double bias(const Node& node, std::size_t head, long distance) {
    const long window = graph::integer(node, "window"), away = std::labs(distance);
    if (window > 0 && away > window) return -INFINITY;
    const std::string& position = graph::text(node, "position");
    if (position == "none" || position == "disentangled") return 0;
    const auto heads = static_cast<double>(graph::integer(node, "heads"));
    if (position == "alibi")
      return -std::exp2(-8 / heads * static_cast<double>(head + 1)) * static_cast<double>(away);
    const Rows& table = in(node, node.inputs.size() - 1);
    const long half = static_cast<long>(table.count()) / 2, exact = half / 2;
    const double log_place =
        std::log(static_cast<double>(away) / static_cast<double>(exact)) /
        std::log(static_cast<double>(graph::integer(node, "max_distance")) / static_cast<double>(exact)) *
        static_cast<double>(half - exact);
    const long place = away < exact ? away : std::min(half - 1, exact + static_cast<long>(log_place + 1e-6));
    return table[static_cast<std::size_t>((distance > 0 ? half : 0) + place)][head];
  }

  /// The row of the table for a distance query - key, by DeBERTa's definition.
  static std::size_t relative_row(const Node& node, long distance) {
    const long buckets = graph::integer(node, "buckets"), most = graph::integer(node, "max_distance");
    const long span = buckets > 0 ? buckets : most, middle = buckets / 2, away = std::labs(distance);
    long place = away;
    if (buckets > 0 && away > middle) {
      const double share = std::log(static_cast<double>(away) / static_cast<double>(middle)) /
                           std::log(static_cast<double>(most - 1) / static_cast<double>(middle));
      place = middle + static_cast<long>(std::ceil(share * static_cast<double>(middle - 1) - 1e-9));
    }
    return static_cast<std::size_t>(std::clamp((distance < 0 ? -place : place) + span, 0L, 2 * span - 1));
  }

  static double dot(const double* a, const double* b, std::size_t n) {
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i) sum += a[i] * b[i];
    return sum;
  }

  /// The table of a disentangled attention as the keys, and as the queries, that it has; none: no rows.
  struct RelativeRows {
    Rows keys, queries;
  };
  RelativeRows relative_rows(const Node& node) {
    RelativeRows result;
    if (graph::text(node, "position") != "disentangled") return result;
    std::size_t at = node.inputs.size() - graph::position_inputs(node);
    Rows table = in(node, at++);
    if (graph::has(node, "norm_epsilon")) {
      table = normalized(table, graph::number(node, "norm_epsilon"), in(node, at)[0], in(node, at + 1)[0]);
      at += 2;
    }
    for (const char* term : {"c2p", "p2c"}) {
      if (graph::integer(node, term) == 0) continue;
      Rows& rows = term[0] == 'c' ? result.keys : result.queries;
      rows = plus(product(table, in(node, at)), in(node, at + 1));
      at += 2;
    }
    return result;
  }

  Rows unfold(const Node& node) {
    const Rows& x = in(node, 0);
    const long kernel = graph::integer(node, "kernel");
    Rows y{x.columns * static_cast<std::size_t>(kernel), {}};
    for (std::size_t s = 0; s + 1 < inputs_.cu_seqlens.size(); ++s) {
      for (long r = inputs_.cu_seqlens[s]; r < inputs_.cu_seqlens[s + 1]; ++r) {
        for (std::size_t c = 0; c < x.columns; ++c) {
          for (long other = r - kernel / 2; other <= r + kernel / 2; ++other) {
            const bool is_inside = other >= inputs_.cu_seqlens[s] && other < inputs_.cu_seqlens[s + 1];
            y.values.push_back(is_inside ? x[static_cast<std::size_t>(other)][c] : 0);
          }
        }
      }
    }
    return y;
  }

  Rows attention(const Node& node) {
    const std::size_t inputs = node.inputs.size() - graph::position_inputs(node);
    const RelativeRows relative = relative_rows(node);
    const bool first = graph::has(node, "queries") && graph::text(node, "queries") == "first";
    const auto heads = static_cast<std::size_t>(graph::integer(node, "heads"));
    const auto size = static_cast<std::size_t>(graph::integer(node, "head_dim"));
    const std::size_t hidden = heads * size;
    const Rows &q = in(node, 0), &k = in(node, std::min<std::size_t>(1, inputs - 1)),
               &v = in(node, inputs - 1);
    const std::size_t k_column = inputs == 1 ? hidden : 0, v_column = (3 - inputs) * hidden;
    Rows y{hidden, std::vector<double>((first ? inputs_.cu_seqlens.size() - 1 : q.count()) * hidden)};
    for (std::size_t s = 0; s + 1 < inputs_.cu_seqlens.size(); ++s) {
      const auto begin = static_cast<std::size_t>(inputs_.cu_seqlens[s]);
      const auto end = static_cast<std::size_t>(inputs_.cu_seqlens[s + 1]);
      for (std::size_t h = 0; h < heads; ++h) {
        for (std::size_t r = begin; r < (first ? begin + 1 : end); ++r) {
          const std::size_t q_row = first && inputs > 1 ? s : r, y_row = first ? s : r;
          std::vector<double> p;
          double sum = 0;
          for (std::size_t key = begin; key < end; ++key) {
            const double *query = q[q_row] + h * size, *key_row = k[key] + k_column + h * size;
            double score = dot(query, key_row, size);
            if (graph::text(node, "position") == "disentangled") {
              const std::size_t row = relative_row(node, static_cast<long>(r) - static_cast<long>(key));
              if (relative.keys.columns) score += dot(query, relative.keys[row] + h * size, size);
              if (relative.queries.columns) score += dot(key_row, relative.queries[row] + h * size, size);
            }
            const double at = bias(node, h, static_cast<long>(key) - static_cast<long>(r));
            p.push_back(std::exp(score * graph::number(node, "scale") + at));
            sum += p.back();
          }
          for (std::size_t key = begin; key < end; ++key) {
            for (std::size_t c = 0; c < size; ++c)
              y[y_row][h * size + c] += p[key - begin] / sum * v[key][v_column + h * size + c];
          }
        }
      }
    }
    return y;
  }

  Rows pool(const Node& node) {
    const Rows& x = in(node, 0);
    const std::string& mode = graph::text(node, "mode");
    Rows y{x.columns, {}};
    for (std::size_t s = 0; s + 1 < inputs_.cu_seqlens.size(); ++s) {
      auto begin = static_cast<std::size_t>(inputs_.cu_seqlens[s]);
      auto end = static_cast<std::size_t>(inputs_.cu_seqlens[s + 1]);
      if (mode == "cls") end = begin + 1;
      if (mode == "last") begin = end - 1;
      for (std::size_t c = 0; c < x.columns; ++c) {
        double sum = 0, most = x[begin][c];
        for (std::size_t r = begin; r < end; ++r) {
          sum += x[r][c];
          most = std::max(most, x[r][c]);
        }
        y.values.push_back(mode == "max" ? most : sum / static_cast<double>(end - begin));
      }
    }
    return y;
  }

  static Rows l2_normalize(Rows x) {
    for (std::size_t r = 0; r < x.count(); ++r) {
      double sum = 0;
      for (std::size_t c = 0; c < x.columns; ++c) sum += x[r][c] * x[r][c];
      for (std::size_t c = 0; c < x.columns; ++c) x[r][c] /= std::max(std::sqrt(sum), 1e-12);
    }
    return x;
  }

  const graph::Graph& graph_;
  const DoubleInputs& inputs_;
  std::vector<Rows> values_;
};

}  // namespace

Rows run_in_double(const graph::Graph& graph, const std::map<std::string, std::vector<float>>& weights,
                   const DoubleInputs& inputs) {
  return Interpreter(graph, weights, inputs).run();
}

}  // namespace nybble::test
