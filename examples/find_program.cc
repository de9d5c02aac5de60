// Finds a program by what it does: embeds a catalogue once, then answers each query with its nearest entries.
//
//   find_program [--sample N] [--] QUERY…  < catalogue
//
// The catalogue has a line `name<TAB>description` an entry. Answers go to stdout, `score<TAB>name:
// description`, best first, query after query; everything else to stderr. --sample N compares
// INT8 with FP32 on N entries.
#include <nybble/nybble.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <exception>
#include <fstream>
#include <iostream>
#include <iterator>
#include <numeric>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr std::size_t kAnswers = 5;
constexpr std::size_t kCompared = 10;  // answers whose overlap between INT8 and FP32 is shown

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// ---- input ----

struct Options {
  std::size_t sample = 0;
  std::vector<std::string_view> queries;
};

std::size_t parse_count(std::string_view text) {
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw std::invalid_argument("--sample expects a number, found '" + std::string(text) + "'");
  }
  return value;
}

Options parse(int argc, char** argv) {
  Options options;
  int i = 1;
  if (i + 1 < argc && std::string_view(argv[i]) == "--sample")
    options.sample = parse_count(argv[(i += 2) - 1]);
  if (i < argc && std::string_view(argv[i]) == "--") ++i;
  options.queries.assign(argv + i, argv + argc);
  if (options.queries.empty())
    throw std::invalid_argument("usage: find_program [--sample N] [--] QUERY… < catalogue");
  return options;
}

/// One `name: description` a line of the catalogue.
std::vector<std::string> read_catalogue(std::istream& in) {
  std::vector<std::string> entries;
  for (std::string line; std::getline(in, line);) {
    const std::size_t tab = line.find('\t');
    if (tab == std::string::npos) {
      throw std::invalid_argument("line " + std::to_string(entries.size() + 1) +
                                  " of the catalogue: expected name<TAB>description, found no tab");
    }
    entries.push_back(line.replace(tab, 1, ": "));
  }
  if (entries.empty()) throw std::invalid_argument("the catalogue on stdin is empty");
  return entries;
}

// ---- embedding ----

/// One row of `width` floats an entry, each of length 1.
struct Rows {
  std::size_t width = 0;
  std::vector<float> values;
  std::size_t count() const { return values.size() / width; }
  const float* operator[](std::size_t i) const { return values.data() + i * width; }
};

float cosine(const float* a, const float* b, std::size_t width) {
  return std::inner_product(a, a + width, b, 0.0f);
}

nybble::Model load(nybble::Weights weights) {
  nybble::LoadOptions options;
  options.weights = weights;
  options.normalize = true;
  return nybble::Model::load({}, options);
}

Rows embed(const nybble::Model& model, const std::vector<std::string_view>& texts) {
  Rows rows{model.info().dimensions, std::vector<float>(texts.size() * model.info().dimensions)};
  model.encode(texts, rows.values);
  return rows;
}

void draw_bar(std::size_t done, std::size_t total) {
  constexpr std::size_t kWidth = 40;
  const std::size_t filled = kWidth * done / total;
  std::fprintf(stderr, "\r[%s%s] %zu/%zu texts", std::string(filled, '#').c_str(),
               std::string(kWidth - filled, ' ').c_str(), done, total);
}

/// Embeds all entries in their order, with a progress bar where stderr is a terminal.
Rows embed_catalogue(const nybble::Model& model, const std::vector<std::string>& entries,
                     nybble::EncodeReport& report) {
  const bool bar = isatty(STDERR_FILENO) != 0;
  Rows rows{model.info().dimensions, {}};
  rows.values.reserve(entries.size() * rows.width);
  std::size_t next = 0;
  report = model.encode_stream(
      [&](std::string& text) { return next < entries.size() && (text = entries[next++], true); },
      [&](std::size_t i, std::span<const float> row) {
        rows.values.insert(rows.values.end(), row.begin(), row.end());
        if (bar && i % 64 == 0) draw_bar(i, entries.size());
      });
  if (bar) std::fprintf(stderr, "\r\033[K");
  return rows;
}

// ---- search ----

/// The indices of the `count` rows nearest to `query`, best first; equal scores in the catalogue's order.
std::vector<std::size_t> nearest(const Rows& rows, const float* query, std::size_t count) {
  std::vector<float> scores(rows.count());
  for (std::size_t i = 0; i < scores.size(); ++i) scores[i] = cosine(rows[i], query, rows.width);
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  count = std::min(count, order.size());
  std::partial_sort(
      order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
      [&](std::size_t a, std::size_t b) { return scores[a] != scores[b] ? scores[a] > scores[b] : a < b; });
  order.resize(count);
  return order;
}

