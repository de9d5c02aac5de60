// Embeddings in the formats of `nybble embed`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "cli/output_file.h"
#include "nybble/vectors.h"

namespace nybble::cli {

enum class RowFormat {
  jsonl,  ///< {"index":0,"embedding":[…]}, floats as short as they can be and still round-trip
  npy,    ///< NumPy 1.0, <f4, C order
  f32,    ///< little-endian floats, nothing else
};

/// A JSON line of several rows: {"index":0,"embeddings":[[…],…]}.
std::string json_rows(std::size_t index, std::span<const float> rows, std::size_t columns);

/// A JSON line of a sparse row, without its zeros: {"index":0,"tokens":["log",…],"weights":[…]}.
std::string json_weights(std::size_t index, const SparseVector& row,
                         const std::function<std::string(std::int32_t)>& token);

/// The format that an option names, else that of the output's suffix, else jsonl.
RowFormat row_format(const std::string& option, const std::string& path);

/// Writes rows of `columns` floats.
class RowWriter {
 public:
  /// Throws UsageError unless `output` can be rewound, which npy needs: its header says how many rows follow.
  static void require_seekable(const OutputFile& output);

  /// Throws as require_seekable() does for npy.
  RowWriter(OutputFile& output, RowFormat format, std::size_t columns);

  void write(std::size_t index, std::span<const float> row);
  /// To be called once, after the last row.
  void finish();

 private:
  void write_json(std::size_t index, std::span<const float> row);

  OutputFile& output_;
  RowFormat format_;
  std::size_t columns_;
  std::uint64_t rows_ = 0;
};

}  // namespace nybble::cli
