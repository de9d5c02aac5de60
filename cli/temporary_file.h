// A file that appears only when it is whole.
#pragma once

#include <string>

namespace nybble::cli {

/// An open file in the folder of `path` that commit() puts in its place. If this object dies before, or
/// SIGINT, SIGTERM, SIGHUP or SIGQUIT ends the process, it is removed, and what was at the path stays as it
/// was. At most one a process lives at a time. Throws nybble::Error{io}, naming `path`.
class TemporaryFile {
 public:
  /// Where `path` is a symbolic link, the file that it leads to is replaced, and the link stays.
  explicit TemporaryFile(const std::string& path);
  ~TemporaryFile();
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  int descriptor() const { return fd_; }
  /// Gives it the permissions, and if that is allowed the owner, of the file that it will replace, else those
  /// of any new file.
  void set_permissions();
  /// Syncs, closes and renames. To be called once, at the end.
  void commit();

 private:
  std::string path_;    ///< as given, for errors
  std::string target_;  ///< what it will replace
  std::string name_;    ///< empty once committed
  int fd_ = -1;
};

}  // namespace nybble::cli
