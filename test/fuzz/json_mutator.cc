#include "test/fuzz/json_mutator.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace nybble::fuzz {
namespace {

using Json = nlohmann::ordered_json;  // what a file holds in its order
using Random = std::minstd_rand;

std::size_t pick(Random& random, std::size_t count) { return random() % count; }

/// Every value of a document, the document first.
void collect(Json& value, std::vector<Json*>& all) {
  all.push_back(&value);
  if (!value.is_structured()) return;
  for (Json& member : value) collect(member, all);
}

Json& any_value(Json& document, Random& random) {
  std::vector<Json*> all;
  collect(document, all);
  return *all[pick(random, all.size())];
}

Json surprising(Random& random) {
  static const std::vector<Json> kValues = {nullptr,
                                            true,
                                            false,
                                            0,
                                            1,
                                            2,
                                            3,
                                            -1,
                                            64,
                                            65536,
                                            2147483647,
                                            4294967296,
                                            -9223372036854775807,
                                            18446744073709551615u,
                                            0.5,
                                            -0.0,
                                            1e-300,
                                            1e300,
                                            "",
                                            "x",
                                            "\u0000",
                                            "\u2581",
                                            "gelu",
                                            Json::array(),
                                            Json::object()};
  return kValues[pick(random, kValues.size())];
}

void change_number(Json& value, Random& random) {
  if (value.is_number_float()) {
    const double v = value.get<double>();
    const double choices[] = {-v, v * 2, v / 2, v + 1, 1 / v};
    value = choices[pick(random, std::size(choices))];
  } else {
    const auto v = value.get<std::uint64_t>();  // wraps as it likes
    const std::uint64_t choices[] = {0 - v, v * 2, v / 2, v + 1, v - 1};
    value = static_cast<std::int64_t>(choices[pick(random, std::size(choices))]);
  }
}

void change_scalar(Json& value, Random& random) {
  if (value.is_number()) return change_number(value, random);
  if (value.is_boolean()) {
    value = !value.get<bool>();
  } else if (value.is_string()) {
    value = mutate_bytes(value.get_ref<const std::string&>(), 64);
  } else {
    value = surprising(random);
  }
}

void change_array(Json& value, Json copy, Random& random) {
  auto& members = value.get_ref<Json::array_t&>();
  const std::size_t at = pick(random, members.size() + 1);
  const bool is_within = at < members.size();
  switch (pick(random, 4)) {
    case 0:
      if (is_within) members.erase(members.begin() + static_cast<std::ptrdiff_t>(at));
      break;
    case 1:
      if (is_within) std::swap(members[at], members[pick(random, members.size())]);
      break;
    case 2:
      if (is_within) members.push_back(Json(members[at]));
      break;
    default:
      members.insert(members.begin() + static_cast<std::ptrdiff_t>(at), std::move(copy));
  }
}

void change_object(Json& value, Json copy, Random& random) {
  if (value.empty()) {
    value["type"] = std::move(copy);
    return;
  }
  const auto at = std::next(value.begin(), static_cast<std::ptrdiff_t>(pick(random, value.size())));
  const auto other = std::next(value.begin(), static_cast<std::ptrdiff_t>(pick(random, value.size())));
  const std::string key = at.key();
  switch (pick(random, 4)) {
    case 0:
      value.erase(key);
      break;
    case 1:
      std::swap(at.value(), other.value());
      break;
    case 2:
      value[mutate_bytes(key, 64)] = Json(at.value());
      break;
    default:
      at.value() = std::move(copy);
  }
}

void change(Json& document, Random& random) {
  Json copy = any_value(document, random);
  Json& value = any_value(document, random);
  switch (pick(random, 6)) {
    case 0:
      value = surprising(random);
      break;
    case 1:
      value = std::move(copy);
      break;
    default:
      if (value.is_array()) {
        change_array(value, std::move(copy), random);
      } else if (value.is_object()) {
        change_object(value, std::move(copy), random);
      } else {
        change_scalar(value, random);
      }
  }
}

std::string print(const Json& document) {
  return document.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::string mutate_bytes(std::string_view bytes, std::size_t max_size) {
  std::string result(std::max(max_size, bytes.size()), '\0');
  std::copy(bytes.begin(), bytes.end(), result.begin());
  auto* data = reinterpret_cast<std::uint8_t*>(result.data());
  result.resize(LLVMFuzzerMutate(data, bytes.size(), result.size()));
  return result;
}

std::string mutate_json(std::string_view text, std::size_t max_size, std::minstd_rand& random) {
  Json document = Json::parse(text, nullptr, false);
  if (document.is_discarded() || pick(random, 8) == 0) return mutate_bytes(text, max_size);
  for (std::size_t left = 1 + pick(random, 3); left > 0; --left) change(document, random);
  const std::string result = print(document);
  return result.size() <= max_size ? result : mutate_bytes(text, max_size);
}

std::string cross_json(std::string_view text, std::string_view other, std::size_t max_size,
                       std::minstd_rand& random) {
  Json document = Json::parse(text, nullptr, false), source = Json::parse(other, nullptr, false);
  if (document.is_discarded() || source.is_discarded()) return std::string(text);
  any_value(document, random) = Json(any_value(source, random));
  const std::string result = print(document);
  return result.size() <= max_size ? result : std::string(text);
}

std::size_t give(const std::string& result, std::uint8_t* data, std::size_t max_size) {
  const std::size_t size = std::min(result.size(), max_size);
  std::memcpy(data, result.data(), size);
  return size;
}

}  // namespace nybble::fuzz
