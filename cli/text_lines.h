// Texts from a file or stdin, a text a line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace nybble::cli {

/// Reads lines of any length in constant memory. Only \n ends a line; one \r before it is dropped; a last
/// line without \n counts; an empty line is a text.
class TextLines {
 public:
  /// "-": stdin. Throws nybble::Error{io} if the file cannot be opened.
  explicit TextLines(const std::string& path);
  ~TextLines();
  TextLines(const TextLines&) = delete;
  TextLines& operator=(const TextLines&) = delete;

  /// The next line, without its end. False at the end of the file. Throws nybble::Error{io}.
  bool next(std::string& line);

  const std::string& name() const { return name_; }
  std::uint64_t line_number() const { return line_; }  ///< of the line that next() gave last, from 1
  std::uint64_t bytes_read() const { return bytes_read_; }
  std::uint64_t bytes_total() const { return bytes_total_; }  ///< of a regular file; else 0

 private:
  bool fill();

  std::string name_;
  int fd_;
  std::unique_ptr<char[]> buffer_;
  std::size_t begin_ = 0, end_ = 0;
  bool is_at_end_ = false;
  std::uint64_t line_ = 0, bytes_read_ = 0, bytes_total_ = 0;
};

/// The string at `field` of a line that is a JSON object. Throws nybble::Error{bad_input} with the line's
/// number.
class JsonField {
 public:
  explicit JsonField(std::string field);
  ~JsonField();
  std::string of(const std::string& line, const TextLines& source);

 private:
  struct Parser;
  std::string field_;
  std::unique_ptr<Parser> parser_;
};

}  // namespace nybble::cli
