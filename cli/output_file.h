// Where data goes: stdout, or a file that is replaced only when it is whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cli/temporary_file.h"

namespace nybble::cli {

/// The reader of stdout has gone away: end quietly.
struct OutputClosed {};

/// A buffered writer. Every failure to open, write, flush, sync, close or rename throws nybble::Error{io}
/// with file and reason; EPIPE throws OutputClosed.
class OutputFile {
 public:
  /// "" or "-": stdout. A path to a regular file, or to nothing: written to a temporary file beside it, which
  /// finish() syncs and renames; if this object dies before, or the process is interrupted, what was at the
  /// path stays as it was. Any other file is written in place.
  explicit OutputFile(const std::string& path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  void write(std::string_view data);
  /// Overwrites bytes that were written before, `offset` bytes after the first.
  void write_at(std::uint64_t offset, std::string_view data);
  /// Whether write_at() works: a regular file, not opened for appending.
  bool is_seekable() const { return is_seekable_; }
  bool is_terminal() const;
  void flush();
  /// Flushes and closes, and puts a regular file in its place. To be called once, at the end.
  void finish();

 private:
  void open(const std::string& path);
  [[noreturn]] void fail(const char* doing) const;

  std::string name_ = "standard output";  ///< for errors
  std::optional<TemporaryFile> temporary_;
  int fd_;
  std::uint64_t start_ = 0;  ///< offset of the first byte in the file
  bool is_seekable_ = false;
  std::string buffer_;
};

}  // namespace nybble::cli
