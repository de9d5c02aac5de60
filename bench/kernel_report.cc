#include "bench/kernel_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>

#include "kernels/cpu.h"

namespace nybble::bench {
namespace {

std::string json_number(double value) { return std::isfinite(value) ? fmt::format("{:.5g}", value) : "null"; }
std::string json_count(int value) { return value > 0 ? fmt::format("{}", value) : "null"; }

/// A number of that many characters, or a dash.
std::string cell(double value, int width, int decimals) {
  return std::isfinite(value) ? fmt::format(" {:>{}.{}f}", value, width, decimals)
                              : fmt::format(" {:>{}}", "-", width);
}
std::string percent(double share, int width) {
  return std::isfinite(share) ? cell(100 * share, width - 2, 1) + " %" : cell(kNone, width, 0);
}

std::string product_line(const Record& r) {
  return fmt::format("{:<15} {:>4} {:>6} {:>6}", r.kernel, r.m, r.n, r.k) + cell(r.gmac_s, 8, 1) +
         cell(r.mac_per_cycle, 10, 1) + percent(r.peak_share, 9) + cell(r.weight_gb_s, 10, 1) +
         cell(r.vs_onednn, 9, 2) + cell(r.vs_onednn_f32, 8, 2) + cell(r.vs_scalar, 9, 1) + "  " + r.what +
         "\n";
}

std::string streamed_line(const Record& r) {
  return fmt::format("{:<15} {:>4} {:>6} {:>6} {:>7}", r.kernel, r.m, r.n, r.k, r.layers) +
         cell(r.gmac_s, 8, 1) + cell(r.weight_gb_s, 10, 1) + cell(r.bandwidth_gb_s, 10, 1) +
         percent(r.weight_gb_s / r.bandwidth_gb_s, 9) + cell(r.vs_scalar, 9, 1) + "\n";
}

std::string entry_line(const Record& r) {
  std::string text = fmt::format("{:<21} {:<32}", r.kernel, r.what) + cell(r.cycles_per_element, 8, 3) +
                     cell(r.gb_s, 8, 1) + cell(r.gmac_s, 8, 1) + percent(r.peak_share, 9) +
                     cell(r.vs_scalar, 9, 1);
  if (r.beside[0] != '\0') text += fmt::format("  {:.1f} % of {}", 100 * r.beside_share, r.beside);
  return text + "\n";
}

}  // namespace

std::string json_line(const Record& r) {
  if (r.kind == RecordKind::bandwidth) return "";
  std::string text = fmt::format(R"({{"kernel":"{}","isa":"{}","m":{},"n":{},"k":{},)", r.kernel, r.isa,
                                 json_count(r.m), json_count(r.n), json_count(r.k));
  text += fmt::format(
      R"("gmac_s":{},"mac_per_cycle":{},"peak_share":{},"weight_gb_s":{},"vs_onednn":{},"vs_scalar":{})",
      json_number(r.gmac_s), json_number(r.mac_per_cycle), json_number(r.peak_share),
      json_number(r.weight_gb_s), json_number(r.vs_onednn), json_number(r.vs_scalar));
  if (r.kind == RecordKind::streamed) {
    text += fmt::format(R"(,"layers":{},"bandwidth_gb_s":{},"bandwidth_share":{})", r.layers,
                        json_number(r.bandwidth_gb_s), json_number(r.weight_gb_s / r.bandwidth_gb_s));
  }
  if (r.kind == RecordKind::entry) {
    text += fmt::format(R"(,"size":"{}","cycles_per_element":{},"gb_s":{})", r.what,
                        json_number(r.cycles_per_element), json_number(r.gb_s));
    if (r.beside[0] != '\0') text += fmt::format(R"(,"share_of_product":{})", json_number(r.beside_share));
  }
  return text + "}\n";
}

std::string Table::head(const Record& r) const {
  const bool is_new_set = seen_.empty() || std::string_view(seen_.back().isa) != r.isa;
  std::string text = seen_.empty() ? "" : "\n";
  if (is_new_set) text += fmt::format("{}, {}, one thread\n", kernels::cpu_model(), r.isa);
  switch (r.kind) {
    case RecordKind::product:
      return text + fmt::format("{:<15} {:>4} {:>6} {:>6} {:>8} {:>10} {:>9} {:>10} {:>9} {:>8} {:>9}\n",
                                "kernel", "M", "N", "K", "GMAC/s", "MAC/cycle", "of peak", "W GB/s",
                                "x oneDNN", "x f32", "x scalar");
    case RecordKind::streamed:
      return text + fmt::format("{:<15} {:>4} {:>6} {:>6} {:>7} {:>8} {:>10} {:>10} {:>9} {:>9}\n", "kernel",
                                "M", "N", "K", "layers", "GMAC/s", "W GB/s", "read GB/s", "share",
                                "x scalar");
    case RecordKind::entry:
      return text + fmt::format("{:<21} {:<32} {:>8} {:>8} {:>8} {:>9} {:>9}\n", "kernel", "size", "cycles/e",
                                "GB/s", "GFMA/s", "of peak", "x scalar");
    default:
      return text;
  }
}

std::string Table::line(const Record& record) {
  const bool is_other =
      seen_.empty() || seen_.back().kind != record.kind || std::string_view(seen_.back().isa) != record.isa;
  std::string text = is_other ? head(record) : "";
  seen_.push_back(record);
  switch (record.kind) {
    case RecordKind::product:
      return text + product_line(record);
    case RecordKind::streamed:
      return text + streamed_line(record);
    case RecordKind::entry:
      return text + entry_line(record);
    case RecordKind::bandwidth:
      return text + fmt::format("reading {}: {:.1f} GB/s\n", record.kernel, record.bandwidth_gb_s);
    default:
      return "";
  }
}

std::string Table::notes() const {
  std::string text;
  std::vector<std::string> told;
  const auto tell = [&](const std::string& note) {
    if (std::find(told.begin(), told.end(), note) != told.end()) return;
    told.push_back(note);
    text += note;
  };
  double lowest = 1e9, highest = 0;
  for (const Record& r : seen_) {
    if (!std::isfinite(r.gigahertz)) continue;
    lowest = std::min(lowest, r.gigahertz), highest = std::max(highest, r.gigahertz);
  }
  if (highest > 0)
    tell(fmt::format("\nclock: {:.2f} to {:.2f} GHz by dependent additions\n", lowest, highest));
  std::map<std::string, std::vector<double>> peaks;
  for (const Record& r : seen_) {
    if (r.peak_unit[0] != '\0') {
      peaks[fmt::format("{}: {}", r.isa, r.peak_unit)].push_back(r.peak_gmac_s / r.gigahertz);
    }
  }
  for (auto& [unit, values] : peaks) {
    std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2),
                     values.end());
    tell(fmt::format("peak of {}, {:.1f} a cycle\n", unit, values[values.size() / 2]));
  }
  for (const Record& r : seen_) {
    if (r.onednn[0] != '\0')
      tell(fmt::format("x oneDNN on {}: against its INT8 product {}\n", r.isa, r.onednn));
    if (std::isfinite(r.vs_onednn_f32)) {
      tell(
          fmt::format("x f32 on {}: against its FP32 product; its INT8 saturates without VNNI, so that only "
                      "its time counts\n",
                      r.isa));
    }
  }
  return text;
}

}  // namespace nybble::bench
