#include "graph/text.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <random>

#include "graph/verify.h"
#include "random_graph.h"
#include "throws.h"

using namespace nybble::graph;
using nybble::ErrorCode;
using nybble::graph::test::random_graph;
using nybble::graph::test::renumbered;
using nybble::graph::test::sentence_of;

namespace {

/// A graph whose first node has the attribute `value`.
Graph graph_with(Attribute value) {
  Graph graph;
  const ValueId x = add_input(graph, "x", ElementType::f32, {Extent::tokens(), Extent::of(4)});
  graph.outputs.push_back({"y", add_node(graph, Op::l2_normalize, "y", {x}, {{"a", std::move(value)}})});
  return graph;
}

const Attribute& attribute_of(const Graph& graph) { return graph.nodes.at(0).attributes.at("a"); }

std::string parse_error(const std::string& text) {
  return sentence_of(ErrorCode::bad_input, [&] { parse(text); });
}

}  // namespace

TEST_CASE("Printing and parsing are inverse on random graphs") {
  const auto seed = std::random_device{}();
  for (std::uint32_t i = 0; i < 300; ++i) {
    INFO("seed " << seed + i);
    const Graph graph = random_graph(seed + i, static_cast<int>(i % 60));
    REQUIRE_NOTHROW(verify(graph));
    const std::string text = print(graph);
    INFO(text);
    const Graph parsed = parse(text);
    REQUIRE(parsed == renumbered(graph));
    REQUIRE(print(parsed) == text);
  }
}

TEST_CASE("A graph built in the order of its text comes back equal") {
  const Graph graph = graph_with(std::int64_t{1});
  REQUIRE(parse(print(graph)) == graph);
}

TEST_CASE("A number attribute keeps its bits") {
  const double number =
      GENERATE(1e-12, 0.17677669529663687, 0.0, -0.0, 1.0, -3.0, 1e22, 1e300, 5e-324, 1.7976931348623157e308);
  const Graph parsed = parse(print(graph_with(number)));
  const double* found = std::get_if<double>(&attribute_of(parsed));
  REQUIRE(found != nullptr);
  REQUIRE(*found == number);
  REQUIRE(std::signbit(*found) == std::signbit(number));
}

TEST_CASE("An integer attribute stays an integer") {
  const std::int64_t integer = GENERATE(std::int64_t{0}, std::int64_t{-1}, INT64_MIN, INT64_MAX);
  REQUIRE(attribute_of(parse(print(graph_with(integer)))) == Attribute(integer));
}

TEST_CASE("A string attribute keeps quotes, backslashes and line ends") {
  const std::string string = GENERATE(as<std::string>(), "", "plain", "\"", "\\", "\n", "\\n",
                                      "a\"b\\c\nd\re\t", "1", "1.5", ", b = 2}", "ö");
  REQUIRE(attribute_of(parse(print(graph_with(string)))) == Attribute(string));
}

TEST_CASE("The text form is the one in the manual") {
  const std::string text =
      "graph bert\n"
      "input %x : f32[tokens,4]\n"
      "weight %w : f32[6,4] = \"a.weight\", \"b \\\"quoted\\\"\"\n"
      "%y : f32[tokens,6] = linear(%x, %w) {activation = \"relu\", note = -2, scale = 1e-12, whole = 3.0}\n"
      "%p : f32[sequences,6] = pool(%y) {mode = \"mean\"}\n"
      "output embedding = %p\n";
  REQUIRE(print(parse(text)) == text);
}

TEST_CASE("Blanks, blank lines, comments, CRLF and a missing last line end are passed over") {
  const std::string text =
      "\n  # a comment\n\tgraph  g\r\n \t \ninput   % x:f32 [ tokens , 4 ]\n"
      "%y:f32[tokens,4]=l2_normalize( %x ){ a=1 ,b = \"s\" }\r\noutput o=%y";
  REQUIRE(print(parse(text)) ==
          "graph g\ninput %x : f32[tokens,4]\n%y : f32[tokens,4] = l2_normalize(%x) {a = 1, b = \"s\"}\n"
          "output o = %y\n");
}

TEST_CASE("A value without extents prints and parses") {
  Graph graph = graph_with(std::int64_t{1});
  add_input(graph, "scalar", ElementType::i32, {});
  REQUIRE(print(graph).find("input %scalar : i32[]\n") != std::string::npos);
  REQUIRE(parse(print(graph)) == renumbered(graph));
}

