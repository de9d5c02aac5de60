#include "graph/text.h"

#include <charconv>
#include <map>

#include "graph/verify.h"
#include "nybble/error.h"

namespace nybble::graph {
namespace {

// ---- printing ----

std::string print_extent(const Extent& extent) {
  if (extent.kind == Extent::Kind::tokens) return "tokens";
  if (extent.kind == Extent::Kind::sequences) return "sequences";
  return std::to_string(extent.size);
}

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    if (c == '\n') {
      result += "\\n";
    } else {
      result += c;
    }
  }
  return result + '"';
}

std::string print_attribute(const Attribute& attribute) {
  if (const auto* value = std::get_if<std::int64_t>(&attribute)) return std::to_string(*value);
  if (const auto* value = std::get_if<std::string>(&attribute)) return quoted(*value);
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, std::get<double>(attribute)).ptr;
  std::string result(buffer, end);
  // A double always looks like one, so that parsing gives the same type back.
  if (result.find_first_of(".en") == std::string::npos) result += ".0";
  return result;
}

std::string print_attributes(const Attributes& attributes) {
  std::string result;
  for (const auto& [name, value] : attributes) {
    result += (result.empty() ? " {" : ", ") + name + " = " + print_attribute(value);
  }
  return result.empty() ? result : result + "}";
}

std::string declaration(const Value& value) {
  return "%" + value.name + " : " + print_type(value.type, value.shape);
}

void print_weight(const Value& value, std::string& out) {
  out += "weight " + declaration(value) + " =";
  for (std::size_t i = 0; i < value.tensors.size(); ++i) out += (i ? ", " : " ") + quoted(value.tensors[i]);
  out += '\n';
}

void print_node(const Graph& graph, const Node& node, std::string& out) {
  out += declaration(graph.values[static_cast<std::size_t>(node.output)]) + " = " +
         std::string(op_name(node.op)) + "(";
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    out += (i ? ", %" : "%") + graph.values[static_cast<std::size_t>(node.inputs[i])].name;
  }
  out += ")" + print_attributes(node.attributes) + "\n";
}

// ---- parsing ----

/// Reads one line from left to right.
class Line {
 public:
  Line(std::string_view text, std::size_t number) : text_(text), number_(number) {}

  /// Fails with `problem` as the rest of the sentence, at the place `at`.
  [[noreturn]] void fail_at(std::size_t at, const std::string& problem) const {
    throw Error(ErrorCode::bad_input, "graph text, line " + std::to_string(number_) + ", column " +
                                          std::to_string(at + 1) + ": " + problem.substr(0, kMostTold));
  }
  [[noreturn]] void expected_at(std::size_t at, const std::string& what) const {
    const std::string_view rest = text_.substr(at);
    fail_at(at, "expected " + what + ", found " +
                    (rest.empty() ? "the end of the line" : "'" + std::string(rest.substr(0, 20)) + "'"));
  }
  [[noreturn]] void expected(const std::string& what) const { expected_at(at_, what); }

  /// Where the next token begins.
  std::size_t at() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\r')) ++at_;
    return at_;
  }
  bool at_end() { return at() == text_.size(); }
  bool accept(std::string_view token) {
    if (text_.substr(at(), token.size()) != token) return false;
    at_ += token.size();
    return true;
  }
  void expect(std::string_view token) {
    if (!accept(token)) expected("'" + std::string(token) + "'");
  }
  void expect_end() {
    if (!at_end()) expected("the end of the line");
  }
  std::string name(const char* what) {
    const std::size_t begin = at();
    while (at_ < text_.size() && is_name(text_.substr(at_, 1))) ++at_;
    if (at_ == begin) expected(what);
    return std::string(text_.substr(begin, at_ - begin));
  }
  std::string string() {
    expect("\"");
    std::string result;
    while (at_ < text_.size() && text_[at_] != '"') result += character();
    if (at_ == text_.size()) expected("'\"'");
    ++at_;
    return result;
  }
  template <class T>
  T value(const char* what) {
    T result{};
    const auto [end, error] = std::from_chars(text_.data() + at(), text_.data() + text_.size(), result);
    if (error != std::errc()) expected(what);
    at_ = static_cast<std::size_t>(end - text_.data());
    return result;
  }
  Attribute attribute() {
    if (text_.substr(at(), 1) == "\"") return string();
    const std::size_t end = text_.find_first_of(",}", at_);
    const std::string_view literal = text_.substr(at_, end == std::string_view::npos ? end : end - at_);
    if (literal.find_first_of(".en") != std::string_view::npos) return value<double>("a number");
    return value<std::int64_t>("an integer, a number or a string");
  }

 private:
  /// One character of a string, whose escapes are those that quoted() writes.
  char character() {
    const char c = text_[at_++];
    if (c != '\\') return c;
    const char escaped = at_ < text_.size() ? text_[at_] : '\0';
    if (escaped != 'n' && escaped != '"' && escaped != '\\') expected("'n', '\"' or '\\' after '\\'");
    ++at_;
    return escaped == 'n' ? '\n' : escaped;
  }

  std::string_view text_;
  std::size_t number_;
  std::size_t at_ = 0;
};

