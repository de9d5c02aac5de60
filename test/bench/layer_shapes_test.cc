#include "bench/layer_shapes.h"

#include <catch2/catch.hpp>
#include <set>

#include "nybble/error.h"

namespace nybble::bench {
namespace {

using Catch::Matchers::Contains;

TEST_CASE("a shape a line; comments and empty lines are skipped") {
  const auto shapes = parse_layer_shapes("# all\n\n a 1 65536 # the first\nb\t3  4\r\n", "text");
  REQUIRE(shapes.size() == 2);
  CHECK((shapes[0].name == "a" && shapes[0].n == 1 && shapes[0].k == 65536));
  CHECK((shapes[1].name == "b" && shapes[1].n == 3 && shapes[1].k == 4));
}

TEST_CASE("a line that is no shape is a sentence with its number") {
  for (const char* line :
       {"a", "a 1", "a 1 2 3", "a 0 1", "a 1 65537", "a 1 -1", "a 1 2.5", "a x 1", "a 1 9999999999"}) {
    INFO(line);
    const std::string text = std::string("first 1 1\n") + line + "\n";
    CHECK_THROWS_WITH(parse_layer_shapes(text, "FILE"), Contains("FILE: line 2: expected NAME N K"));
  }
}

TEST_CASE("a text without shapes is a sentence") {
  CHECK_THROWS_WITH(parse_layer_shapes("# nothing\n", "FILE"), Contains("FILE") && Contains("none"));
}

TEST_CASE("the program carries the layers of four models, each shape once") {
  CHECK(carried_models().size() == 4);
  std::set<std::pair<int, int>> distinct;
  const auto shapes = carried_layer_shapes(false);
  for (const LayerShape& shape : shapes) distinct.insert({shape.n, shape.k});
  CHECK(distinct.size() == shapes.size());
  for (const auto& layer : {std::pair{1152, 384}, {384, 1536}, {2304, 768}, {768, 3072}, {4096, 1024}}) {
    CHECK(distinct.count(layer) == 1);
  }
  CHECK(carried_layer_shapes(true).size() == 4);
}

}  // namespace
}  // namespace nybble::bench
