#include "runtime/constants.h"

#include <algorithm>
#include <cstdint>

namespace nybble::runtime {
namespace {

std::size_t elements(const graph::Shape& shape) {
  std::size_t count = 1;
  for (const graph::Extent& extent : shape) count *= static_cast<std::size_t>(extent.size);
  return count;
}

bool usable_in_place(const TensorView& tensor) {
  return tensor.dtype == graph::DType::f32 &&
         reinterpret_cast<std::uintptr_t>(tensor.data.data()) % alignof(float) == 0;
}

}  // namespace

std::span<const float> Constants::f32(graph::ValueId weight) {
  const auto found = given_.find(weight);
  if (found != given_.end()) return found->second;
  std::vector<float> scratch;
  std::span<const float> values = read(weight, scratch);
  if (!scratch.empty()) values = converted_[weight] = std::move(scratch);
  f32_bytes_ += values.size_bytes();
  return given_[weight] = values;
}

std::span<const float> Constants::read(graph::ValueId weight, std::vector<float>& scratch) const {
  const std::vector<std::string>& tensors = value(weight).tensors;
  if (tensors.size() == 1) {
    const TensorView& tensor = weights_.at(tensors[0]);
    if (usable_in_place(tensor))
      return {reinterpret_cast<const float*>(tensor.data.data()), tensor.elements()};
  }
  scratch.resize(elements(value(weight).shape));
  std::size_t at = 0;
  for (const std::string& name : tensors) {
    const TensorView& tensor = weights_.at(name);
    read_f32(tensor, std::span(scratch).subspan(at, tensor.elements()));
    at += tensor.elements();
  }
  return scratch;
}

std::span<const float> Constants::read_rows(graph::ValueId weight, int begin, int end,
                                            std::vector<float>& scratch) const {
  const auto columns = static_cast<std::size_t>(value(weight).shape[1].size);
  std::size_t first = static_cast<std::size_t>(begin) * columns;
  std::size_t left = static_cast<std::size_t>(end - begin) * columns, at = 0;
  for (const std::string& name : value(weight).tensors) {
    const TensorView& tensor = weights_.at(name);
    const std::size_t count = std::min(left, tensor.elements() - std::min(tensor.elements(), first));
    const std::size_t size = graph::dtype_bytes(tensor.dtype);
    const auto bytes =
        count > 0 ? tensor.data.subspan(first * size, count * size) : std::span<const std::byte>();
    first -= std::min(first, tensor.elements());
    if (count == 0) continue;
    if (at == 0 && count == left && usable_in_place(tensor))
      return {reinterpret_cast<const float*>(bytes.data()), count};
    scratch.resize(at + left);
    convert_to_f32(tensor.dtype, bytes, std::span(scratch).subspan(at, count));
    at += count;
    left -= count;
  }
  return scratch;
}

void Constants::release(graph::ValueId weight) const {
  for (const std::string& name : value(weight).tensors) weights_.release(weights_.at(name).data);
}

}  // namespace nybble::runtime
