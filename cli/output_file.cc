#include "cli/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "cli/io_error.h"

namespace nybble::cli {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{1} << 16;

}  // namespace

OutputFile::OutputFile(const std::string& path) : fd_(STDOUT_FILENO) {
  if (!path.empty() && path != "-") open(path);
  struct stat status {};
  if (::fstat(fd_, &status) != 0) fail("cannot write");
  const off_t at = ::lseek(fd_, 0, SEEK_CUR);
  is_seekable_ = S_ISREG(status.st_mode) && at >= 0 && (::fcntl(fd_, F_GETFL) & O_APPEND) == 0;
  start_ = at >= 0 ? static_cast<std::uint64_t>(at) : 0;
  buffer_.reserve(kBufferBytes);
}

OutputFile::~OutputFile() {
  if (!temporary_ && fd_ > STDERR_FILENO) ::close(fd_);
}

void OutputFile::open(const std::string& path) {
  name_ = path;
  struct stat status {};
  const bool exists = ::stat(path.c_str(), &status) == 0;
  if (!exists && errno != ENOENT) fail("cannot open");
  if (exists && !S_ISREG(status.st_mode)) {
    fd_ = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (fd_ < 0) fail("cannot open");
    return;
  }
  // Its folder would let a file be replaced that may not be written.
  if (exists && ::access(path.c_str(), W_OK) != 0) fail("cannot write");
  temporary_.emplace(path);
  fd_ = temporary_->descriptor();
  temporary_->set_permissions();
}

void OutputFile::fail(const char* doing) const {
  if (errno == EPIPE) throw OutputClosed{};
  throw_errno(name_, doing);
}

bool OutputFile::is_terminal() const { return ::isatty(fd_) == 1; }

void OutputFile::write(std::string_view data) {
  buffer_ += data;
  if (buffer_.size() >= kBufferBytes) flush();
}

void OutputFile::flush() {
  std::string_view left = buffer_;
  while (!left.empty()) {
    const ssize_t written = ::write(fd_, left.data(), left.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("cannot write");
    left.remove_prefix(static_cast<std::size_t>(written));
  }
  buffer_.clear();
}

void OutputFile::write_at(std::uint64_t offset, std::string_view data) {
  flush();
  while (!data.empty()) {
    const ssize_t written = ::pwrite(fd_, data.data(), data.size(), static_cast<off_t>(start_ + offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("cannot write");
    data.remove_prefix(static_cast<std::size_t>(written));
    offset += static_cast<std::uint64_t>(written);
  }
}

void OutputFile::finish() {
  flush();
  if (temporary_) return temporary_->commit();
  const int fd = fd_;
  fd_ = -1;
  // Some file systems tell only now that what was written is lost.
  if (::close(fd) != 0) fail("cannot close");
}

}  // namespace nybble::cli
