#include "runtime/mapped_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <functional>
#include <system_error>
#include <utility>

#include "include/nybble/error.h"

namespace nybble::runtime {
namespace {

struct Descriptor {
  int number;
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
};

[[noreturn]] void fail(const std::filesystem::path& file, std::string_view action) {
  const std::string reason = std::generic_category().message(errno);
  throw Error(ErrorCode::io, fmt::format("{}: cannot {} it: {}", file.string(), action, reason));
}

std::size_t regular_file_size(const std::filesystem::path& file, int descriptor) {
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) fail(file, "examine");
  if (!S_ISREG(status.st_mode)) {
    const std::string_view found = S_ISDIR(status.st_mode) ? "a directory" : "a special file";
    throw Error(ErrorCode::io, fmt::format("{}: expected a regular file, found {}", file.string(), found));
  }
  return static_cast<std::size_t>(status.st_size);
}

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& file) {
  // O_NONBLOCK: opening a named pipe must not wait for its writer.
  const Descriptor descriptor{::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (descriptor.number < 0) fail(file, "open");
  const std::size_t size = regular_file_size(file, descriptor.number);
  if (size == 0) return;  // a mapping of no bytes is an error to the system, an empty file is not
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor.number, 0);
  if (address == MAP_FAILED) fail(file, "map");
  bytes_ = {static_cast<const std::byte*>(address), size};
}

MappedFile::MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

void MappedFile::release(std::span<const std::byte> part) const noexcept {
  const std::less<const std::byte*> before;
  if (part.empty() || before(part.data(), bytes_.data())) return;
  if (before(bytes_.data() + bytes_.size(), part.data() + part.size())) return;
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto start = (reinterpret_cast<std::uintptr_t>(part.data()) + page - 1) / page * page;
  const auto stop = reinterpret_cast<std::uintptr_t>(part.data() + part.size()) / page * page;
  // A failure loses nothing but memory that could have been free.
  if (start < stop) ::madvise(reinterpret_cast<void*>(start), stop - start, MADV_DONTNEED);
}

bool is_present(const std::filesystem::path& file) noexcept {
  std::error_code error;
  const auto status = std::filesystem::symlink_status(file, error);
  return std::filesystem::exists(status) || error == std::errc::permission_denied;
}

}  // namespace nybble::runtime
