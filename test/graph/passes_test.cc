#include "graph/passes/passes.h"

#include <catch2/catch.hpp>
#include <random>

#include "graph/text.h"
#include "graph/verify.h"
#include "random_graph.h"
#include "throws.h"

using namespace nybble::graph;
using nybble::ErrorCode;
using nybble::graph::test::random_graph;
using nybble::graph::test::sentence_of;

namespace {

using PassFunction = void (*)(Graph&, const PassSettings&);

/// Text in, text out; the result is verified.
std::string after(PassFunction pass, const std::string& text, WeightFormat format = WeightFormat::int8) {
  Graph graph = parse(text);
  pass(graph, {format});
  verify(graph);
  return print(graph);
}

/// Whether the pass does nothing but remove what was dead already.
bool unchanged(PassFunction pass, const std::string& text) {
  return after(pass, text) == after(remove_dead_nodes, text);
}

const std::string kHead =
    "input %x : f32[tokens,4]\n"
    "weight %w : f32[4,4] = \"w\"\n"
    "weight %b : f32[4] = \"b\"\n"
    "weight %g : f32[4] = \"g\"\n";

/// Three projections and an attention; `q`, `k`, `v` are the lines of each.
std::string attention_of(const std::string& q, const std::string& k, const std::string& v,
                         const std::string& rest = "") {
  return "input %x : f32[tokens,4]\ninput %x2 : f32[tokens,4]\n"
         "weight %wq : f32[4,4] = \"q.w\"\nweight %wk : f32[4,4] = \"k.w\"\nweight %wv : f32[4,4] = \"v.w\"\n"
         "weight %bq : f32[4] = \"q.b\"\nweight %bk : f32[4] = \"k.b\"\nweight %bv : f32[4] = \"v.b\"\n" +
         q + k + v +
         "%a : f32[tokens,4] = attention(%q, %k, %v) "
         "{head_dim = 2, heads = 2, position = \"none\", scale = 0.5, window = 0}\n"
         "output o = %a\n" +
         rest;
}

std::string biased(const std::string& p) {
  return "%" + p + "p : f32[tokens,4] = linear(%x, %w" + p + ")\n%" + p + " : f32[tokens,4] = add_bias(%" +
         p + "p, %b" + p + ")\n";
}
std::string plain(const std::string& p) { return "%" + p + " : f32[tokens,4] = linear(%x, %w" + p + ")\n"; }

}  // namespace

TEST_CASE("prune_unread_rows makes only the rows that a cls pool reads, and K and V before them") {
  const std::string head =
      "input %x : f32[tokens,4]\nweight %wq : f32[4,4] = \"q.w\"\nweight %wk : f32[4,4] = \"k.w\"\n"
      "weight %wv : f32[4,4] = \"v.w\"\nweight %g : f32[4] = \"g\"\nweight %b : f32[4] = \"b\"\n";
  const std::string heads = "{head_dim = 2, heads = 2, position = \"none\", ";
  REQUIRE(after(prune_unread_rows,
                head +
                    "%q : f32[tokens,4] = linear(%x, %wq)\n%k : f32[tokens,4] = linear(%x, %wk)\n"
                    "%v : f32[tokens,4] = linear(%x, %wv)\n"
                    "%a : f32[tokens,4] = attention(%q, %k, %v) " +
                    heads +
                    "scale = 0.5, window = 0}\n%s : f32[tokens,4] = add(%a, %x)\n"
                    "%y : f32[tokens,4] = layernorm(%s, %g, %b) {epsilon = 1e-12}\n"
                    "%p : f32[sequences,4] = pool(%y) {mode = \"cls\"}\n"
                    "%u : f32[sequences,4] = l2_normalize(%p)\noutput o = %u\n") ==
          head +
              "%k : f32[tokens,4] = linear(%x, %wk)\n%v : f32[tokens,4] = linear(%x, %wv)\n"
              "%x.first : f32[sequences,4] = pool(%x) {mode = \"cls\"}\n"
              "%q : f32[sequences,4] = linear(%x.first, %wq)\n"
              "%a : f32[sequences,4] = attention(%q, %k, %v) " +
              heads +
              "queries = \"first\", scale = 0.5, window = 0}\n"
              "%s : f32[sequences,4] = add(%a, %x.first)\n"
              "%y : f32[sequences,4] = layernorm(%s, %g, %b) {epsilon = 1e-12}\n"
              "%u : f32[sequences,4] = l2_normalize(%y)\noutput o = %u\n");
}

