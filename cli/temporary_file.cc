#include "cli/temporary_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "cli/io_error.h"

namespace nybble::cli {
namespace {

constexpr int kEndingSignals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

// What a signal that ends the process removes; a handler can reach nothing but globals.
char interrupted_name[4096];

extern "C" void remove_interrupted(int signal) {
  if (interrupted_name[0] != '\0') ::unlink(interrupted_name);
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

/// Holds the signals back, so that none comes between making a file and noting its name.
class SignalsHeldBack {
 public:
  SignalsHeldBack() {
    sigset_t ending;
    sigemptyset(&ending);
    for (const int signal : kEndingSignals) sigaddset(&ending, signal);
    ::pthread_sigmask(SIG_BLOCK, &ending, &before_);
  }
  ~SignalsHeldBack() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsHeldBack(const SignalsHeldBack&) = delete;
  SignalsHeldBack& operator=(const SignalsHeldBack&) = delete;

 private:
  sigset_t before_;
};

void remove_on_interrupt(const std::string& name) {
  if (name.size() >= sizeof interrupted_name) return;
  std::memcpy(interrupted_name, name.c_str(), name.size() + 1);
  for (const int signal : kEndingSignals) {
    // A signal that the caller chose to ignore (nohup) stays ignored.
    if (std::signal(signal, remove_interrupted) == SIG_IGN) std::signal(signal, SIG_IGN);
  }
}

/// What a path leads to, which need not exist.
std::string follow_links(std::filesystem::path path) {
  constexpr int kMostLinks = 40;  // as Linux
  std::error_code error;
  for (int links = 0; links < kMostLinks && std::filesystem::is_symlink(path, error); ++links) {
    path = path.parent_path() / std::filesystem::read_symlink(path, error);
  }
  return path.string();
}

mode_t mode_of_new_files() {
  const mode_t mask = ::umask(0);
  ::umask(mask);
  return 0666 & ~mask;
}

}  // namespace

TemporaryFile::TemporaryFile(const std::string& path)
    : path_(path),
      target_(follow_links(path)),
      name_((std::filesystem::path(target_).parent_path() / ".nybble-XXXXXX").string()) {
  const SignalsHeldBack held_back;
  fd_ = ::mkostemp(name_.data(), O_CLOEXEC);
  if (fd_ < 0) throw_errno(path_, "cannot create a file beside it");
  remove_on_interrupt(name_);
}

TemporaryFile::~TemporaryFile() {
  if (fd_ >= 0) ::close(fd_);
  if (name_.empty()) return;
  ::unlink(name_.c_str());
  interrupted_name[0] = '\0';
}

void TemporaryFile::set_permissions() {
  struct stat old {};
  const bool replaces = ::stat(target_.c_str(), &old) == 0;
  // Before the permissions, which a new owner may cost.
  const bool owned = replaces && ::fchown(fd_, old.st_uid, old.st_gid) == 0;
  const mode_t kept = owned ? 07777 : 0777;
  if (::fchmod(fd_, replaces ? old.st_mode & kept : mode_of_new_files()) != 0)
    throw_errno(path_, "cannot set permissions");
}

void TemporaryFile::commit() {
  if (::fsync(fd_) != 0) throw_errno(path_, "cannot sync");
  const int fd = fd_;
  fd_ = -1;
  if (::close(fd) != 0) throw_errno(path_, "cannot close");
  if (::rename(name_.c_str(), target_.c_str()) != 0) throw_errno(path_, "cannot put in place");
  interrupted_name[0] = '\0';
  name_.clear();
}

}  // namespace nybble::cli
