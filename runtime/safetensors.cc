#include "runtime/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <tuple>
#include <utility>

#include "include/nybble/error.h"
#include "runtime/json_file.h"

namespace nybble::runtime {
namespace {

using graph::DType;
using nlohmann::json;

static_assert(std::endian::native == std::endian::little,
              "safetensors values are read as they lie in the file");

constexpr std::size_t kLengthBytes = 8;
constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;  // the limit of the format's own reader
constexpr std::array kDTypes = {DType::boolean, DType::u8,  DType::i8,  DType::f8_e5m2, DType::f8_e4m3,
                                DType::f8_e8m0, DType::i16, DType::u16, DType::f16,     DType::bf16,
                                DType::i32,     DType::u32, DType::f32, DType::i64,     DType::u64,
                                DType::f64,     DType::c64};

template <typename... Values>
[[noreturn]] void fail(std::string_view subject, fmt::format_string<Values...> format, Values&&... values) {
  throw Error(ErrorCode::unsupported_model,
              fmt::format("{}: {}", subject, fmt::format(format, std::forward<Values>(values)...)));
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

std::string_view header_text(std::span<const std::byte> file, std::string_view name) {
  if (file.empty()) fail(name, "expected a safetensors file, found an empty file");
  if (file.size() < kLengthBytes)
    fail(name, "expected 8 bytes of header length, found a file of {}", file.size());
  std::uint64_t length = 0;
  std::memcpy(&length, file.data(), kLengthBytes);
  if (length > kMaxHeaderBytes)
    fail(name, "header length: expected at most {}, found {}", kMaxHeaderBytes, length);
  const std::size_t rest = file.size() - kLengthBytes;
  if (length > rest)
    fail(name, "header length: expected at most the {} bytes that follow it, found {}", rest, length);
  return {reinterpret_cast<const char*>(file.data()) + kLengthBytes, length};
}

DType read_dtype(const JsonObject& entry) {
  const auto name = entry.string("dtype");
  const auto same_name = [&](DType dtype) { return graph::dtype_name(dtype) == name; };
  const auto* found = std::find_if(kDTypes.begin(), kDTypes.end(), same_name);
  if (found == kDTypes.end()) entry.fail("dtype", "an element type such as \"F32\", \"F16\" or \"BF16\"");
  return *found;
}

/// An array of whole numbers from 0 to 2^63 - 1.
std::vector<std::int64_t> read_counts(const JsonObject& entry, std::string_view key,
                                      std::string_view expected) {
  const auto array = entry.value().find(key);
  if (array == entry.value().end() || !array->is_array()) entry.fail(key, expected);
  std::vector<std::int64_t> counts;
  for (const json& value : *array) {
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() > INT64_MAX) {
      fail(entry.name(), "\"{}\": expected whole numbers from 0 to 2^63 - 1, found {}", key,
           describe_json(value));
    }
    counts.push_back(value.get<std::int64_t>());
  }
  return counts;
}

/// Nothing if the product does not fit. The order matters: an extent of 0 does not excuse an overflow before
/// it, as in the format's own reader.
std::optional<std::uint64_t> size_in_bytes(DType dtype, const std::vector<std::int64_t>& shape) {
  std::uint64_t size = 1;
  for (const std::int64_t extent : shape) {
    if (__builtin_mul_overflow(size, static_cast<std::uint64_t>(extent), &size)) return std::nullopt;
  }
  if (__builtin_mul_overflow(size, std::uint64_t{graph::dtype_bytes(dtype)}, &size)) return std::nullopt;
  return size;
}

struct Extent {
  std::uint64_t start;
  std::uint64_t stop;
};

Extent read_extent(const JsonObject& entry, std::size_t value_bytes) {
  constexpr std::string_view kExpected = "two offsets [start, stop]";
  const auto offsets = read_counts(entry, "data_offsets", kExpected);
  if (offsets.size() != 2) entry.fail("data_offsets", kExpected);
  const Extent extent{static_cast<std::uint64_t>(offsets[0]), static_cast<std::uint64_t>(offsets[1])};
  if (extent.start > extent.stop || extent.stop > value_bytes) {
    fail(entry.name(), "data_offsets: expected a range inside the {} bytes of values, found [{}, {}]",
         value_bytes, extent.start, extent.stop);
  }
  return extent;
}

TensorView read_view(const JsonObject& entry, std::span<const std::byte> values) {
  TensorView view{read_dtype(entry), read_counts(entry, "shape", "an array of extents"), {}, entry.name()};
  const Extent extent = read_extent(entry, values.size());
  const auto size = size_in_bytes(view.dtype, view.shape);
  if (!size)
    fail(view.label, "shape {}: expected a size below 2^64 bytes, found more", shape_text(view.shape));
  if (*size != extent.stop - extent.start) {
    fail(view.label, "expected {} bytes for {} {}, found {} by its data_offsets", *size,
         graph::dtype_name(view.dtype), shape_text(view.shape), extent.stop - extent.start);
  }
  view.data = values.subspan(extent.start, extent.stop - extent.start);
  return view;
}

/// The tensors in the order of the file must follow each other and end where it ends.
void check_coverage(const TensorViews& tensors, std::span<const std::byte> values, std::string_view name) {
  std::vector<const TensorView*> ordered;
  for (const auto& [key, view] : tensors) ordered.push_back(&view);
  const auto order = [](const TensorView* view) { return std::tuple(view->data.data(), view->data.size()); };
  std::sort(ordered.begin(), ordered.end(), [&](auto* a, auto* b) { return order(a) < order(b); });
  std::size_t stop = 0;
  for (const TensorView* view : ordered) {
    const auto start = static_cast<std::size_t>(view->data.data() - values.data());
    const std::string_view fault = start < stop ? "an overlap" : "a hole";
    if (start != stop)
      fail(view->label, "data_offsets: expected to start at {}, found {}: {}", stop, start, fault);
    stop += view->data.size();
  }
  if (stop != values.size()) {
    fail(name, "expected the values to end with the last tensor at {}, found {} bytes of values", stop,
         values.size());
  }
}

float f16_to_f32(std::uint16_t half) noexcept {
  const std::uint32_t sign = std::uint32_t{half & 0x8000U} << 16;
  const std::uint32_t exponent = (half >> 10) & 31U;
  const std::uint32_t mantissa = half & 0x3FFU;
  // An exact product of normal numbers (or 0): right under denormals-are-zero too.
  const auto denormal =
      std::bit_cast<std::uint32_t>(static_cast<float>(static_cast<std::int32_t>(mantissa)) * 0x1p-24F);
  const std::uint32_t normal = ((exponent + 112U) << 23) | (mantissa << 13);
  const std::uint32_t special = 0x7F800000U | (mantissa << 13);
  return std::bit_cast<float>(sign | (exponent == 0 ? denormal : exponent == 31 ? special : normal));
}

float bf16_to_f32(std::uint16_t half) noexcept { return std::bit_cast<float>(std::uint32_t{half} << 16); }

template <typename Convert>
void convert_halves(std::span<const std::byte> bytes, std::span<float> out, Convert convert) noexcept {
  for (std::size_t i = 0; i < out.size(); ++i) {
    std::uint16_t half = 0;
    std::memcpy(&half, bytes.data() + 2 * i, 2);
    const float value = convert(half);
    std::memcpy(&out[i], &value, sizeof value);
  }
}

graph::TensorTable table_of(const TensorViews& tensors) {
  graph::TensorTable table;
  for (const auto& [name, view] : tensors) table.emplace(name, graph::TensorInfo{view.dtype, view.shape});
  return table;
}

}  // namespace

TensorViews parse_safetensors(std::span<const std::byte> file, std::string_view name) {
  const std::string_view text = header_text(file, name);
  const std::string header_name = fmt::format("{}: header", name);
  JsonObject header(parse_json(text, header_name), header_name);
  const auto values = file.subspan(kLengthBytes + text.size());
  TensorViews tensors;
  for (const auto& [key, entry] : header.value().items()) {
    if (key == "__metadata__") continue;
    const JsonObject fields(entry, fmt::format("{}: tensor {}", name, describe_json(key)));
    tensors.emplace(key, read_view(fields, values));
  }
  check_coverage(tensors, values, name);
  return tensors;
}

SafetensorsFile::SafetensorsFile(const std::filesystem::path& file)
    : file_(file), mapping_(file), tensors_(parse_safetensors(mapping_.bytes(), file.string())) {}

graph::TensorTable SafetensorsFile::tensor_table() const { return table_of(tensors_); }

Weights::Weights(const std::filesystem::path& folder) : file_(folder / "model.safetensors") {
  const auto index = folder / "model.safetensors.index.json";
  if (is_present(file_) || !is_present(index)) {
    tensors_ = files_.emplace_back(file_).tensors();
    return;
  }
  file_ = index;
  take_shards(folder);
}

void Weights::add_module(const std::filesystem::path& folder, std::string_view prefix) {
  const auto file = folder / "model.safetensors";
  if (!is_present(file)) {
    const bool has_pickle = is_present(folder / "pytorch_model.bin");
    fail(folder.string(), "expected weights in model.safetensors, found {}",
         has_pickle ? "only pytorch_model.bin" : "none");
  }
  for (const auto& [name, view] : files_.emplace_back(file).tensors())
    tensors_.emplace(std::string(prefix) + name, view);
}

void Weights::take_shards(const std::filesystem::path& folder) {
  const JsonObject index = read_json_object(file_);
  const auto found = index.value().find("weight_map");
  if (found == index.value().end() || !found->is_object())
    index.fail("weight_map", "an object {tensor: file}");
  const JsonObject map(*found, file_.string() + ": weight_map");
  std::map<std::string, std::size_t> opened;
  for (const auto& [tensor, ignored] : map.value().items()) {
    const std::string shard = map.string_or(tensor, "");
    // A shard lies beside its index; anything else could reach files that are none of the model's.
    if (shard.empty() || shard == ".." ||
        shard.find_first_of(std::string_view("/\0", 2)) != std::string::npos)
      map.fail(tensor, "the name of a file");
    const auto [place, is_new] = opened.emplace(shard, files_.size());
    if (is_new) files_.emplace_back(folder / shard);
    const TensorViews& views = files_[place->second].tensors();
    const auto view = views.find(tensor);
    if (view == views.end())
      fail((folder / shard).string(), "expected tensor \"{}\" by {}, found none", tensor, file_.string());
    tensors_.insert(*view);
  }
}

const TensorView* Weights::find(std::string_view name) const noexcept {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

const TensorView& Weights::at(std::string_view name) const {
  if (const TensorView* view = find(name)) return *view;
  fail(file_.string(), "expected tensor \"{}\", found none among {}", name, tensors_.size());
}

graph::TensorTable Weights::tensor_table() const { return table_of(tensors_); }

void Weights::release(std::span<const std::byte> part) const noexcept {
  for (const SafetensorsFile& file : files_) file.release(part);
}

std::size_t Weights::file_bytes() const noexcept {
  std::size_t bytes = 0;
  for (const SafetensorsFile& file : files_) bytes += file.bytes().size();
  return bytes;
}

bool is_readable_float(DType dtype) noexcept {
  return dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16;
}

void convert_to_f32(DType dtype, std::span<const std::byte> bytes, std::span<float> out) noexcept {
  if (dtype == DType::f16) return convert_halves(bytes, out, f16_to_f32);
  if (dtype == DType::bf16) return convert_halves(bytes, out, bf16_to_f32);
  if (!out.empty()) std::memcpy(out.data(), bytes.data(), out.size_bytes());
}

void read_f32(const TensorView& tensor, std::span<float> out) {
  if (!is_readable_float(tensor.dtype)) {
    fail(tensor.label, "expected F32, F16 or BF16, found {}", graph::dtype_name(tensor.dtype));
  }
  if (tensor.elements() != out.size()) {
    fail(tensor.label, "expected {} elements, found {} in shape {}", out.size(), tensor.elements(),
         shape_text(tensor.shape));
  }
  convert_to_f32(tensor.dtype, tensor.data, out);
}

}  // namespace nybble::runtime
