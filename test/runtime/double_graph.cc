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
      case Op::l2_normalize:
        return l2_normalize(in(node, 0));
      case Op::quantize_rows:
        break;
    }
    throw std::logic_error("not an op in double precision");
  }

  Rows embed_sum(const Node& node) {
    Rows y{in(node, 3).columns, {}};
    for (std::size_t t = 0; t < inputs_.ids.size(); ++t) {
      for (std::size_t c = 0; c < y.columns; ++c) {
        y.values.push_back(in(node, 3)[static_cast<std::size_t>(inputs_.ids[t])][c] +
                           in(node, 4)[static_cast<std::size_t>(inputs_.positions[t])][c] +
                           in(node, 5)[static_cast<std::size_t>(inputs_.types[t])][c]);
      }
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
    const bool residual = node.inputs.size() == 4;
    Rows y = residual ? plus(in(node, 0), in(node, 1)) : in(node, 0);
    const double* gamma = in(node, residual ? 2 : 1)[0];
    const double* beta = in(node, residual ? 3 : 2)[0];
    for (std::size_t r = 0; r < y.count(); ++r) {
      double mean = 0, variance = 0;
      for (std::size_t c = 0; c < y.columns; ++c) mean += y[r][c] / static_cast<double>(y.columns);
      for (std::size_t c = 0; c < y.columns; ++c)
        variance += std::pow(y[r][c] - mean, 2) / static_cast<double>(y.columns);
      const double scale = 1 / std::sqrt(variance + graph::number(node, "epsilon"));
      for (std::size_t c = 0; c < y.columns; ++c) y[r][c] = (y[r][c] - mean) * scale * gamma[c] + beta[c];
    }
    return y;
  }

  Rows linear(const Node& node) {
    const Rows &x = in(node, 0), &w = in(node, 1);
    Rows y{w.count(), {}};
    for (std::size_t r = 0; r < x.count(); ++r) {
      for (std::size_t n = 0; n < w.count(); ++n) {
        double sum = node.inputs.size() == 3 ? in(node, 2)[0][n] : 0;
        for (std::size_t k = 0; k < x.columns; ++k) sum += x[r][k] * w[n][k];
        y.values.push_back(sum);
      }
    }
    return graph::has(node, "activation") ? activated(y, graph::text(node, "activation")) : y;
  }

  static Rows activated(Rows x, const std::string& kind) {
    for (double& v : x.values) {
      if (kind == "relu") {
        v = std::max(v, 0.0);
      } else if (kind == "gelu_tanh") {
        v = 0.5 * v * (1 + std::tanh(std::sqrt(2 / M_PI) * (v + 0.044715 * v * v * v)));
      } else {
        v = 0.5 * v * (1 + std::erf(v / std::sqrt(2.0)));
      }
    }
    return x;
  }

  Rows attention(const Node& node) {
    const std::size_t inputs = node.inputs.size();
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
            double dot = 0;
            for (std::size_t c = 0; c < size; ++c)
              dot += q[q_row][h * size + c] * k[key][k_column + h * size + c];
            p.push_back(std::exp(dot * graph::number(node, "scale")));
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
    Rows y{x.columns, {}};
    for (std::size_t s = 0; s + 1 < inputs_.cu_seqlens.size(); ++s) {
      const auto begin = static_cast<std::size_t>(inputs_.cu_seqlens[s]);
      const std::size_t end = graph::text(node, "mode") == "cls"
                                  ? begin + 1
                                  : static_cast<std::size_t>(inputs_.cu_seqlens[s + 1]);
      for (std::size_t c = 0; c < x.columns; ++c) {
        double sum = 0;
        for (std::size_t r = begin; r < end; ++r) sum += x[r][c];
        y.values.push_back(sum / static_cast<double>(end - begin));
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