TEST_CASE("prune_unread_rows takes the first queries of merged rows, and gives an output its rows and name") {
  const std::string head = "input %x : f32[tokens,12]\n";
  REQUIRE(
      after(prune_unread_rows, head +
                                   "%a : f32[tokens,4] = attention(%x) {head_dim = 2, heads = 2, position = "
                                   "\"none\", scale = 0.5, window = 7}\n%y : f32[tokens,4] = "
                                   "l2_normalize(%a)\n%p : f32[sequences,4] = pool(%y) {mode = \"cls\"}\n"
                                   "output o = %p\n") ==
      head +
          "%a : f32[sequences,4] = attention(%x) {head_dim = 2, heads = 2, position = \"none\", queries = "
          "\"first\", scale = 0.5, window = 7}\n%p : f32[sequences,4] = l2_normalize(%a)\noutput o = %p\n");
}

TEST_CASE("prune_unread_rows leaves alone what is read in other rows, or must stay what it is") {
  const std::string norm = kHead + "%y : f32[tokens,4] = layernorm(%x, %g, %b) {epsilon = 1e-12}\n";
  const std::string cls = "%p : f32[sequences,4] = pool(%y) {mode = \"cls\"}\noutput o = %p\n";
  REQUIRE_FALSE(unchanged(prune_unread_rows, norm + cls));
  SECTION("by a mean") {
    const std::string mean = "%m : f32[sequences,4] = pool(%y) {mode = \"mean\"}\noutput m = %m\n";
    REQUIRE(unchanged(prune_unread_rows, norm + cls + mean));
  }
  SECTION("as an output") { REQUIRE(unchanged(prune_unread_rows, norm + cls + "output t = %y\n")); }
  SECTION("through another node") {
    const std::string more = "%z : f32[tokens,4] = l2_normalize(%y)\noutput t = %z\n";
    REQUIRE(unchanged(prune_unread_rows, norm + cls + more));
  }
  SECTION("the keys of an attention") {
    const std::string keys =
        "%a : f32[tokens,4] = attention(%x, %y, %x) {head_dim = 2, heads = 2, position = \"none\", scale = "
        "0.5, window = 0}\noutput t = %a\n";
    REQUIRE(unchanged(prune_unread_rows, norm + cls + keys));
  }
  SECTION("rows of a table") {
    REQUIRE(unchanged(prune_unread_rows,
                      "input %i : i32[tokens]\nweight %w : f32[4,4] = \"w\"\n"
                      "%y : f32[tokens,4] = embed_sum(%i, %i, %i, %w, %w, %w)\n" +
                          cls));
  }
  SECTION("a product, which cannot be an output") {
    REQUIRE(unchanged(prune_unread_rows, kHead + "%y : f32[tokens,4] = linear(%x, %w)\n" + cls));
  }
  SECTION("a second output of the same rows") {
    const std::string second = "%p2 : f32[sequences,4] = pool(%y) {mode = \"cls\"}\noutput o2 = %p2\n";
    REQUIRE(unchanged(prune_unread_rows, norm + cls + second));
  }
}

TEST_CASE("merge_qkv merges K and V where the queries have other rows, and puts them first") {
  const std::string weights = "input %x : f32[tokens,4]\nweight %wq : f32[4,4] = \"q.w\"\n";
  const std::string q =
      "%x.first : f32[sequences,4] = pool(%x) {mode = \"cls\"}\n%q : f32[sequences,4] = linear(%x.first, "
      "%wq)\n";
  const std::string rest =
      "{head_dim = 2, heads = 2, position = \"none\", queries = \"first\", scale = 0.5, "
      "window = 0}\noutput o = %a\n";
  REQUIRE(after(merge_qkv, weights + "weight %wk : f32[4,4] = \"k.w\"\nweight %wv : f32[4,4] = \"v.w\"\n" +
                               q +
                               "%k : f32[tokens,4] = linear(%x, %wk)\n%v : f32[tokens,4] = linear(%x, %wv)\n"
                               "%a : f32[sequences,4] = attention(%q, %k, %v) " +
                               rest) == weights +
                                            "weight %a.kv.weight : f32[8,4] = \"k.w\", \"v.w\"\n"
                                            "%a.kv : f32[tokens,8] = linear(%x, %a.kv.weight)\n" +
                                            q + "%a : f32[sequences,4] = attention(%q, %a.kv) " + rest);
}

TEST_CASE("merge_qkv makes one product and one bias of three") {
  REQUIRE(after(merge_qkv, attention_of(biased("q"), biased("k"), biased("v"))) ==
          "input %x : f32[tokens,4]\ninput %x2 : f32[tokens,4]\n"
          "weight %a.qkv.weight : f32[12,4] = \"q.w\", \"k.w\", \"v.w\"\n"
          "weight %a.qkv.bias : f32[12] = \"q.b\", \"k.b\", \"v.b\"\n"
          "%a.qkv.product : f32[tokens,12] = linear(%x, %a.qkv.weight)\n"
          "%a.qkv : f32[tokens,12] = add_bias(%a.qkv.product, %a.qkv.bias)\n"
          "%a : f32[tokens,4] = attention(%a.qkv) "
          "{head_dim = 2, heads = 2, position = \"none\", scale = 0.5, window = 0}\n"
          "output o = %a\n");
}