TEST_CASE("A parse error names line, column, what was expected and what was found") {
  const std::string head = "graph g\ninput %x : f32[tokens,4]\nweight %w : f32[4,4] = \"t\"\n";
  struct Case {
    std::string text, sentence;
  };
  const auto c = GENERATE_COPY(values<Case>({
      {"grph g\n",
       "line 1, column 1: expected 'graph ', 'input ', 'weight ', 'output ', '%' or '#', found 'grph g'"},
      {"graph \n", "line 1, column 7: expected the graph's name, found the end of the line"},
      {"graph a b\n", "line 1, column 9: expected the end of the line, found 'b'"},
      {"\n\n  input x : f32[4]\n", "line 3, column 9: expected '%', found 'x : f32[4]'"},
      {"input %\n", "line 1, column 8: expected a value's name, found the end of the line"},
      {"input %x f32[4]\n", "line 1, column 10: expected ':', found 'f32[4]'"},
      {"input %x : f64[4]\n",
       "line 1, column 12: expected a type (f32, i32, u8_rows, f32_u8_rows), found 'f64[4]'"},
      {"input %x : f32(4)\n", "line 1, column 15: expected '[', found '(4)'"},
      {"input %x : f32[4,]\n", "line 1, column 18: expected an extent, found ']'"},
      {"input %x : f32[batch]\n", "line 1, column 16: expected an extent, found 'batch]'"},
      {"input %x : f32[0]\n", "line 1, column 16: expected an extent from 1 to 2147483647, found '0]'"},
      {"input %x : f32[-4]\n", "line 1, column 16: expected an extent from 1 to 2147483647, found '-4]'"},
      {"input %x : f32[2147483648]\n",
       "line 1, column 16: expected an extent from 1 to 2147483647, found '2147483648]'"},
      {"input %x : f32[99999999999999999999]\n",
       "line 1, column 16: expected an extent, found '99999999999999999999'"},
      {"input %x : f32[4\n", "line 1, column 17: expected ']', found the end of the line"},
      {head + "input %x : f32[4]\n",
       "line 4, column 8: expected a name that is not yet taken, found 'x : f32[4]'"},
      {head + "weight %v : f32[4]\n", "line 4, column 19: expected '=', found the end of the line"},
      {head + "weight %v : f32[4] = t\n", "line 4, column 22: expected '\"', found 't'"},
      {head + "weight %v : f32[4] = \"t\n", "line 4, column 24: expected '\"', found the end of the line"},
      {head + "weight %v : f32[4] = \"t\\\n",
       "line 4, column 25: expected 'n', '\"' or '\\' after '\\', found the end of the line"},
      {head + "weight %v : f32[4] = \"t\\x\"\n",
       "line 4, column 25: expected 'n', '\"' or '\\' after '\\', found 'x\"'"},
      {head + "weight %v : f32[4] = \"t\",\n", "line 4, column 26: expected '\"', found the end of the line"},
      {head + "%y : f32[tokens,4] = lineer(%x, %w)\n", "line 4, column 22: graph: there is no op 'lineer'"},
      {head + "%y : f32[tokens,4] = linear %x\n", "line 4, column 29: expected '(', found '%x'"},
      {head + "%y : f32[tokens,4] = linear()\n", "line 4, column 29: expected '%', found ')'"},
      {head + "%y : f32[tokens,4] = linear(%x, %v)\n",
       "line 4, column 34: expected a value declared above, found 'v)'"},
      {head + "%y : f32[tokens,4] = l2_normalize(%y)\n",
       "line 4, column 36: expected a value declared above, found 'y)'"},
      {head + "%y : f32[tokens,4] = l2_normalize(%x\n",
       "line 4, column 37: expected ')', found the end of the line"},
      {head + "%y : f32[tokens,4] = l2_normalize(%x) {}\n",
       "line 4, column 40: expected an attribute, found '}'"},
      {head + "%y : f32[tokens,4] = l2_normalize(%x) {a}\n", "line 4, column 41: expected '=', found '}'"},
      {head + "%y : f32[tokens,4] = l2_normalize(%x) {a = b}\n",
       "line 4, column 44: expected an integer, a number or a string, found 'b}'"},
      {head + "%y : f32[tokens,4] = l2_normalize(%x) {a = 1e999}\n",
       "line 4, column 44: expected a number, found '1e999}'"},
      {head + "%y : f32[tokens,4] = l2_normalize(%x) {a = 9223372036854775808}\n",
       "line 4, column 44: expected an integer, a number or a string, found '9223372036854775808}'"},
      {head + "%y : f32[tokens,4] = l2_normalize(%x) {a = 1, a = 2}\n",
       "line 4, column 47: expected an attribute that is not yet given, found 'a = 2}'"},
      {head + "%y : f32[tokens,4] = l2_normalize(%x) {a = 1\n",
       "line 4, column 45: expected '}', found the end of the line"},
      {head + "%y : f32[tokens,4] = linear(%x)\n",
       "line 4, column 2: graph: linear takes 2 or 3 inputs, found 1"},
      {head + "%y : f32[tokens,5] = linear(%x, %w)\n",
       "line 4, column 2: %y must be f32[tokens,4], found f32[tokens,5]"},
      {head + "output o %x\n", "line 4, column 10: expected '=', found '%x'"},
      {head + "output = %x\n", "line 4, column 8: expected an output's name, found '= %x'"},
      {head + "output o = %y\n", "line 4, column 13: expected a value declared above, found 'y'"},
      {head, "line 4, column 1: graph: it has no output"},
      {head + "%y : f32[tokens,4] = l2_normalize(%x) {a = inf}\noutput o = %y\n",
       "line 6, column 1: graph: attribute 'a' of l2_normalize must be finite"},
      {"", "line 1, column 1: graph: it has no output"},
  }));
  REQUIRE(parse_error(c.text) == "graph text, " + c.sentence);
}

TEST_CASE("A parse error stays short whatever the names") {
  const std::string name(100000, 'n');
  const std::string sum = "%y : f32[tokens,5] = add(%" + name + ", %" + name + ")\n";
  const std::string error = parse_error("input %" + name + " : i32[tokens]\n" + sum);
  REQUIRE(error.find("graph text, line 2, column 2: graph: input 0 of add (%nnn") == 0);
  REQUIRE(error.size() < 1100);
}

TEST_CASE("Every cut of a text parses or fails with line and column") {
  const std::string text = print(random_graph(7, 30));
  std::size_t failed = 0;
  for (std::size_t n = 0; n < text.size(); ++n) {
    const std::string error = parse_error(text.substr(0, n));
    INFO(text.substr(0, n));
    REQUIRE((error.empty() || error.find("graph text, line ") == 0));
    REQUIRE((error.empty() || error.find(", column ") != std::string::npos));
    failed += !error.empty();
  }
  REQUIRE(failed > text.size() / 2);
}
