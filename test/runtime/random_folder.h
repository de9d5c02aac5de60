// A BERT of given sizes with random weights, as a folder that Model::load() takes.
#pragma once

#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "../graph/tiny_bert.h"
#include "golden_files.h"
#include "loader/temporary_folder.h"

namespace nybble::test {

class RandomFolder {
 public:
  /// Writes config.json and FP32 weights of these sizes beside the tokenizer of test/golden/tiny-bert (1003
  /// tokens). Takes no memory to speak of itself.
  RandomFolder(int layers, int hidden) : RandomFolder(bert_config(layers, hidden)) {}
  /// The same with another config.json, and the tensors that it asks for.
  RandomFolder(const nlohmann::json& config, const graph::TensorTable& tensors) {
    folder_.write("config.json", config.dump());
    std::filesystem::copy_file(golden_folder() / "tiny-bert/tokenizer.json",
                               folder_.path() / "tokenizer.json");
    write_weights(tensors);
  }

  const std::filesystem::path& path() const { return folder_.path(); }
  std::size_t weight_bytes() const { return std::filesystem::file_size(path() / "model.safetensors"); }

 private:
  explicit RandomFolder(const nlohmann::json& config)
      : RandomFolder(config, graph::test::bert_tensors(config)) {}

  static nlohmann::json bert_config(int layers, int hidden) {
    nlohmann::json config = graph::test::tiny_bert_config(layers);
    config["hidden_size"] = hidden;
    config["num_attention_heads"] = hidden / 64;
    config["intermediate_size"] = 4 * hidden;
    config["vocab_size"] = 1003;
    config["max_position_embeddings"] = 512;
    return config;
  }

  void write_weights(const graph::TensorTable& tensors) {
    nlohmann::json header;
    std::size_t at = 0;
    for (const auto& [name, tensor] : tensors) {
      std::size_t bytes = sizeof(float);
      for (const std::int64_t extent : tensor.shape) bytes *= static_cast<std::size_t>(extent);
      header[name] = {{"dtype", "F32"}, {"shape", tensor.shape}, {"data_offsets", {at, at + bytes}}};
      at += bytes;
    }
    std::string text = header.dump();
    text.append((8 - text.size() % 8) % 8, ' ');
    const std::uint64_t size = text.size();
    std::ofstream file(path() / "model.safetensors", std::ios::binary);
    file.write(reinterpret_cast<const char*>(&size), sizeof size)
        .write(text.data(), static_cast<std::streamsize>(size));
    std::vector<float> values(4096);
    for (std::size_t left = at / sizeof(float); left > 0; left -= std::min(left, values.size())) {
      for (float& value : values) value = next();
      file.write(reinterpret_cast<const char*>(values.data()),
                 static_cast<std::streamsize>(std::min(left, values.size()) * sizeof(float)));
    }
  }

  /// Uniform in ±0.05.
  float next() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return (static_cast<float>(state_ >> 40) / 16777216.0f - 0.5f) * 0.1f;
  }

  TemporaryFolder folder_;
  std::uint64_t state_ = 1;
};

}  // namespace nybble::test