TEST_CASE("merge_qkv merges projections without a bias") {
  REQUIRE(after(merge_qkv, attention_of(plain("q"), plain("k"), plain("v"))) ==
          "input %x : f32[tokens,4]\ninput %x2 : f32[tokens,4]\n"
          "weight %a.qkv.weight : f32[12,4] = \"q.w\", \"k.w\", \"v.w\"\n"
          "%a.qkv : f32[tokens,12] = linear(%x, %a.qkv.weight)\n"
          "%a : f32[tokens,4] = attention(%a.qkv) "
          "{head_dim = 2, heads = 2, position = \"none\", scale = 0.5, window = 0}\n"
          "output o = %a\n");
}

TEST_CASE("merge_qkv keeps the position bias of the attention") {
  const std::string text =
      "input %x : f32[tokens,4]\nweight %w : f32[4,4] = \"w\"\nweight %t : f32[32,2] = \"t\"\n"
      "%q : f32[tokens,4] = linear(%x, %w)\n%k : f32[tokens,4] = linear(%x, %w)\n"
      "%v : f32[tokens,4] = linear(%x, %w)\n"
      "%a : f32[tokens,4] = attention(%q, %k, %v, %t) "
      "{head_dim = 2, heads = 2, max_distance = 128, position = \"bias\", scale = 0.5, window = 0}\noutput o "
      "= %a\n";
  const std::string merged = after(merge_qkv, text);
  REQUIRE(merged.find("attention(%a.qkv, %t)") != std::string::npos);
  REQUIRE(merged.find("\"w\", \"w\", \"w\"") != std::string::npos);
}

TEST_CASE("merge_qkv takes other names where its own are taken") {
  const std::string merged =
      after(merge_qkv, attention_of(plain("q"), plain("k"), plain("v"),
                                    "%a.qkv : f32[tokens,4] = l2_normalize(%a)\noutput p = %a.qkv\n"));
  REQUIRE(merged.find("%a.qkv.2 : f32[tokens,12] = linear") != std::string::npos);
}

TEST_CASE("merge_qkv leaves alone what it must not merge") {
  const std::string q = biased("q"), k = biased("k"), v = biased("v");
  SECTION("a bias on only some") {
    REQUIRE(unchanged(merge_qkv, attention_of(q, plain("k"), v)));
    REQUIRE(unchanged(merge_qkv, attention_of(plain("q"), k, v)));
    REQUIRE(unchanged(merge_qkv, attention_of(plain("q"), plain("k"), v)));
  }
  SECTION("rows that differ") {
    REQUIRE(unchanged(merge_qkv,
                      attention_of(plain("q"), plain("k"), "%v : f32[tokens,4] = linear(%x2, %wv)\n")));
  }
  SECTION("a second reader of a projection") {
    REQUIRE(unchanged(merge_qkv,
                      attention_of(q, k, v, "%y : f32[tokens,4] = l2_normalize(%k)\noutput p = %y\n")));
  }
  SECTION("a second reader of a product under its bias") {
    REQUIRE(unchanged(merge_qkv,
                      attention_of(q, k, v, "%y : f32[tokens,4] = l2_normalize(%kp)\noutput p = %y\n")));
  }
  SECTION("a projection that is an output") {
    REQUIRE(unchanged(merge_qkv, attention_of(q, k, v, "output p = %v\n")));
  }
  SECTION("a product under its bias that is an output") {
    REQUIRE(unchanged(merge_qkv, attention_of(q, k, v, "output p = %vp\n")));
  }
  SECTION("an activation or a format of its own") {
    const std::string line = "%v : f32[tokens,4] = linear(%x, %wv) ";
    REQUIRE(unchanged(merge_qkv, attention_of(plain("q"), plain("k"), line + "{activation = \"relu\"}\n")));
    REQUIRE(unchanged(merge_qkv, attention_of(plain("q"), plain("k"), line + "{format = \"f32\"}\n")));
  }
  SECTION("a fused bias") {
    REQUIRE(unchanged(merge_qkv,
                      attention_of(plain("q"), plain("k"), "%v : f32[tokens,4] = linear(%x, %wv, %bv)\n")));
  }
  SECTION("no projection at all") {
    REQUIRE(unchanged(merge_qkv,
                      attention_of(plain("q"), plain("k"), "%v : f32[tokens,4] = l2_normalize(%x)\n")));
    REQUIRE(unchanged(merge_qkv,
                      attention_of(plain("q"), plain("k"), "%v : f32[tokens,4] = add_bias(%x, %bv)\n")));
  }
  SECTION("one projection as all three") {
    REQUIRE(unchanged(
        merge_qkv,
        "input %x : f32[tokens,4]\nweight %w : f32[4,4] = \"w\"\n%q : f32[tokens,4] = linear(%x, %w)\n"
        "%a : f32[tokens,4] = attention(%q, %q, %q) "
        "{head_dim = 2, heads = 2, position = \"none\", scale = 0.5, window = 0}\noutput o = %a\n"));
  }
  SECTION("more columns than a value may have") {
    const std::string n = "715827883";  // three times this is 2^31 + 1
    std::string text = "input %x : f32[tokens,4]\n";
    for (const std::string p : {"q", "k", "v"}) text += "weight %w" + p + " : f32[" + n + ",4] = \"w\"\n";
    for (const std::string p : {"q", "k", "v"})
      text += "%" + p + " : f32[tokens," + n + "] = linear(%x, %w" + p + ")\n";
    REQUIRE(unchanged(merge_qkv,
                      text + "%a : f32[tokens," + n + "] = attention(%q, %k, %v) {head_dim = " + n +
                          ", heads = 1, position = \"none\", scale = 0.5, window = 0}\noutput o = %a\n"));
  }
}

