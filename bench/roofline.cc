// The roofline as SVG, on logarithmic axes: one panel a set.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "bench/kernel_report.h"

namespace nybble::bench {
namespace {

constexpr double kWidth = 1000, kHeight = 640, kLeft = 80, kRight = 210, kTop = 60, kBottom = 60;
constexpr const char* kColours[] = {"#1b6ca8", "#d1495b", "#2e933c", "#8d5a97", "#e0872b",
                                    "#17a2a2", "#7a5230", "#c2378f", "#5b7f2b", "#3d3d9e",
                                    "#b08900", "#0d7377", "#a34a28", "#66788a", "#4b9cd3"};

/// From values to places in a panel.
struct Axes {
  double least_x, most_x, least_y, most_y;

  double x(double value) const {
    return kLeft + std::log(value / least_x) / std::log(most_x / least_x) * (kWidth - kLeft - kRight);
  }
  double y(double value) const {
    return kHeight - kBottom -
           std::log(value / least_y) / std::log(most_y / least_y) * (kHeight - kTop - kBottom);
  }
};

bool is_point(const Record& r) {
  return (r.kind == RecordKind::product || r.kind == RecordKind::streamed) && r.gmac_s > 0;
}

Axes axes_of(std::span<const Record> records) {
  Axes axes{1e9, 0, 1e9, 0};
  for (const Record& r : records) {
    if (!is_point(r)) continue;
    axes.least_x = std::min(axes.least_x, r.macs_per_byte),
    axes.most_x = std::max(axes.most_x, r.macs_per_byte);
    axes.least_y = std::min(axes.least_y, r.gmac_s), axes.most_y = std::max(axes.most_y, r.gmac_s);
    if (std::isfinite(r.peak_gmac_s)) axes.most_y = std::max(axes.most_y, r.peak_gmac_s);
  }
  return {axes.least_x / 1.6, axes.most_x * 1.6, axes.least_y / 1.6, axes.most_y * 1.6};
}

std::string text_at(double x, double y, const std::string& attributes, const std::string& text) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" {}>{}</text>\n", x, y, attributes, text);
}

std::string line_between(double x1, double y1, double x2, double y2, const char* style) {
  return fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" class=\"{}\"/>\n", x1, y1,
                     x2, y2, style);
}

/// 1, 2, 5, 10, 20 … between two values.
std::vector<double> ticks(double least, double most) {
  std::vector<double> values;
  for (double decade = 1e-6; decade < most; decade *= 10) {
    for (const int digit : {1, 2, 5}) {
      const double value = digit * decade;
      if (value >= least && value <= most) values.push_back(value);
    }
  }
  return values;
}

std::string grid(const Axes& axes) {
  std::string svg;
  for (const double value : ticks(axes.least_x, axes.most_x)) {
    svg += line_between(axes.x(value), kTop, axes.x(value), kHeight - kBottom, "grid");
    svg +=
        text_at(axes.x(value), kHeight - kBottom + 18, "text-anchor=\"middle\"", fmt::format("{:g}", value));
  }
  for (const double value : ticks(axes.least_y, axes.most_y)) {
    svg += line_between(kLeft, axes.y(value), kWidth - kRight, axes.y(value), "grid");
    svg += text_at(kLeft - 8, axes.y(value) + 4, "text-anchor=\"end\"", fmt::format("{:g}", value));
  }
  svg += text_at((kLeft + kWidth - kRight) / 2, kHeight - 16, "text-anchor=\"middle\"",
                 "multiply-adds a byte of weights, activations and results");
  return svg + text_at(0, 0,
                       fmt::format("text-anchor=\"middle\" transform=\"translate(22 {:.0f}) rotate(-90)\"",
                                   kHeight / 2),
                       "GMAC/s");
}

/// Horizontal lines: what each instruction reached.
std::string peak_roofs(const Axes& axes, std::span<const Record> records) {
  std::map<std::string, double> peaks;
  for (const Record& r : records) {
    if (is_point(r) && r.peak_unit[0] != '\0')
      peaks[r.peak_unit] = std::max(peaks[r.peak_unit], r.peak_gmac_s);
  }
  std::string svg;
  for (const auto& [unit, peak] : peaks) {
    svg += line_between(kLeft, axes.y(peak), kWidth - kRight, axes.y(peak), "roof");
    svg += text_at(kLeft + 6, axes.y(peak) - 5, "", fmt::format("{}: {:.0f} GMAC/s", unit, peak));
  }
  return svg;
}

