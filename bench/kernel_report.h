// Records of kernels as people and programs read them.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "bench/record.h"

namespace nybble::bench {

/// One JSON object and the end of the line: kernel, isa, m, n, k, gmac_s, mac_per_cycle, peak_share,
/// weight_gb_s, vs_onednn, vs_scalar, null where there is none. A streamed product has layers, bandwidth_gb_s
/// and bandwidth_share beside them, another entry size, cycles_per_element and gb_s. Bandwidths give nothing.
std::string json_line(const Record& record);

/// Tables for people, a line a record as they come.
class Table {
 public:
  /// The record's line, under a head where it begins another table.
  std::string line(const Record& record);
  /// What to know when reading the lines so far.
  std::string notes() const;

 private:
  std::string head(const Record& record) const;

  std::vector<Record> seen_;
};

/// The roofline of each set among the records, as an SVG file: GMAC/s over multiply-adds a byte, the
/// products' points, and as roofs the peaks and bandwidths of the same run.
std::string roofline_svg(std::span<const Record> records, const std::string& cpu);

}  // namespace nybble::bench
