#include "cli/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "nybble/error.h"

namespace nybble::cli {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{1} << 16;

// The temporary file to remove when a signal ends the process; one output a process.
char interrupted_path[4096];

extern "C" void remove_temporary(int signal) {
  if (interrupted_path[0] != '\0') ::unlink(interrupted_path);
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void remove_on_interrupt(const std::string& path) {
  if (path.size() >= sizeof interrupted_path) return;
  std::memcpy(interrupted_path, path.c_str(), path.size() + 1);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    // A signal that the caller chose to ignore (nohup) stays ignored.
    if (std::signal(signal, remove_temporary) == SIG_IGN) std::signal(signal, SIG_IGN);
  }
}

void keep_on_interrupt() { interrupted_path[0] = '\0'; }

/// What a path leads to in the end, so that a symbolic link stays one.
std::string resolved(const std::string& path) {
  std::error_code error;
  const std::filesystem::path target = std::filesystem::weakly_canonical(path, error);
  return error ? path : target.string();
}

/// Permissions of a new file, or those that the old one has.
mode_t mode_for(const std::string& path) {
  struct stat old {};
  if (::stat(path.c_str(), &old) == 0) return old.st_mode & 07777;
  const mode_t mask = ::umask(0);
  ::umask(mask);
  return 0666 & ~mask;
}

}  // namespace

OutputFile::OutputFile(const std::string& path) {
  struct stat status {};
  if (path.empty() || path == "-") {
    name_ = "standard output";
    fd_ = STDOUT_FILENO;
  } else {
    name_ = path;
    const bool exists = ::stat(path.c_str(), &status) == 0;
    if (!exists || S_ISREG(status.st_mode)) {
      open_temporary(path);
    } else {
      fd_ = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
      if (fd_ < 0) fail("cannot open");
    }
  }
  if (::fstat(fd_, &status) != 0) fail("cannot write");
  const off_t at = ::lseek(fd_, 0, SEEK_CUR);
  is_seekable_ = S_ISREG(status.st_mode) && at >= 0 && (::fcntl(fd_, F_GETFL) & O_APPEND) == 0;
  start_ = at >= 0 ? static_cast<std::uint64_t>(at) : 0;
  buffer_.reserve(kBufferBytes);
}

OutputFile::~OutputFile() {
  if (temporary_.empty()) return;
  if (fd_ >= 0) ::close(fd_);
  ::unlink(temporary_.c_str());
  keep_on_interrupt();
}

void OutputFile::open_temporary(const std::string& path) {
  target_ = resolved(path);
  temporary_ = target_ + ".XXXXXX";
  fd_ = ::mkostemp(temporary_.data(), O_CLOEXEC);
  if (fd_ < 0) {
    temporary_.clear();
    fail("cannot create a file beside it");
  }
  remove_on_interrupt(temporary_);
  if (::fchmod(fd_, mode_for(target_)) != 0) fail("cannot set permissions");
}

void OutputFile::fail(const char* doing) const {
  if (errno == EPIPE) throw OutputClosed{};
  throw Error(ErrorCode::io, name_ + ": " + doing + ": " + std::strerror(errno));
}

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
  if (!temporary_.empty() && ::fsync(fd_) != 0) fail("cannot sync");
  const int fd = fd_;
  fd_ = -1;
  if (::close(fd) != 0) fail("cannot close");
  if (temporary_.empty()) return;
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) fail("cannot put in place");
  temporary_.clear();
  keep_on_interrupt();
}

}  // namespace nybble::cli