/// Slopes: bytes a second of each cache and of memory, up to the highest peak.
std::string bandwidth_roofs(const Axes& axes, std::span<const Record> records) {
  std::string svg;
  double highest = 0;
  for (const Record& r : records) highest = std::fmax(highest, is_point(r) ? r.peak_gmac_s : 0);
  if (highest == 0) highest = axes.most_y;
  for (const Record& r : records) {
    if (r.kind != RecordKind::bandwidth) continue;
    const double from = std::max(axes.least_x, axes.least_y / r.bandwidth_gb_s);
    const double to = std::min(axes.most_x, highest / r.bandwidth_gb_s);
    if (from >= to) continue;
    const double x1 = axes.x(from), y1 = axes.y(from * r.bandwidth_gb_s), x2 = axes.x(to),
                 y2 = axes.y(to * r.bandwidth_gb_s);
    svg += line_between(x1, y1, x2, y2, "roof");
    const double angle = std::atan2(y2 - y1, x2 - x1) * 180 / 3.14159265;
    svg += text_at(0, 0,
                   fmt::format("transform=\"translate({:.1f} {:.1f}) rotate({:.1f})\"", x1 + 8,
                               y1 + 8 * (y2 - y1) / (x2 - x1) - 5, angle),
                   fmt::format("{}: {:.0f} GB/s", r.kernel, r.bandwidth_gb_s));
  }
  return svg;
}

std::string point(const Axes& axes, const Record& r, const char* colour) {
  std::string title = fmt::format("{} {} × {}, M = {}: {:.1f} GMAC/s", r.kernel, r.n, r.k, r.m, r.gmac_s);
  if (std::isfinite(r.peak_share)) title += fmt::format(", {:.0f} % of the peak", 100 * r.peak_share);
  return fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.6\" fill=\"{}\"><title>{}</title></circle>\n",
                     axes.x(r.macs_per_byte), axes.y(r.gmac_s), colour, title);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// A product's points, and a line through the medians of each M.
std::string series(const Axes& axes, const std::vector<const Record*>& points, const char* colour) {
  std::map<int, std::pair<std::vector<double>, std::vector<double>>> by_rows;
  std::string svg, path;
  for (const Record* r : points) {
    svg += point(axes, *r, colour);
    by_rows[r->m].first.push_back(r->macs_per_byte);
    by_rows[r->m].second.push_back(r->gmac_s);
  }
  for (const auto& [m, values] : by_rows) {
    path += fmt::format("{:.1f},{:.1f} ", axes.x(median(values.first)), axes.y(median(values.second)));
  }
  return svg + fmt::format("<polyline points=\"{}\" stroke=\"{}\" class=\"series\"/>\n", path, colour);
}

std::string panel(std::span<const Record> records, const std::string& title, double top) {
  const Axes axes = axes_of(records);
  std::string svg = fmt::format("<g transform=\"translate(0 {:.0f})\">\n", top);
  svg += text_at(kLeft, 32, "class=\"title\"", title);
  svg += grid(axes) + bandwidth_roofs(axes, records) + peak_roofs(axes, records);
  std::vector<std::string> names;
  std::map<std::string, std::vector<const Record*>> products;
  for (const Record& r : records) {
    if (!is_point(r)) continue;
    if (products[r.kernel].empty()) names.emplace_back(r.kernel);
    products[r.kernel].push_back(&r);
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    const char* colour = kColours[i % std::size(kColours)];
    const double y = kTop + 12 + 20 * static_cast<double>(i);
    svg += series(axes, products[names[i]], colour);
    svg += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4\" fill=\"{}\"/>\n", kWidth - kRight + 24,
                       y - 4, colour);
    svg += text_at(kWidth - kRight + 36, y, "", names[i]);
  }
  return svg + "</g>\n";
}

std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text) {
    result += c == '&' ? "&amp;" : c == '<' ? "&lt;" : std::string(1, c);
  }
  return result;
}

}  // namespace

std::string roofline_svg(std::span<const Record> records, const std::string& cpu) {
  std::string panels;
  double height = 0;
  for (auto first = records.begin(); first != records.end();) {
    const std::string isa = first->isa;
    const auto last = std::find_if(first, records.end(), [&](const Record& r) { return r.isa != isa; });
    if (std::any_of(first, last, is_point)) {
      panels += panel({first, last}, escaped(cpu) + ", " + isa + ": one thread", height);
      height += kHeight;
    }
    first = last;
  }
  return fmt::format(
             "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" viewBox=\"0 0 "
             "{0:.0f} {1:.0f}\">\n"
             "<style>text {{ font: 13px sans-serif; fill: #333 }} .title {{ font-size: 17px }} .grid {{ "
             "stroke: #e4e4e4 }}\n"
             ".roof {{ stroke: #444; stroke-width: 1.5 }} .series {{ fill: none; stroke-width: 1.2; opacity: "
             "0.6 }}</style>\n"
             "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
             kWidth, std::max(height, 1.0)) +
         panels + "</svg>\n";
}

}  // namespace nybble::bench
