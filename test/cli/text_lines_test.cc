// Lines at every place of the buffer of their reader.
#include "cli/text_lines.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <vector>

namespace nybble::cli {
namespace {

/// A file with these bytes that goes with this object.
class ScratchFile {
 public:
  explicit ScratchFile(const std::string& bytes) {
    const int fd = ::mkstemp(path_.data());
    REQUIRE(fd >= 0);
    ::close(fd);
    std::ofstream(path_, std::ios::binary) << bytes;
  }
  ~ScratchFile() { std::filesystem::remove(path_); }
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_ = (std::filesystem::temp_directory_path() / "nybble-lines-XXXXXX").string();
};

std::vector<std::string> lines_of(const std::string& bytes) {
  const ScratchFile file(bytes);
  TextLines source(file.path());
  std::vector<std::string> lines;
  for (std::string line; source.next(line);) {
    lines.push_back(line);
    CHECK(source.line_number() == lines.size());
  }
  CHECK(source.bytes_read() == bytes.size());
  CHECK(source.bytes_total() == bytes.size());
  return lines;
}

using Lines = std::vector<std::string>;

/// The rules again, over bytes that are all in memory.
Lines expected_lines(const std::string& bytes) {
  Lines lines;
  for (std::size_t start = 0; start < bytes.size();) {
    const std::size_t newline = bytes.find('\n', start);
    std::string line = bytes.substr(start, newline == std::string::npos ? newline : newline - start);
    start = newline == std::string::npos ? bytes.size() : newline + 1;
    if (newline != std::string::npos && line.ends_with('\r')) line.pop_back();
    lines.push_back(line);
  }
  return lines;
}

}  // namespace

TEST_CASE("only a newline ends a line, and one carriage return before it is dropped") {
  CHECK(lines_of("").empty());
  CHECK(lines_of("\n") == Lines{""});
  CHECK(lines_of("a") == Lines{"a"});
  CHECK(lines_of("a\nb\n") == Lines{"a", "b"});
  CHECK(lines_of("a\r\nb\r") == Lines{"a", "b\r"});
  CHECK(lines_of("a\r\r\n\r\n\r") == Lines{"a\r", "", "\r"});
  CHECK(lines_of("a\rb\v\f\x1c\x85\xe2\x80\xa8\xc2\x85z\n") ==
        Lines{"a\rb\v\f\x1c\x85\xe2\x80\xa8\xc2\x85z"});
  CHECK(lines_of(std::string("a\0b\n\0", 5)) == Lines{std::string("a\0b", 3), std::string("\0", 1)});
}

TEST_CASE("an end of line lies anywhere around the border of the buffer") {
  constexpr std::size_t kBufferBytes = std::size_t{1} << 16;
  for (std::size_t length = kBufferBytes - 3; length <= kBufferBytes + 3; ++length) {
    for (const std::string end : {"\n", "\r\n", "\r\r\n"}) {
      const std::string bytes =
          std::string(length, 'x') + end + "y" + end + std::string(2 * length, 'z') + end;
      INFO("length " << length << ", end of " << end.size());
      CHECK((lines_of(bytes) == expected_lines(bytes)));
    }
  }
}

TEST_CASE("random bytes are cut into the lines that a search through all of them finds") {
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 50; ++round) {
    std::string bytes(random() % 200'000, ' ');
    const unsigned one_in = 1u << (random() % 17);
    for (char& byte : bytes)
      byte = random() % one_in == 0 ? "\n\r"[random() % 2] : static_cast<char>(random());
    CHECK((lines_of(bytes) == expected_lines(bytes)));
  }
}

}  // namespace nybble::cli
