// Writes weights as a safetensors file, for tests that make their own.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "graph/ir.h"
#include "loader/temporary_folder.h"
#include "runtime/safetensors.h"

namespace nybble::test {

struct WeightTensor {
  std::string dtype;  ///< "F32", "F16", "BF16"
  std::vector<std::int64_t> shape;
  std::string bytes;
};

inline std::string bytes_of(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

inline std::string bytes_of(const std::vector<std::uint16_t>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(std::uint16_t)};
}

/// A folder with model.safetensors, mapped. `skew` spaces lengthen the header, which moves every tensor's
/// alignment.
class WeightFolder {
 public:
  explicit WeightFolder(const std::map<std::string, WeightTensor>& tensors, std::size_t skew = 0) {
    std::string header = "{", values;
    for (const auto& [name, tensor] : tensors) {
      std::string shape;
      for (const std::int64_t extent : tensor.shape)
        shape += (shape.empty() ? "" : ",") + std::to_string(extent);
      header += (header.size() > 1 ? ",\"" : "\"") + name + "\":{\"dtype\":\"" + tensor.dtype +
                "\",\"shape\":[" + shape + "],\"data_offsets\":[" + std::to_string(values.size()) + "," +
                std::to_string(values.size() + tensor.bytes.size()) + "]}";
      values += tensor.bytes;
    }
    header += "}";
    header.append((8 - header.size() % 8) % 8 + skew, ' ');
    folder_.write("model.safetensors", safetensors_bytes(header, values));
    weights_ = std::make_unique<runtime::Weights>(folder_.path());
  }

  const runtime::Weights& weights() const { return *weights_; }

 private:
  TemporaryFolder folder_;
  std::unique_ptr<runtime::Weights> weights_;
};

}  // namespace nybble::test
