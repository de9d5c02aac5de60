#include "cli/row_writer.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

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

std::string_view bytes_of(std::span<const float> row) {
  return {reinterpret_cast<const char*>(row.data()), row.size_bytes()};
}

}  // namespace

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
  char number[32];
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (i) line += ',';
    // JSON has no word for what is not finite.
    if (std::isfinite(row[i])) {
      line.append(number, std::to_chars(number, number + sizeof number, row[i]).ptr);
    } else {
      line += "null";
    }
  }
  output_.write(line + "]}\n");
}

void RowWriter::finish() {
  if (format_ == RowFormat::npy) output_.write_at(0, npy_header(rows_, columns_));
  output_.finish();
}

}  // namespace nybble::cli
