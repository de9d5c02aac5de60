// Reads weights in the safetensors format (https://github.com/huggingface/safetensors): 8 bytes of header
// length (little endian), a JSON object {name: {dtype, shape, data_offsets}}, then the values.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/tensor.h"
#include "runtime/mapped_file.h"

namespace nybble::runtime {

/// One tensor in a mapped file; valid as long as the object that gave it out.
struct TensorView {
  graph::DType dtype = graph::DType::f32;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> data;  ///< row major, little endian, at any alignment: read it by memcpy
  std::string label;                ///< `FILE: tensor "NAME"`: the beginning of a sentence about it

  std::size_t elements() const noexcept { return data.size() / graph::dtype_bytes(dtype); }
};

using TensorViews = std::map<std::string, TensorView, std::less<>>;

/// Reads the header of a whole safetensors file in memory and checks it as strictly as the format's own
/// reader: header of at most 100 MB, known element types, sizes that agree with shapes, and values that
/// fill the file from the header to its end without overlap or hole. Stricter than that reader in these: a
/// key given twice is an error, as the format's text has it; so are element types narrower than a byte and
/// extents from 2^63. `__metadata__` is ignored. The views point into `file`; `name` stands for it in errors.
/// Throws Error{unsupported_model}.
TensorViews parse_safetensors(std::span<const std::byte> file, std::string_view name);

/// A mapped model.safetensors. Movable; views stay valid. Every const member may be called from many
/// threads at once.
class SafetensorsFile {
 public:
  /// Throws Error{io} if the file cannot be opened or mapped, else as parse_safetensors().
  explicit SafetensorsFile(const std::filesystem::path& file);

  const std::filesystem::path& file() const noexcept { return file_; }
  std::span<const std::byte> bytes() const noexcept { return mapping_.bytes(); }
  const TensorViews& tensors() const noexcept { return tensors_; }
  graph::TensorTable tensor_table() const;

  /// As MappedFile::release().
  void release(std::span<const std::byte> part) const noexcept { mapping_.release(part); }

 private:
  std::filesystem::path file_;
  MappedFile mapping_;
  TensorViews tensors_;
};

/// All weights of a model folder: model.safetensors, or else the shards that model.safetensors.index.json
/// names. Movable; views stay valid. Every const member may be called from many threads at once.
class Weights {
 public:
  /// Throws Error{io} or Error{unsupported_model}; also where a shard lacks a tensor that the index says it
  /// has. Tensors of a shard that the index does not name are ignored.
  explicit Weights(const std::filesystem::path& folder);

  /// Adds those of model.safetensors in a module's folder, each with `prefix` before its name. Throws as the
  /// constructor does; views that were given out stay valid.
  void add_module(const std::filesystem::path& folder, std::string_view prefix);

  /// By name, over all files.
  const TensorViews& tensors() const noexcept { return tensors_; }
  /// nullptr if there is none.
  const TensorView* find(std::string_view name) const noexcept;
  /// Throws Error{unsupported_model} naming the file and the tensor if there is none.
  const TensorView& at(std::string_view name) const;
  graph::TensorTable tensor_table() const;

  /// As MappedFile::release(), in whichever file the part lies.
  void release(std::span<const std::byte> part) const noexcept;
  /// model.safetensors, or the index.
  const std::filesystem::path& file() const noexcept { return file_; }
  /// Bytes of all files.
  std::size_t file_bytes() const noexcept;

 private:
  void take_shards(const std::filesystem::path& folder);

  std::filesystem::path file_;
  std::vector<SafetensorsFile> files_;
  TensorViews tensors_;
};

/// Whether read_f32() can read it: F32, F16, BF16.
bool is_readable_float(graph::DType dtype) noexcept;

/// Converts elements of a readable type at any alignment to f32, each exactly (denormals, infinities, and
/// NaNs with their payload included; independent of the floating-point environment). `bytes` holds
/// out.size() elements; dtype is F32, F16 or BF16.
void convert_to_f32(graph::DType dtype, std::span<const std::byte> bytes, std::span<float> out) noexcept;

/// The same for a whole tensor. Throws Error{unsupported_model} if its type is not readable or `out` is not
/// of its size.
void read_f32(const TensorView& tensor, std::span<float> out);

}  // namespace nybble::runtime
