#include "cli/text_lines.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <simdjson.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "cli/io_error.h"

namespace nybble::cli {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{1} << 16;

}  // namespace

TextLines::TextLines(const std::string& path)
    : name_(path == "-" ? "standard input" : path),
      fd_(path == "-" ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC)),
      buffer_(std::make_unique<char[]>(kBufferBytes)) {
  if (fd_ < 0) throw_errno(name_, "cannot open");
  struct stat status {};
  if (::fstat(fd_, &status) == 0 && S_ISREG(status.st_mode))
    bytes_total_ = static_cast<std::uint64_t>(status.st_size);
}

TextLines::~TextLines() {
  if (fd_ != STDIN_FILENO && fd_ >= 0) ::close(fd_);
}

bool TextLines::fill() {
  // A terminal would read on after its end.
  if (is_at_end_) return false;
  ssize_t count;
  do count = ::read(fd_, buffer_.get(), kBufferBytes);
  while (count < 0 && errno == EINTR);
  if (count < 0) throw_errno(name_, "cannot read");
  begin_ = 0;
  end_ = static_cast<std::size_t>(count);
  bytes_read_ += end_;
  is_at_end_ = count == 0;
  return !is_at_end_;
}

bool TextLines::next(std::string& line) {
  line.clear();
  bool found_any = false;
  while (begin_ < end_ || fill()) {
    found_any = true;
    const char* start = buffer_.get() + begin_;
    const auto* newline = static_cast<const char*>(std::memchr(start, '\n', end_ - begin_));
    const std::size_t length = newline ? static_cast<std::size_t>(newline - start) : end_ - begin_;
    line.append(start, length);
    begin_ += length + (newline ? 1 : 0);
    if (newline) {
      if (!line.empty() && line.back() == '\r') line.pop_back();
      break;
    }
  }
  if (found_any) ++line_;
  return found_any;
}

struct JsonField::Parser {
  simdjson::dom::parser parser;
};

JsonField::JsonField(std::string field) : field_(std::move(field)), parser_(std::make_unique<Parser>()) {}
JsonField::~JsonField() = default;

std::string JsonField::of(const std::string& line, const TextLines& source) {
  const auto fail_line = [&](const std::string& expected, std::string_view found) {
    throw Error(ErrorCode::bad_input, fmt::format("{}: line {}: expected {}, found {}", source.name(),
                                                  source.line_number(), expected, found));
  };
  simdjson::dom::element element;
  if (const auto error = parser_->parser.parse(line).get(element)) {
    const std::string what = simdjson::error_message(error);
    fail_line("a JSON object", line.empty() ? "an empty line" : "what is no JSON (" + what + ")");
  }
  simdjson::dom::object object;
  if (element.get(object)) fail_line("a JSON object", "another JSON value");
  simdjson::dom::element value;
  if (object.at_key(field_).get(value)) fail_line("an object with a field \"" + field_ + "\"", "none");
  std::string_view text;
  if (value.get(text)) fail_line("a string in field \"" + field_ + "\"", "another JSON value");
  return std::string(text);
}

}  // namespace nybble::cli