TEST_CASE("fuse_bias gives the bias to the linear") {
  REQUIRE(after(fuse_bias, kHead + "%p : f32[tokens,4] = linear(%x, %w) {format = \"f32\"}\n"
                                   "%y : f32[tokens,4] = add_bias(%p, %b)\n"
                                   "%z : f32[tokens,4] = l2_normalize(%y)\noutput o = %z\n") ==
          "input %x : f32[tokens,4]\nweight %w : f32[4,4] = \"w\"\nweight %b : f32[4] = \"b\"\n"
          "%y : f32[tokens,4] = linear(%x, %w, %b) {format = \"f32\"}\n"
          "%z : f32[tokens,4] = l2_normalize(%y)\noutput o = %z\n");
}

TEST_CASE("fuse_bias gives a linear the first of two biases") {
  REQUIRE(
      after(fuse_bias, kHead + "%p : f32[tokens,4] = linear(%x, %w)\n%y : f32[tokens,4] = add_bias(%p, %b)\n"
                               "%z : f32[tokens,4] = add_bias(%y, %g)\noutput o = %z\n") ==
      kHead +
          "%y : f32[tokens,4] = linear(%x, %w, %b)\n%z : f32[tokens,4] = add_bias(%y, %g)\noutput o = %z\n");
}

TEST_CASE("fuse_bias leaves alone what it must not fuse") {
  const std::string head =
      "input %x : f32[tokens,4]\nweight %w : f32[4,4] = \"w\"\nweight %b : f32[4] = \"b\"\n";
  const std::string both =
      head + "%p : f32[tokens,4] = linear(%x, %w)\n%y : f32[tokens,4] = add_bias(%p, %b)\n";
  REQUIRE(unchanged(fuse_bias, both + "%z : f32[tokens,4] = add(%y, %p)\noutput o = %z\n"));
  REQUIRE(unchanged(fuse_bias, both + "output o = %y\noutput p = %p\n"));
  REQUIRE(unchanged(fuse_bias, head + "%p : f32[tokens,4] = linear(%x, %w) {activation = \"relu\"}\n"
                                      "%y : f32[tokens,4] = add_bias(%p, %b)\noutput o = %y\n"));
  REQUIRE(unchanged(fuse_bias, head + "%p : f32[tokens,4] = linear(%x, %w, %b)\n"
                                      "%y : f32[tokens,4] = add_bias(%p, %b)\noutput o = %y\n"));
  REQUIRE(unchanged(fuse_bias,
                    "input %x : f32[tokens,4]\nweight %b : f32[4] = \"b\"\n"
                    "%y : f32[tokens,4] = add_bias(%x, %b)\noutput o = %y\n"));
}

TEST_CASE("fuse_activation gives the activation to the linear, with or without a bias") {
  const std::string inputs = GENERATE(as<std::string>(), "%x, %w", "%x, %w, %b");
  const std::string head =
      "input %x : f32[tokens,4]\nweight %w : f32[4,4] = \"w\"\nweight %b : f32[4] = \"b\"\n";
  const std::string result = after(fuse_activation, head + "%p : f32[tokens,4] = linear(" + inputs +
                                                        ")\n%y : f32[tokens,4] = activation(%p) {kind = "
                                                        "\"gelu_tanh\"}\noutput o = %y\n");
  REQUIRE(result.find("%y : f32[tokens,4] = linear(" + inputs +
                      ") {activation = \"gelu_tanh\"}\noutput o = %y\n") != std::string::npos);
  REQUIRE(result.find("%p") == std::string::npos);
}

