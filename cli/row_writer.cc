#include "cli/row_writer.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/commands.h"

namespace nybble::cli {
namespace {

/// A NumPy 1.0 header for any number of rows, always of the same length.
std::string npy_header(std::uint64_t rows, std::size_t columns) {
  constexpr std::size_t kHeaderBytes = 128;
  std::string header("\x93NUMPY\x01\x00", 8);
  const std::size_t text_bytes = kHeaderBytes - 10;
  header += static_cast<char>(text_bytes & 0xff);
  header += static_cast<char>(text_bytes >> 8);
  header += fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}", rows, columns);
  header.resize(kHeaderBytes - 1, ' ');
  return header + '\n';
}

/// Floats with commas between them.
void append_numbers(std::span<const float> values, std::string& line) {
  char number[32];
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i) line += ',';
    // JSON has no word for what is not finite.
    if (std::isfinite(values[i])) {
      line.append(number, std::to_chars(number, number + sizeof number, values[i]).ptr);
    } else {
      line += "null";
    }
  }
}

std::string_view bytes_of(std::span<const float> row) {
  return {reinterpret_cast<const char*>(row.data()), row.size_bytes()};
}

}  // namespace

std::string json_rows(std::size_t index, std::span<const float> rows, std::size_t columns) {
  std::string line = fmt::format("{{\"index\":{},\"embeddings\":[", index);
  for (std::size_t i = 0; i < rows.size(); i += columns) {
    line += i ? ",[" : "[";
    append_numbers(rows.subspan(i, columns), line);
    line += ']';
  }
  return line + "]}\n";
}

std::string json_weights(std::size_t index, const SparseVector& row,
                         const std::function<std::string(std::int32_t)>& token) {
  std::string line = fmt::format("{{\"index\":{},\"tokens\":[", index);
  for (std::size_t i = 0; i < row.ids.size(); ++i) {
    if (i) line += ',';
    line += nlohmann::json(token(row.ids[i])).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  }
  line += "],\"weights\":[";
  append_numbers(row.weights, line);
  return line + "]}\n";
}

RowFormat row_format(const std::string& option, const std::string& path) {
  const auto names = [&](std::string_view suffix, std::string_view name) {
    return option.empty() ? path.ends_with(suffix) : option == name;
  };
  if (names(".npy", "npy")) return RowFormat::npy;
  return names(".f32", "f32") ? RowFormat::f32 : RowFormat::jsonl;
}

void RowWriter::require_seekable(const OutputFile& output) {
  if (output.is_seekable()) return;
  throw UsageError(
      "npy needs a regular file, since its header says how many rows follow: use -o FILE.npy, or --format "
      "jsonl or f32");
}

RowWriter::RowWriter(OutputFile& output, RowFormat format, std::size_t columns)
    : output_(output), format_(format), columns_(columns) {
  if (format != RowFormat::npy) return;
  require_seekable(output);
  output_.write(npy_header(0, columns));
}

void RowWriter::write(std::size_t index, std::span<const float> row) {
  ++rows_;
  if (format_ == RowFormat::jsonl) return write_json(index, row);
  output_.write(bytes_of(row));
}

void RowWriter::write_json(std::size_t index, std::span<const float> row) {
  std::string line = fmt::format("{{\"index\":{},\"embedding\":[", index);
  append_numbers(row, line);
  output_.write(line + "]}\n");
}

void RowWriter::finish() {
  if (format_ == RowFormat::npy) output_.write_at(0, npy_header(rows_, columns_));
  output_.finish();
}

}  // namespace nybble::cli
