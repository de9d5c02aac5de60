// What a tensor is, without its values: the element type and the shape. Importers see weights as a
// TensorTable alone, so that they can be tested without a file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace nybble::graph {

/// The element types that a safetensors file can hold, those narrower than a byte excepted.
enum class DType {
  boolean,
  u8,
  i8,
  f8_e5m2,
  f8_e4m3,
  f8_e8m0,
  i16,
  u16,
  f16,
  bf16,
  i32,
  u32,
  f32,
  i64,
  u64,
  f64,
  c64
};

/// Bytes of one element.
constexpr std::size_t dtype_bytes(DType dtype) noexcept {
  switch (dtype) {
    case DType::boolean:
    case DType::u8:
    case DType::i8:
    case DType::f8_e5m2:
    case DType::f8_e4m3:
    case DType::f8_e8m0:
      return 1;
    case DType::i16:
    case DType::u16:
    case DType::f16:
    case DType::bf16:
      return 2;
    case DType::i32:
    case DType::u32:
    case DType::f32:
      return 4;
    case DType::i64:
    case DType::u64:
    case DType::f64:
    case DType::c64:
      return 8;
  }
  return 0;
}

/// The name as safetensors writes it: "F32", "BF16", "I64"…
constexpr std::string_view dtype_name(DType dtype) noexcept {
  switch (dtype) {
    case DType::boolean:
      return "BOOL";
    case DType::u8:
      return "U8";
    case DType::i8:
      return "I8";
    case DType::f8_e5m2:
      return "F8_E5M2";
    case DType::f8_e4m3:
      return "F8_E4M3";
    case DType::f8_e8m0:
      return "F8_E8M0";
    case DType::i16:
      return "I16";
    case DType::u16:
      return "U16";
    case DType::f16:
      return "F16";
    case DType::bf16:
      return "BF16";
    case DType::i32:
      return "I32";
    case DType::u32:
      return "U32";
    case DType::f32:
      return "F32";
    case DType::i64:
      return "I64";
    case DType::u64:
      return "U64";
    case DType::f64:
      return "F64";
    case DType::c64:
      return "C64";
  }
  return "?";
}

/// Element type and shape of one tensor. Every extent is at least 0; no extents: one element.
struct TensorInfo {
  DType dtype = DType::f32;
  std::vector<std::int64_t> shape;

  bool operator==(const TensorInfo&) const = default;
};

/// Tensors by name.
using TensorTable = std::map<std::string, TensorInfo, std::less<>>;

}  // namespace nybble::graph