TEST_CASE("fuse_activation leaves alone what it must not fuse") {
  const std::string head = "input %x : f32[tokens,4]\nweight %w : f32[4,4] = \"w\"\n";
  const std::string relu = "%y : f32[tokens,4] = activation(%p) {kind = \"relu\"}\n";
  const std::string linear = head + "%p : f32[tokens,4] = linear(%x, %w)\n";
  REQUIRE(unchanged(fuse_activation, linear + relu + "%z : f32[tokens,4] = add(%p, %y)\noutput o = %z\n"));
  REQUIRE(unchanged(fuse_activation, linear + relu + "output o = %y\noutput p = %p\n"));
  REQUIRE(unchanged(fuse_activation, head + "%p : f32[tokens,4] = linear(%x, %w) {activation = \"relu\"}\n" +
                                         relu + "output o = %y\n"));
  REQUIRE(unchanged(fuse_activation, "input %x : f32[tokens,4]\n%p : f32[tokens,4] = l2_normalize(%x)\n" +
                                         relu + "output o = %y\n"));
}

TEST_CASE("fuse_residual_layernorm gives the sum to the layernorm") {
  const std::string head =
      "input %x : f32[tokens,4]\ninput %r : f32[tokens,4]\nweight %g : f32[4] = \"g\"\nweight %b : f32[4] = "
      "\"b\"\n";
  REQUIRE(after(fuse_residual_layernorm, head +
                                             "%s : f32[tokens,4] = add(%x, %r)\n"
                                             "%y : f32[tokens,4] = layernorm(%s, %g, %b) {epsilon = 1e-12}\n"
                                             "output o = %y\n") ==
          head + "%y : f32[tokens,4] = layernorm(%x, %r, %g, %b) {epsilon = 1e-12}\noutput o = %y\n");
}

TEST_CASE("fuse_residual_layernorm leaves alone what it must not fuse") {
  const std::string head =
      "input %x : f32[tokens,4]\ninput %r : f32[tokens,4]\nweight %g : f32[4] = \"g\"\nweight %b : f32[4] = "
      "\"b\"\n";
  const std::string norm = "%y : f32[tokens,4] = layernorm(%s, %g, %b) {epsilon = 1e-12}\noutput o = %y\n";
  const std::string sum = "%s : f32[tokens,4] = add(%x, %r)\n";
  REQUIRE(unchanged(fuse_residual_layernorm, head + sum + norm + "output p = %s\n"));
  REQUIRE(unchanged(fuse_residual_layernorm,
                    head + sum + norm + "%z : f32[tokens,4] = add(%s, %y)\noutput p = %z\n"));
  REQUIRE(unchanged(fuse_residual_layernorm, head + "%s : f32[tokens,4] = add(%x, %x)\n" + norm));
  REQUIRE(unchanged(fuse_residual_layernorm, head + "%s : f32[tokens,4] = l2_normalize(%x)\n" + norm));
  REQUIRE(unchanged(
      fuse_residual_layernorm,
      head + sum + "%y : f32[tokens,4] = layernorm(%s, %r, %g, %b) {epsilon = 1e-12}\noutput o = %y\n"));
}

TEST_CASE("assign_formats gives f32 to every linear that has no format") {
  const std::string head = "input %x : f32[tokens,4]\nweight %w : f32[4,4] = \"w\"\n";
  REQUIRE(after(assign_formats, head + "%y : f32[tokens,4] = linear(%x, %w)\noutput o = %y\n",
                WeightFormat::f32) ==
          head + "%y : f32[tokens,4] = linear(%x, %w) {format = \"f32\"}\noutput o = %y\n");
}

TEST_CASE("assign_formats gives each format of integers its name, over codes of 8 bits") {
  const std::string head = "input %x : f32[tokens,4]\nweight %w : f32[4,4] = \"w\"\n";
  const auto [format, name] = GENERATE(table<WeightFormat, std::string>({{WeightFormat::int8, "int8"},
                                                                         {WeightFormat::int7, "int7"},
                                                                         {WeightFormat::int6, "int6"},
                                                                         {WeightFormat::int5, "int5"},
                                                                         {WeightFormat::int4, "int4"}}));
  REQUIRE(after(assign_formats, head + "%y : f32[tokens,4] = linear(%x, %w)\noutput o = %y\n", format) ==
          head + "%x.u8 : u8_rows[tokens,4] = quantize_rows(%x)\n%y : f32[tokens,4] = linear(%x.u8, %w) " +
              "{format = \"" + name + "\"}\noutput o = %y\n");
}

TEST_CASE("assign_formats quantizes rows once for all linears that read them") {
  const std::string head = "input %x : f32[tokens,4]\nweight %w : f32[4,4] = \"w\"\n";
  REQUIRE(after(assign_formats, head +
                                    "%y : f32[tokens,4] = linear(%x, %w) {activation = \"relu\"}\n"
                                    "%z : f32[tokens,4] = linear(%x, %w)\n%s : f32[tokens,4] = add(%y, %z)\n"
                                    "output o = %s\n") ==
          head +
              "%x.u8 : u8_rows[tokens,4] = quantize_rows(%x)\n"
              "%y : f32[tokens,4] = linear(%x.u8, %w) {activation = \"relu\", format = \"int8\"}\n"
              "%z : f32[tokens,4] = linear(%x.u8, %w) {format = \"int8\"}\n%s : f32[tokens,4] = add(%y, %z)\n"
              "output o = %s\n");
}