class Parser {
 public:
  Graph parse(std::string_view text) {
    std::size_t number = 0;
    while (!text.empty()) {
      const std::size_t end = text.find('\n');
      parse_line(Line(text.substr(0, end), ++number));
      text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    // What is still wrong is wrong with the whole, so the place is the end of the text.
    checked(Line({}, number + 1), 0, [this] { verify(graph_); });
    return std::move(graph_);
  }

 private:
  void parse_line(Line line) {
    if (line.at_end() || line.accept("#")) return;
    if (line.accept("graph ")) {
      graph_.name = line.name("the graph's name");
    } else if (line.accept("input ")) {
      line.expect("%");
      declare(line, ValueKind::input);
    } else if (line.accept("weight ")) {
      parse_weight(line);
    } else if (line.accept("output ")) {
      parse_output(line);
    } else if (line.accept("%")) {
      parse_node(line);
    } else {
      line.expected("'graph ', 'input ', 'weight ', 'output ', '%' or '#'");
    }
    line.expect_end();
    // A value can be read from the line after its own.
    if (ids_.size() < graph_.values.size()) {
      ids_.emplace(graph_.values.back().name, static_cast<ValueId>(ids_.size()));
    }
  }

  Value& declare(Line& line, ValueKind kind) {
    Value value;
    const std::size_t begin = line.at();
    value.name = line.name("a value's name");
    value.kind = kind;
    if (ids_.contains(value.name)) line.expected_at(begin, "a name that is not yet taken");
    line.expect(":");
    value.type = parse_type(line);
    value.shape = parse_shape(line);
    return graph_.values.emplace_back(std::move(value));
  }

  static ElementType parse_type(Line& line) {
    for (const ElementType type :
         {ElementType::f32_u8_rows, ElementType::f32, ElementType::i32, ElementType::u8_rows}) {
      if (line.accept(type_name(type))) return type;
    }
    line.expected("a type (f32, i32, u8_rows, f32_u8_rows)");
  }

  static Shape parse_shape(Line& line) {
    Shape shape;
    line.expect("[");
    if (line.accept("]")) return shape;
    do shape.push_back(parse_extent(line));
    while (line.accept(","));
    line.expect("]");
    return shape;
  }

  static Extent parse_extent(Line& line) {
    if (line.accept("tokens")) return Extent::tokens();
    if (line.accept("sequences")) return Extent::sequences();
    const std::size_t begin = line.at();
    const auto size = line.value<std::int64_t>("an extent");
    if (size < 1 || size > kMaxExtent) {
      line.expected_at(begin, "an extent from 1 to " + std::to_string(kMaxExtent));
    }
    return Extent::of(size);
  }

  void parse_weight(Line& line) {
    line.expect("%");
    Value& value = declare(line, ValueKind::weight);
    line.expect("=");
    do value.tensors.push_back(line.string());
    while (line.accept(","));
  }

  ValueId reference(Line& line) {
    line.expect("%");
    const std::size_t begin = line.at();
    const auto found = ids_.find(line.name("a value's name"));
    if (found == ids_.end()) line.expected_at(begin, "a value declared above");
    return found->second;
  }

  void parse_node(Line& line) {
    const std::size_t begin = line.at();
    Node node;
    node.output = static_cast<ValueId>(graph_.values.size());
    declare(line, ValueKind::result);
    line.expect("=");
    const std::size_t op_at = line.at();
    const std::string op = line.name("an op");
    checked(line, op_at, [&] { node.op = op_of(op); });
    line.expect("(");
    do node.inputs.push_back(reference(line));
    while (line.accept(","));
    line.expect(")");
    if (line.accept("{")) parse_attributes(line, node);
    checked(line, begin, [&] { check_result(node); });
    graph_.nodes.push_back(std::move(node));
  }

  void check_result(const Node& node) const {
    const ResultType type = infer_result(graph_, node);
    const Value& result = graph_.values[static_cast<std::size_t>(node.output)];
    if (result.type == type.type && result.shape == type.shape) return;
    throw Error(ErrorCode::bad_input, "%" + result.name + " must be " + print_type(type.type, type.shape) +
                                          ", found " + print_type(result.type, result.shape));
  }

  static void parse_attributes(Line& line, Node& node) {
    do {
      const std::size_t begin = line.at();
      std::string name = line.name("an attribute");
      if (has(node, name)) line.expected_at(begin, "an attribute that is not yet given");
      line.expect("=");
      node.attributes.emplace(std::move(name), line.attribute());
    } while (line.accept(","));
    line.expect("}");
  }

  void parse_output(Line& line) {
    std::string name = line.name("an output's name");
    line.expect("=");
    graph_.outputs.push_back({std::move(name), reference(line)});
  }

  /// Runs a check that knows no text and adds the place to its error.
  template <class Check>
  static void checked(const Line& line, std::size_t at, Check check) {
    try {
      check();
    } catch (const Error& error) {
      line.fail_at(at, error.what());
    }
  }

  Graph graph_;
  std::map<std::string, ValueId, std::less<>> ids_;
};

}  // namespace

std::string_view type_name(ElementType type) {
  if (type == ElementType::f32) return "f32";
  if (type == ElementType::f32_u8_rows) return kRowsAndCodes;
  return type == ElementType::i32 ? "i32" : "u8_rows";
}

std::string print_type(ElementType type, const Shape& shape) {
  std::string result = std::string(type_name(type)) + "[";
  for (std::size_t i = 0; i < shape.size(); ++i) result += (i ? "," : "") + print_extent(shape[i]);
  return result + "]";
}

std::string print(const Graph& graph) {
  std::string out = graph.name.empty() ? "" : "graph " + graph.name + "\n";
  for (const Value& value : graph.values) {
    if (value.kind == ValueKind::input) out += "input " + declaration(value) + "\n";
  }
  for (const Value& value : graph.values) {
    if (value.kind == ValueKind::weight) print_weight(value, out);
  }
  for (const Node& node : graph.nodes) print_node(graph, node, out);
  for (const GraphOutput& output : graph.outputs) {
    out +=
        "output " + output.name + " = %" + graph.values[static_cast<std::size_t>(output.value)].name + "\n";
  }
  return out;
}

Graph parse(std::string_view text) { return Parser().parse(text); }

}  // namespace nybble::graph
