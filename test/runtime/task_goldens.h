// Reads test/golden/tasks (its README.md says what the files hold).
#pragma once

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "golden_files.h"
#include "nybble/tasks.h"

namespace nybble::test {

inline std::filesystem::path task_folder(const std::string& name) { return golden_folder() / "tasks" / name; }

inline std::vector<nlohmann::json> read_json_lines(const std::filesystem::path& file) {
  std::vector<nlohmann::json> rows;
  for (const std::string& line : read_lines(file)) rows.push_back(nlohmann::json::parse(line));
  return rows;
}

inline LoadOptions task_options(Weights weights, int threads = 2) {
  LoadOptions options;
  options.weights = weights;
  options.threads = threads;
  return options;
}

/// A copy of a golden folder, without its outputs, whose config.json a test changes; gone with the object.
class ChangedFolder {
 public:
  explicit ChangedFolder(const std::string& name) {
    std::string path = (std::filesystem::temp_directory_path() / "nybble-task-XXXXXX").string();
    if (!::mkdtemp(path.data())) throw std::runtime_error("mkdtemp");
    folder_ = path;
    for (const auto& entry : std::filesystem::directory_iterator(task_folder(name))) {
      if (entry.is_regular_file()) std::filesystem::copy(entry.path(), folder_ / entry.path().filename());
    }
  }
  ~ChangedFolder() { std::filesystem::remove_all(folder_); }
  ChangedFolder(const ChangedFolder&) = delete;
  ChangedFolder& operator=(const ChangedFolder&) = delete;

  std::string path() const { return folder_.string(); }
  void remove(const std::string& file) { std::filesystem::remove(folder_ / file); }

  /// Lets `change` change the object in `file`.
  template <class Change>
  void change(const std::string& file, Change&& change) {
    nlohmann::json value = nlohmann::json::parse(read_bytes(folder_ / file));
    change(value);
    std::ofstream(folder_ / file) << value.dump();
  }

 private:
  std::filesystem::path folder_;
};

}  // namespace nybble::test