TEST_CASE("assign_formats keeps formats and quantized rows that are there") {
  const std::string text =
      "input %x : f32[tokens,4]\nweight %w : f32[4,4] = \"w\"\n"
      "%x.u8 : u8_rows[tokens,4] = quantize_rows(%x)\n"
      "%y : f32[tokens,4] = linear(%x.u8, %w) {format = \"int8\"}\n"
      "%z : f32[tokens,4] = linear(%x, %w) {format = \"f32\"}\n";
  const std::string end = "output o = %y\noutput p = %z\n";
  REQUIRE(after(assign_formats, text + end) == text + end);
  REQUIRE(after(assign_formats, text + end, WeightFormat::f32) == text + end);
  REQUIRE(after(assign_formats, text + "%v : f32[tokens,4] = linear(%x, %w)\noutput q = %v\n" + end) ==
          text + "%v : f32[tokens,4] = linear(%x.u8, %w) {format = \"int8\"}\noutput q = %v\n" + end);
}

TEST_CASE("assign_formats takes another name where its own is taken") {
  const std::string result =
      after(assign_formats,
            "input %x : f32[tokens,4]\ninput %x.u8 : i32[tokens]\nweight %w : f32[4,4] = \"w\"\n"
            "%y : f32[tokens,4] = linear(%x, %w)\noutput o = %y\n");
  REQUIRE(result.find("%x.u8.2 : u8_rows[tokens,4] = quantize_rows(%x)") != std::string::npos);
}

TEST_CASE("assign_formats takes the cheaper GELU where every reader quantizes, and nowhere else") {
  const std::string head =
      "input %x : f32[tokens,4]\nweight %w : f32[4,4] = \"w\"\n"
      "%y : f32[tokens,4] = linear(%x, %w) {activation = \"gelu_erf\"}\n";
  const std::string linear = "%z : f32[tokens,4] = linear(%y, %w)\noutput o = %z\n";
  const auto grade = [&](const std::string& rest, WeightFormat format) {
    return after(assign_formats, head + rest, format).find("gelu_erf_q") != std::string::npos;
  };
  REQUIRE(grade(linear, WeightFormat::int8));
  REQUIRE_FALSE(grade(linear, WeightFormat::f32));
  REQUIRE_FALSE(grade(linear + "output p = %y\n", WeightFormat::int8));
  REQUIRE_FALSE(grade("%s : f32[tokens,4] = add(%x, %y)\noutput p = %s\n" + linear, WeightFormat::int8));
  REQUIRE_FALSE(grade("output p = %x\n", WeightFormat::int8));
}

TEST_CASE(
    "integer_attention gives int8 to every attention that has no format, where the weights are integers") {
  const std::string head = "input %x : f32[tokens,4]\n%a : f32[tokens,4] = attention(%x, %x, %x) {";
  const std::string rest =
      "head_dim = 2, heads = 2, position = \"none\", scale = 0.5, window = 0}\noutput o = %a\n";
  const std::string f32 = "format = \"f32\", ", int8 = "format = \"int8\", ";
  REQUIRE(after(integer_attention, head + rest) == head + int8 + rest);
  REQUIRE(after(integer_attention, head + rest, WeightFormat::int4) == head + int8 + rest);
  REQUIRE(after(integer_attention, head + f32 + rest) == head + f32 + rest);
  REQUIRE(after(integer_attention, head + rest, WeightFormat::f32) == head + rest);
}

TEST_CASE(
    "fuse_norm_quantization lets a LayerNorm make the codes of its rows, and residuals read its floats") {
  const std::string tail =
      "%z : f32[tokens,4] = layernorm(%l, %y, %g, %b) {epsilon = 1e-12}\noutput o = %z\n";
  REQUIRE(
      after(fuse_norm_quantization, kHead +
                                        "%y : f32[tokens,4] = layernorm(%x, %g, %b) {epsilon = 1e-12}\n"
                                        "%y.u8 : u8_rows[tokens,4] = quantize_rows(%y)\n"
                                        "%l : f32[tokens,4] = linear(%y.u8, %w) {format = \"int8\"}\n" +
                                        tail) ==
      kHead +
          "%y : f32_u8_rows[tokens,4] = layernorm(%x, %g, %b) {epsilon = 1e-12, result = \"f32_u8_rows\"}\n"
          "%l : f32[tokens,4] = linear(%y, %w) {format = \"int8\"}\n" +
          tail);
}

