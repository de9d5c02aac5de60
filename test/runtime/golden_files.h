// Reads the files of test/golden (its README.md says what they hold).
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace nybble::test {

/// The folder test/golden, which the build names.
inline std::filesystem::path golden_folder() { return NYBBLE_GOLDEN; }

inline std::string read_bytes(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw std::runtime_error("cannot open " + file.string());
  std::ostringstream bytes;
  bytes << in.rdbuf();
  return std::move(bytes).str();
}

/// A matrix of float32, row-major.
struct Matrix {
  std::size_t rows = 0, columns = 0;
  std::vector<float> values;
  const float* row(std::size_t i) const { return values.data() + i * columns; }
};

/// Reads a .npy file (version 1, little endian float32, two extents, C order).
inline Matrix read_npy(const std::filesystem::path& file) {
  const std::string bytes = read_bytes(file);
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes.at(i)); };
  const std::size_t start = 10u + byte(8) + 256u * byte(9);
  const std::string header = bytes.substr(10, start - 10);
  if (!header.starts_with("{'descr': '<f4', 'fortran_order': False, 'shape': (")) {
    throw std::runtime_error(file.string() + ": not what the goldens are written as");
  }
  Matrix matrix;
  std::istringstream shape(header.substr(header.find('(') + 1));
  char comma = 0;
  shape >> matrix.rows >> comma >> matrix.columns;
  matrix.values.resize(matrix.rows * matrix.columns);
  if (bytes.size() - start != matrix.values.size() * sizeof(float)) throw std::runtime_error(file.string());
  bytes.copy(reinterpret_cast<char*>(matrix.values.data()), bytes.size() - start, start);
  return matrix;
}

/// Lines; only \n ends one.
inline std::vector<std::string> read_lines(const std::filesystem::path& file) {
  std::vector<std::string> lines;
  std::istringstream in(read_bytes(file));
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

/// The list of numbers of `"key":[…]` in a line of ids.jsonl.
inline std::vector<std::int32_t> numbers_of(std::string_view line, const std::string& key) {
  const std::size_t begin = line.find("\"" + key + "\":[");
  if (begin == std::string_view::npos) throw std::runtime_error("no " + key);
  std::istringstream in(std::string(line.substr(begin + key.size() + 4)));
  std::vector<std::int32_t> numbers;
  char comma = ',';
  for (std::int32_t number = 0; comma == ',' && in >> number; in >> comma) numbers.push_back(number);
  return numbers;
}

/// The sequences of ids.jsonl, laid end to end.
struct Sequences {
  std::vector<std::int32_t> ids, types, cu_seqlens = {0};
  std::size_t count() const { return cu_seqlens.size() - 1; }
};

inline Sequences read_sequences(const std::filesystem::path& file) {
  Sequences all;
  for (const std::string& line : read_lines(file)) {
    const std::vector<std::int32_t> ids = numbers_of(line, "ids"), types = numbers_of(line, "type_ids");
    all.ids.insert(all.ids.end(), ids.begin(), ids.end());
    all.types.insert(all.types.end(), types.begin(), types.end());
    all.cu_seqlens.push_back(static_cast<std::int32_t>(all.ids.size()));
  }
  return all;
}

}  // namespace nybble::test
