#include <catch2/catch.hpp>
#include <cstring>

#include "bench/kernel_report.h"

namespace nybble::bench {
namespace {

using Catch::Matchers::Contains;
using Catch::Matchers::EndsWith;
using Catch::Matchers::StartsWith;

Record product(const char* kernel, int m, double gmac_s) {
  Record record;
  std::strcpy(record.kernel, kernel);
  std::strcpy(record.isa, "avx2");
  std::strcpy(record.peak_unit, "vpmaddwd ymm");
  record.m = m, record.n = 384, record.k = 1536;
  record.gmac_s = gmac_s, record.mac_per_cycle = gmac_s / 4, record.peak_gmac_s = 200,
  record.peak_share = gmac_s / 200;
  record.macs_per_byte = m, record.weight_gb_s = gmac_s / m, record.gigahertz = 4;
  return record;
}

TEST_CASE("a product is an object of eleven fields, null where there is none") {
  CHECK(json_line(product("gemm_u8s8", 4, 100)) ==
        "{\"kernel\":\"gemm_u8s8\",\"isa\":\"avx2\",\"m\":4,\"n\":384,\"k\":1536,\"gmac_s\":100,\"mac_per_"
        "cycle\":25,"
        "\"peak_share\":0.5,\"weight_gb_s\":25,\"vs_onednn\":null,\"vs_scalar\":null}\n");
}

TEST_CASE("a table has a head where another kind or set begins, and notes without repetition") {
  Table table;
  CHECK_THAT(table.line(product("gemm_u8s8", 1, 50)), Contains("MAC/cycle") && Contains("25.0 %"));
  CHECK_THAT(table.line(product("gemm_u8s8", 4, 100)), !Contains("MAC/cycle"));
  Record entry = product("relu", 0, kNone);
  entry.kind = RecordKind::entry;
  CHECK_THAT(table.line(entry), Contains("cycles/e"));
  const std::string notes = table.notes();
  CHECK_THAT(notes, Contains("vpmaddwd ymm, 50.0 a cycle"));
  CHECK(notes.find("vpmaddwd") == notes.rfind("vpmaddwd"));
}

int count(const std::string& text, const std::string& part) {
  int found = 0;
  for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++found;
  return found;
}

TEST_CASE("the roofline has a point a product, a line a product, and the roofs of the run") {
  Record memory;
  memory.kind = RecordKind::bandwidth;
  std::strcpy(memory.kernel, "memory");
  std::strcpy(memory.isa, "avx2");
  memory.bandwidth_gb_s = 40;
  const std::vector<Record> records = {memory, product("gemm_u8s8", 1, 40), product("gemm_u8s8", 64, 150),
                                       product("gemm_u8s4", 1, 80)};
  const std::string svg = roofline_svg(records, "a CPU <&>");
  CHECK_THAT(svg, StartsWith("<svg ") && EndsWith("</svg>\n"));
  CHECK(count(svg, "<title>") == 3);
  CHECK(count(svg, "<polyline") == 2);
  CHECK(count(svg, "class=\"roof\"") == 2);
  CHECK_THAT(svg, Contains("memory: 40 GB/s") && Contains("vpmaddwd ymm: 200 GMAC/s") &&
                      Contains("a CPU &lt;&amp;>"));
  CHECK_THAT(svg, !Contains("nan") && !Contains("inf"));
}

TEST_CASE("a roofline without products is an empty picture") {
  CHECK_THAT(roofline_svg({}, "CPU"), StartsWith("<svg ") && !Contains("nan"));
}

}  // namespace
}  // namespace nybble::bench