TEST_CASE("fuse_norm_quantization leaves alone what is an output, or no LayerNorm's") {
  const std::string norm = kHead + "%y : f32[tokens,4] = layernorm(%x, %g, %b) {epsilon = 1e-12}\n";
  const std::string codes = "%q : u8_rows[tokens,4] = quantize_rows(%y)\n";
  const std::string linear = "%l : f32[tokens,4] = linear(%q, %w) {format = \"int8\"}\noutput o = %l\n";
  REQUIRE(unchanged(fuse_norm_quantization, norm + codes + linear + "output p = %y\n"));
  REQUIRE(unchanged(fuse_norm_quantization, norm + codes + linear + "output p = %q\n"));
  REQUIRE(
      unchanged(fuse_norm_quantization, kHead + "%y : f32[tokens,4] = add_bias(%x, %b)\n" + codes + linear));
}

TEST_CASE("fuse_linear_quantization lets a linear with an activation make codes") {
  const std::string head =
      "input %x : f32[tokens,4]\nweight %w : f32[4,4] = \"w\"\n%x.u8 : u8_rows[tokens,4] = "
      "quantize_rows(%x)\n";
  const std::string tail = "%z : f32[tokens,4] = linear(%y.u8, %w) {format = \"int8\"}\noutput o = %z\n";
  REQUIRE(after(fuse_linear_quantization,
                head +
                    "%y : f32[tokens,4] = linear(%x.u8, %w) {activation = \"relu\", format = \"int8\"}\n"
                    "%y.u8 : u8_rows[tokens,4] = quantize_rows(%y)\n" +
                    tail) ==
          head +
              "%y.u8 : u8_rows[tokens,4] = linear(%x.u8, %w) {activation = \"relu\", format = \"int8\", "
              "result = \"u8_rows\"}\n" +
              tail);
}

TEST_CASE("fuse_gate_quantization lets a linear with a gate behind it make codes") {
  const std::string head =
      "input %x : f32[tokens,4]\nweight %w : f32[8,4] = \"w\"\nweight %v : f32[4,4] = \"v\"\n%x.u8 : "
      "u8_rows[tokens,4] = quantize_rows(%x)\n";
  const std::string tail = "%z : f32[tokens,4] = linear(%y.u8, %v) {format = \"int5\"}\noutput o = %z\n";
  const std::string up_first = GENERATE("0", "1");
  REQUIRE(after(fuse_gate_quantization,
                head + "%both : f32[tokens,8] = linear(%x.u8, %w) {format = \"int5\"}\n" +
                    "%y : f32[tokens,4] = gate(%both) {kind = \"silu\", up_first = " + up_first + "}\n" +
                    "%y.u8 : u8_rows[tokens,4] = quantize_rows(%y)\n" + tail) ==
          head +
              "%y.u8 : u8_rows[tokens,4] = linear(%x.u8, %w) {format = \"int5\", gate = \"silu\", result = "
              "\"u8_rows\", up_first = " +
              up_first + "}\n" + tail);
}

TEST_CASE(
    "fuse_gate_quantization leaves alone what others read, and linears of floats or with an activation") {
  const std::string head =
      "input %x : f32[tokens,4]\nweight %w : f32[8,4] = \"w\"\nweight %v : f32[4,4] = \"v\"\n%x.u8 : "
      "u8_rows[tokens,4] = quantize_rows(%x)\n";
  const std::string linear = "%both : f32[tokens,8] = linear(%x.u8, %w) {format = \"int8\"}\n";
  const std::string tail =
      "%y : f32[tokens,4] = gate(%both) {kind = \"silu\", up_first = 0}\n"
      "%q : u8_rows[tokens,4] = quantize_rows(%y)\n"
      "%z : f32[tokens,4] = linear(%q, %v) {format = \"int8\"}\noutput o = %z\n";
  REQUIRE(unchanged(fuse_gate_quantization, head + linear + tail + "output p = %y\n"));
  REQUIRE(unchanged(fuse_gate_quantization, head + linear + tail + "output p = %both\n"));
  REQUIRE(unchanged(fuse_gate_quantization,
                    head + "%both : f32[tokens,8] = linear(%x, %w) {format = \"f32\"}\n" + tail));
  REQUIRE(unchanged(
      fuse_gate_quantization,
      head + "%both : f32[tokens,8] = linear(%x.u8, %w) {activation = \"relu\", format = \"int8\"}\n" +
          tail));
}

TEST_CASE("fuse_linear_quantization leaves alone what others read, and linears without an activation") {
  const std::string head =
      "input %x : f32[tokens,4]\nweight %w : f32[4,4] = \"w\"\n%x.u8 : u8_rows[tokens,4] = "
      "quantize_rows(%x)\n";
  const std::string active =
      "%y : f32[tokens,4] = linear(%x.u8, %w) {activation = \"relu\", format = \"int8\"}\n";
  const std::string tail =
      "%q : u8_rows[tokens,4] = quantize_rows(%y)\n"
      "%z : f32[tokens,4] = linear(%q, %w) {format = \"int8\"}\noutput o = %z\n";
  REQUIRE(unchanged(fuse_linear_quantization, head + active + tail + "output p = %y\n"));
  REQUIRE(unchanged(fuse_linear_quantization,
                    head + active + "%s : f32[tokens,4] = l2_normalize(%y)\noutput p = %s\n" + tail));
  REQUIRE(unchanged(fuse_linear_quantization,
                    head + "%y : f32[tokens,4] = linear(%x.u8, %w) {format = \"int8\"}\n" + tail));
  // sigmoid(0) is not 0.
  REQUIRE(unchanged(
      fuse_linear_quantization,
      head + "%y : f32[tokens,4] = linear(%x.u8, %w) {activation = \"sigmoid\", format = \"int8\"}\n" +
          tail));
  REQUIRE(unchanged(
      fuse_linear_quantization,
      head + "%y : f32[tokens,4] = linear(%x, %w) {activation = \"relu\", format = \"f32\"}\n" + tail));
}

