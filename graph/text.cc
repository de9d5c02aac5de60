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

std::string_view type_name(ElementType type) {
  if (type == ElementType::f32) return "f32";
  return type == ElementType::i32 ? "i32" : "u8_rows";
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

  [[noreturn]] void fail(const std::string& expected) const {
    const std::string_view rest = text_.substr(at_);
    throw Error(ErrorCode::bad_input,
                "graph text, line " + std::to_string(number_) + ", column " + std::to_string(at_ + 1) +
                    ": expected " + expected + ", found " +
                    (rest.empty() ? "the end of the line" : "'" + std::string(rest.substr(0, 20)) + "'"));
  }

  void skip_blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\r')) ++at_;
  }
  bool accept(std::string_view token) {
    skip_blanks();
    if (text_.substr(at_, token.size()) != token) return false;
    at_ += token.size();
    return true;
  }
  void expect(std::string_view token) {
    if (!accept(token)) fail("'" + std::string(token) + "'");
  }
  void expect_end() {
    skip_blanks();
    if (at_ != text_.size()) fail("the end of the line");
  }
  std::string word(const char* what) {
    skip_blanks();
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_word(text_[at_])) ++at_;
    if (at_ == begin) fail(what);
    return std::string(text_.substr(begin, at_ - begin));
  }
  std::string string() {
    expect("\"");
    std::string result;
    while (at_ < text_.size() && text_[at_] != '"') {
      if (text_[at_] != '\\') {
        result += text_[at_++];
        continue;
      }
      if (++at_ == text_.size()) break;
      result += text_[at_] == 'n' ? '\n' : text_[at_];
      ++at_;
    }
    expect("\"");
    return result;
  }
  template <class T>
  T value(const char* what) {
    skip_blanks();
    T result{};
    const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), result);
    if (error != std::errc()) fail(what);
    at_ = static_cast<std::size_t>(end - text_.data());
    return result;
  }
  Attribute attribute() {
    skip_blanks();
    if (at_ < text_.size() && text_[at_] == '"') return string();
    const std::size_t end = text_.find_first_of(",}", at_);
    const std::string_view literal = text_.substr(at_, end == std::string_view::npos ? end : end - at_);
    if (literal.find_first_of(".en") != std::string_view::npos) return value<double>("a number");
    return value<std::int64_t>("a number or a string");
  }

 private:
  static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
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
    verify(graph_);
    return std::move(graph_);
  }

 private:
  void parse_line(Line line) {
    line.skip_blanks();
    if (line.accept("#")) return;
    if (line.accept("graph ")) {
      graph_.name = line.word("a name");
    } else if (line.accept("input ")) {
      declare(line, ValueKind::input);
    } else if (line.accept("weight ")) {
      parse_weight(line);
    } else if (line.accept("output ")) {
      parse_output(line);
    } else if (line.accept("%")) {
      parse_node(line);
    }
    line.expect_end();
  }

  Value& declare(Line& line, ValueKind kind) {
    if (kind != ValueKind::result) line.expect("%");
    Value value;
    value.name = line.word("a value's name");
    value.kind = kind;
    line.expect(":");
    value.type = parse_type(line);
    line.expect("[");
    do value.shape.push_back(parse_extent(line));
    while (line.accept(","));
    line.expect("]");
    if (!ids_.emplace(value.name, static_cast<ValueId>(graph_.values.size())).second) {
      line.fail("a name that is not yet taken (%" + value.name + " is)");
    }
    return graph_.values.emplace_back(std::move(value));
  }

  static ElementType parse_type(Line& line) {
    for (const ElementType type : {ElementType::f32, ElementType::i32, ElementType::u8_rows}) {
      if (line.accept(type_name(type))) return type;
    }
    line.fail("a type (f32, i32, u8_rows)");
  }

  static Extent parse_extent(Line& line) {
    if (line.accept("tokens")) return Extent::tokens();
    if (line.accept("sequences")) return Extent::sequences();
    return Extent::of(line.value<std::int64_t>("an extent"));
  }

  void parse_weight(Line& line) {
    Value& value = declare(line, ValueKind::weight);
    line.expect("=");
    do value.tensors.push_back(line.string());
    while (line.accept(","));
  }

  ValueId reference(Line& line) {
    line.expect("%");
    const std::string name = line.word("a value's name");
    const auto found = ids_.find(name);
    if (found == ids_.end()) line.fail("a value declared above (%" + name + " is not)");
    return found->second;
  }

  void parse_node(Line& line) {
    const auto id = static_cast<ValueId>(graph_.values.size());
    declare(line, ValueKind::result);
    Node node;
    node.output = id;
    line.expect("=");
    node.op = op_of(line.word("an op"));
    line.expect("(");
    do node.inputs.push_back(reference(line));
    while (line.accept(","));
    line.expect(")");
    if (line.accept("{")) parse_attributes(line, node);
    graph_.nodes.push_back(std::move(node));
  }

  static void parse_attributes(Line& line, Node& node) {
    do {
      std::string name = line.word("an attribute");
      line.expect("=");
      node.attributes.insert_or_assign(std::move(name), line.attribute());
    } while (line.accept(","));
    line.expect("}");
  }

  void parse_output(Line& line) {
    std::string name = line.word("an output's name");
    line.expect("=");
    graph_.outputs.push_back({std::move(name), reference(line)});
  }

  Graph graph_;
  std::map<std::string, ValueId, std::less<>> ids_;
};

}  // namespace

std::string print_type(ElementType type, const Shape& shape) {
  std::string result = std::string(type_name(type)) + "[";
  for (std::size_t i = 0; i < shape.size(); ++i) result += (i ? "," : "") + print_extent(shape[i]);
  return result + "]";
}

std::string print(const Graph& graph) {
  std::string out = "graph " + graph.name + "\n";
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