void print_answers(const Options& options, const std::vector<std::string>& entries, const Rows& rows,
                   const Rows& queries) {
  for (std::size_t q = 0; q < options.queries.size(); ++q) {
    std::fprintf(stderr, "\n%.*s\n", static_cast<int>(options.queries[q].size()), options.queries[q].data());
    for (const std::size_t i : nearest(rows, queries[q], kAnswers)) {
      std::printf("%.4f\t%s\n", static_cast<double>(cosine(rows[i], queries[q], rows.width)),
                  entries[i].c_str());
    }
    std::fflush(stdout);
  }
}

// ---- what it took ----

/// A line of /proc/self/status in MB, e.g. "VmRSS:".
double megabytes(std::string_view field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(field)) return std::strtod(line.c_str() + field.size(), nullptr) / 1024;
  }
  return 0;
}

void print_model(const nybble::ModelInfo& info) {
  std::fprintf(stderr, "model            %s (%s, %zu layers, %zu hidden)\n", info.folder.c_str(),
               info.family.c_str(), info.layers, info.hidden);
  std::fprintf(stderr, "weights          int8, %.1f MB; bits: %s\n",
               static_cast<double>(info.linear_bytes) / 1e6, info.bits.c_str());
  std::fprintf(stderr, "instruction set  %s\n", info.isa.c_str());
  std::fprintf(stderr, "threads          %d\n", info.threads);
  std::fprintf(stderr, "load time        %.3f s\n", info.load_seconds);
}

void print_speed(const nybble::EncodeReport& report, double seconds) {
  std::fprintf(stderr, "embedded         %zu texts, %zu tokens in %.2f s: %.0f texts/s, %.0f tokens/s\n",
               report.texts, report.tokens, seconds, static_cast<double>(report.texts) / seconds,
               static_cast<double>(report.tokens) / seconds);
  std::fprintf(stderr, "resident memory  %.0f MB (peak %.0f MB)\n", megabytes("VmRSS:"), megabytes("VmHWM:"));
}

// ---- INT8 beside FP32 ----

Rows pick(const Rows& rows, const std::vector<std::size_t>& chosen) {
  Rows picked{rows.width, {}};
  for (const std::size_t i : chosen) picked.values.insert(picked.values.end(), rows[i], rows[i] + rows.width);
  return picked;
}

/// Mean share of the ten best that both agree on, over the queries.
double overlap(const Rows& a, const Rows& a_queries, const Rows& b, const Rows& b_queries) {
  double shared = 0, all = 0;
  for (std::size_t q = 0; q < a_queries.count(); ++q) {
    std::vector<std::size_t> left = nearest(a, a_queries[q], kCompared),
                             right = nearest(b, b_queries[q], kCompared);
    std::sort(left.begin(), left.end());
    std::sort(right.begin(), right.end());
    std::vector<std::size_t> both;
    std::set_intersection(left.begin(), left.end(), right.begin(), right.end(), std::back_inserter(both));
    shared += static_cast<double>(both.size());
    all += static_cast<double>(left.size());
  }
  return shared / all;
}

void print_cosines(const Rows& a, const Rows& b) {
  double sum = 0, worst = 1;
  for (std::size_t i = 0; i < a.count(); ++i) {
    const double c = static_cast<double>(cosine(a[i], b[i], a.width));
    sum += c;
    worst = std::min(worst, c);
  }
  std::fprintf(stderr, "int8 from fp32   %zu texts: cosine %.5f on average, %.5f at worst; ", a.count(),
               sum / static_cast<double>(a.count()), worst);
}

/// Embeds evenly spaced entries and the queries in FP32 and says how far INT8 is from it.
void compare_with_f32(const Options& options, const std::vector<std::string>& entries, const Rows& rows,
                      const Rows& queries) {
  const std::size_t count = std::min(options.sample, entries.size());
  std::vector<std::size_t> chosen(count);
  for (std::size_t i = 0; i < count; ++i) chosen[i] = i * entries.size() / count;
  std::vector<std::string_view> texts;
  for (const std::size_t i : chosen) texts.push_back(entries[i]);
  const nybble::Model model = load(nybble::Weights::f32);
  const Rows exact = embed(model, texts), sample = pick(rows, chosen);
  print_cosines(sample, exact);
  std::fprintf(stderr, "%.0f %% of the ten best of them the same\n",
               100 * overlap(sample, queries, exact, embed(model, options.queries)));
}

void run(const Options& options) {
  const std::vector<std::string> entries = read_catalogue(std::cin);
  const nybble::Model model = load(nybble::Weights::int8);
  print_model(model.info());
  const auto start = Clock::now();
  nybble::EncodeReport report;
  const Rows rows = embed_catalogue(model, entries, report);
  print_speed(report, seconds_since(start));
  const Rows queries = embed(model, options.queries);
  if (options.sample > 0) compare_with_f32(options, entries, rows, queries);
  print_answers(options, entries, rows, queries);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(parse(argc, argv));
    return std::fflush(stdout) == 0 ? 0 : 1;
  } catch (const std::invalid_argument& error) {
    std::fprintf(stderr, "find_program: %s\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "find_program: %s\n", error.what());
    return 1;
  }
}