TEST_CASE("remove_dead_nodes keeps what outputs need and all inputs") {
  REQUIRE(after(remove_dead_nodes,
                kHead + "input %unread : i32[tokens]\n%dead1 : f32[tokens,4] = linear(%x, %w)\n"
                        "%dead2 : f32[tokens,4] = l2_normalize(%dead1)\n"
                        "%y : f32[tokens,4] = add_bias(%x, %b)\noutput o = %y\n") ==
          "input %x : f32[tokens,4]\ninput %unread : i32[tokens]\nweight %b : f32[4] = \"b\"\n"
          "%y : f32[tokens,4] = add_bias(%x, %b)\noutput o = %y\n");
}

TEST_CASE(
    "Every pass gives a sound graph with the same inputs and outputs, and changes nothing when run again") {
  const auto seed = std::random_device{}();
  const WeightFormat format = GENERATE(WeightFormat::f32, WeightFormat::int8);
  for (std::uint32_t i = 0; i < 200; ++i) {
    INFO("seed " << seed + i);
    const Graph before = random_graph(seed + i, 40);
    for (const Pass& pass : passes()) {
      INFO(pass.name << '\n' << print(before));
      Graph once = before;
      pass.run(once, {format});
      REQUIRE_NOTHROW(verify(once));
      REQUIRE(once.outputs.size() == before.outputs.size());
      for (std::size_t o = 0; o < once.outputs.size(); ++o) {
        REQUIRE(once.outputs[o].name == before.outputs[o].name);
        const Value& now = once.values[static_cast<std::size_t>(once.outputs[o].value)];
        REQUIRE(now == before.values[static_cast<std::size_t>(before.outputs[o].value)]);
      }
      Graph twice = once;
      pass.run(twice, {format});
      REQUIRE(print(twice) == print(once));
    }
  }
}

TEST_CASE("copy_outputs copies an output that a linear makes, for all who read it too") {
  const std::string head = "input %x : f32[tokens,4]\nweight %w : f32[4,4] = \"w\"\n";
  const std::string made = after(copy_outputs, head +
                                                   "%y : f32[tokens,4] = linear(%x, %w)\n"
                                                   "%z : f32[tokens,4] = l2_normalize(%y)\n"
                                                   "output o = %y\noutput p = %z\n");
  REQUIRE(made.find("%y.rows : f32[tokens,4] = linear(%x, %w)") != std::string::npos);
  REQUIRE(made.find("%z : f32[tokens,4] = l2_normalize(%y.rows)") != std::string::npos);
  REQUIRE(made.find("%y : f32[tokens,4] = copy(%y.rows)") != std::string::npos);
  REQUIRE(made.find("output o = %y\n") != std::string::npos);
}

TEST_CASE("An unknown pass is an error that names those there are") {
  const std::string sentence =
      "there is no pass 'fuse_all'; there are prune_unread_rows, merge_qkv, fuse_bias, fuse_activation, "
      "fuse_residual_layernorm, assign_formats, integer_attention, fuse_norm_quantization, "
      "fuse_linear_quantization, fuse_gate_quantization, copy_outputs, remove_dead_nodes";
  REQUIRE(sentence_of(ErrorCode::bad_input, [] { check_pass_name("fuse_all"); }) == sentence);
  Graph graph = parse(kHead + "output o = %x\n");
  PassRun run;
  run.disabled = {"fuse_bias", "fuse_all"};
  REQUIRE(sentence_of(ErrorCode::bad_input, [&] { run_passes(graph, run); }) == sentence);
  for (const Pass& pass : passes()) REQUIRE_NOTHROW(check_pass_name(pass.name));
}

TEST_CASE("Random graphs give every pass something to do") {
  for (const Pass& pass : passes()) {
    int changed = 0;
    for (std::uint32_t seed = 0; seed < 1000; ++seed) {
      Graph graph = random_graph(seed, 40);
      remove_dead_nodes(graph, {});
      const std::string before = print(graph);
      pass.run(graph, {});
      changed += print(graph) != before;
    }
    INFO(pass.name << " changed " << changed);
    REQUIRE((changed > 3 || pass.name == "remove_dead_nodes"));
  }
}
