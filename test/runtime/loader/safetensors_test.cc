#include "runtime/safetensors.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xmmintrin.h>

#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <random>

#include "test/runtime/loader/temporary_folder.h"

using namespace nybble;
using namespace nybble::runtime;
using nybble::test::failure_of;
using nybble::test::safetensors_bytes;
using nybble::test::TemporaryFolder;

namespace {

std::span<const std::byte> as_bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

TensorViews parse(const std::string& file) { return parse_safetensors(as_bytes(file), "x.safetensors"); }

std::string sentence(const std::string& file) {
  const auto failure = failure_of([&] { parse(file); });
  CHECK(failure.code == ErrorCode::unsupported_model);
  return failure.sentence;
}

std::string sentence(std::string_view header, std::size_t value_bytes) {
  return sentence(safetensors_bytes(header, std::string(value_bytes, '\0')));
}

std::string entry(std::string_view name, std::string_view dtype, std::string_view shape,
                  std::string_view offsets) {
  return fmt::format(R"("{}":{{"dtype":"{}","shape":{},"data_offsets":{}}})", name, dtype, shape, offsets);
}

std::string header(const std::vector<std::string>& entries) {
  return fmt::format("{{{}}}", fmt::join(entries, ","));
}

std::uint32_t bits(float value) { return std::bit_cast<std::uint32_t>(value); }

/// The value of a half by the definition of the format, in double.
double half_value(std::uint32_t half) {
  const int exponent = static_cast<int>((half >> 10) & 31U);
  const double mantissa = half & 0x3FFU;
  const double magnitude =
      exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
  return (half & 0x8000U) != 0 ? -magnitude : magnitude;
}

std::vector<float> convert_all_halves(graph::DType dtype) {
  std::vector<std::uint16_t> halves(65536);
  for (std::size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<std::uint16_t>(i);
  std::vector<float> floats(halves.size());
  convert_to_f32(dtype, std::as_bytes(std::span(halves)), floats);
  return floats;
}

void check_all_f16() {
  const auto floats = convert_all_halves(graph::DType::f16);
  std::size_t wrong = 0;
  for (std::uint32_t half = 0; half < 65536; ++half) {
    const std::uint32_t mantissa = half & 0x3FFU;
    const std::uint32_t special = ((half & 0x8000U) << 16) | 0x7F800000U | (mantissa << 13);
    const bool is_special = ((half >> 10) & 31U) == 31;
    const std::uint32_t expected = is_special ? special : bits(static_cast<float>(half_value(half)));
    wrong += bits(floats[half]) != expected ? 1 : 0;
  }
  CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("a safetensors file gives the names, types, shapes and values that were written") {
  const std::string values("\x00\x00\x80\x3F\x00\x00\x00\x40\x07", 9);
  const auto file =
      safetensors_bytes(header({std::string(R"("__metadata__":{"format":"pt"})"),
                                entry("b", "U8", "[]", "[8,9]"), entry("a", "F32", "[1,2]", "[0,8]")}) +
                            "  ",
                        values);
  const auto tensors = parse(file);
  REQUIRE(tensors.size() == 2);
  const TensorView& a = tensors.at("a");
  CHECK(a.dtype == graph::DType::f32);
  CHECK(a.shape == std::vector<std::int64_t>{1, 2});
  std::vector<float> floats(2);
  read_f32(a, floats);
  CHECK(floats == std::vector<float>{1.0F, 2.0F});
  CHECK(tensors.at("b").elements() == 1);
  CHECK(tensors.at("b").data[0] == std::byte{7});
}

TEST_CASE("a safetensors file without tensors, and tensors without elements, are valid") {
  CHECK(parse(safetensors_bytes("{}", "")).empty());
  const auto tensors = parse(safetensors_bytes(
      header({entry("none", "F32", "[0,3]", "[4,4]"), entry("a", "F32", "[1]", "[0,4]")}), "1234"));
  CHECK(tensors.at("none").elements() == 0);
  read_f32(tensors.at("none"), {});
}

TEST_CASE("every element type of safetensors that has whole bytes is known by its name and size") {
  const std::vector<std::pair<std::string, std::size_t>> types = {
      {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E5M2", 1}, {"F8_E4M3", 1}, {"F8_E8M0", 1},
      {"I16", 2},  {"U16", 2}, {"F16", 2}, {"BF16", 2},    {"I32", 4},     {"U32", 4},
      {"F32", 4},  {"F64", 8}, {"I64", 8}, {"U64", 8},     {"C64", 8}};
  for (const auto& [name, size] : types) {
    INFO(name);
    const auto stop = std::to_string(3 * size);
    const auto tensors = parse(safetensors_bytes(
        header({entry("t", name, "[3]", fmt::format("[0,{}]", stop))}), std::string(3 * size, 'x')));
    CHECK(graph::dtype_name(tensors.at("t").dtype) == name);
    CHECK(graph::dtype_bytes(tensors.at("t").dtype) == size);
  }
  CHECK(sentence(header({entry("t", "F4", "[2]", "[0,1]")}), 1) ==
        "x.safetensors: tensor \"t\": \"dtype\": expected an element type such as \"F32\", \"F16\" or "
        "\"BF16\", found \"F4\"");
}

TEST_CASE("an empty or cut safetensors file is refused with both sizes") {
  CHECK(sentence("") == "x.safetensors: expected a safetensors file, found an empty file");
  CHECK(sentence("1234567") == "x.safetensors: expected 8 bytes of header length, found a file of 7");
  const auto whole = safetensors_bytes(header({entry("t", "F32", "[2]", "[0,8]")}), "12345678");
  CHECK(sentence(whole.substr(0, whole.size() - 1)) ==
        "x.safetensors: tensor \"t\": data_offsets: expected a range inside the 7 bytes of values, found [0, "
        "8]");
  // Cut anywhere, it is an error and nothing else.
  for (std::size_t size = 0; size < whole.size(); ++size) {
    INFO("cut to " << size);
    CHECK(sentence(whole.substr(0, size)).find("x.safetensors: ") == 0);
  }
}

TEST_CASE("a safetensors header whose length lies is refused") {
  auto file = safetensors_bytes("{}", "");
  file[0] = 3;
  CHECK(sentence(file) ==
        "x.safetensors: header length: expected at most the 2 bytes that follow it, found 3");
  file.replace(0, 8, 8, '\xFF');
  CHECK(sentence(file) ==
        "x.safetensors: header length: expected at most 100000000, found 18446744073709551615");
  file = safetensors_bytes("{}", "");
  file[0] = 1;
  CHECK(sentence(file).find("x.safetensors: header: line 1, column 2: expected valid JSON, found ") == 0);
}

TEST_CASE("a safetensors header that is not an object of tensors is refused") {
  CHECK(sentence("[]", 0) == "x.safetensors: header: expected a JSON object, found an array of 0");
  CHECK(sentence("", 0).find("x.safetensors: header: line 1, column 1: expected valid JSON") == 0);
  CHECK(sentence(R"({"t":1})", 0) == "x.safetensors: tensor \"t\": expected a JSON object, found 1");
  CHECK(sentence(R"({"t":{"shape":[],"data_offsets":[0,0]}})", 0) ==
        "x.safetensors: tensor \"t\": \"dtype\": expected an element type such as \"F32\", \"F16\" or "
        "\"BF16\", found nothing");
  CHECK(sentence(R"({"t":{"dtype":"U8","data_offsets":[0,0]}})", 0) ==
        "x.safetensors: tensor \"t\": \"shape\": expected an array of extents, found nothing");
  CHECK(sentence(R"({"t":{"dtype":"U8","shape":[],"data_offsets":[0]}})", 0) ==
        "x.safetensors: tensor \"t\": \"data_offsets\": expected two offsets [start, stop], found an array "
        "of 1");
  CHECK(sentence(header({entry("t", "U8", "[-1]", "[0,0]")}), 0) ==
        "x.safetensors: tensor \"t\": \"shape\": expected whole numbers from 0 to 2^63 - 1, found -1");
  CHECK(sentence(header({entry("t", "U8", "[1.5]", "[0,0]")}), 0) ==
        "x.safetensors: tensor \"t\": \"shape\": expected whole numbers from 0 to 2^63 - 1, found 1.5");
}

TEST_CASE("a tensor given twice is refused") {
  CHECK(sentence(header({entry("t", "U8", "[1]", "[0,1]"), entry("t", "U8", "[1]", "[0,1]")}), 1) ==
        "x.safetensors: header: expected every key once in an object, found \"t\" twice");
}

TEST_CASE("offsets that are out of range, overlap, leave a hole or disagree with the shape are refused") {
  CHECK(sentence(header({entry("t", "U8", "[9]", "[0,9]")}), 8) ==
        "x.safetensors: tensor \"t\": data_offsets: expected a range inside the 8 bytes of values, found [0, "
        "9]");
  CHECK(sentence(header({entry("t", "U8", "[1]", "[2,1]")}), 2) ==
        "x.safetensors: tensor \"t\": data_offsets: expected a range inside the 2 bytes of values, found [2, "
        "1]");
  CHECK(sentence(header({entry("a", "U8", "[4]", "[0,4]"), entry("b", "U8", "[4]", "[2,6]")}), 6) ==
        "x.safetensors: tensor \"b\": data_offsets: expected to start at 4, found 2: an overlap");
  CHECK(sentence(header({entry("a", "U8", "[4]", "[0,4]"), entry("b", "U8", "[4]", "[6,10]")}), 10) ==
        "x.safetensors: tensor \"b\": data_offsets: expected to start at 4, found 6: a hole");
  CHECK(sentence(header({entry("a", "U8", "[4]", "[0,4]")}), 5) ==
        "x.safetensors: expected the values to end with the last tensor at 4, found 5 bytes of values");
  CHECK(sentence(header({entry("a", "F32", "[1]", "[0,5]")}), 5) ==
        "x.safetensors: tensor \"a\": expected 4 bytes for F32 [1], found 5 by its data_offsets");
}

TEST_CASE("a shape whose product overflows is refused") {
  CHECK(sentence(header({entry("t", "F32", "[4294967296,4294967296]", "[0,0]")}), 0) ==
        "x.safetensors: tensor \"t\": shape [4294967296, 4294967296]: expected a size below 2^64 bytes, "
        "found more");
  CHECK(sentence(header({entry("t", "F32", "[4611686018427387904]", "[0,0]")}), 0).find("below 2^64") !=
        std::string::npos);
  CHECK(sentence(header({entry("t", "U8", "[9223372036854775808]", "[0,0]")}), 0)
            .find("2^63 - 1, found 9223372036854775808") != std::string::npos);
}

TEST_CASE("a hostile tensor name is shown on one line and not at full length") {
  const auto long_name = sentence(header({entry(std::string(100000, 'n'), "U8", "[1]", "[0,2]")}), 2);
  CHECK(long_name.size() < 300);
  CHECK(
      sentence(header({entry("a\\nb\\u0000", "U8", "[1]", "[0,2]")}), 2).find("tensor \"a\\nb\\u0000\": ") !=
      std::string::npos);
}

TEST_CASE("every F16 value becomes exactly its F32 value, whatever the floating-point environment") {
  check_all_f16();
  const unsigned saved = _mm_getcsr();
  _mm_setcsr(saved | 0x8040U);  // flush to zero, denormals are zero
  const auto floats = convert_all_halves(graph::DType::f16);
  _mm_setcsr(saved);
  CHECK(bits(floats[1]) == bits(0x1p-24F));
  CHECK(bits(floats[0x83FF]) == bits(-1023 * 0x1p-24F));
}

TEST_CASE("every BF16 value becomes the F32 value with the same upper half") {
  const auto floats = convert_all_halves(graph::DType::bf16);
  std::size_t wrong = 0;
  for (std::uint32_t half = 0; half < 65536; ++half) wrong += bits(floats[half]) != half << 16 ? 1 : 0;
  CHECK(wrong == 0);
}

TEST_CASE("values at any alignment are read") {
  const std::vector<float> values = {1.5F, -0.0F, 3e38F};
  std::vector<std::byte> buffer(16 + 12);
  for (std::size_t shift = 0; shift < 16; ++shift) {
    std::memcpy(buffer.data() + shift, values.data(), 12);
    std::vector<float> out(3);
    convert_to_f32(graph::DType::f32, std::span(buffer).subspan(shift, 12), out);
    CHECK(std::memcmp(out.data(), values.data(), 12) == 0);
  }
}

TEST_CASE("reading a tensor of another type or size as floats is refused with both") {
  const auto file = safetensors_bytes(
      header({entry("w", "F64", "[1]", "[0,8]"), entry("v", "F16", "[2]", "[8,12]")}), std::string(12, '\0'));
  const auto tensors = parse(file);
  std::vector<float> out(1);
  const auto f64 = failure_of([&] { read_f32(tensors.at("w"), out); });
  CHECK(f64.code == ErrorCode::unsupported_model);
  CHECK(f64.sentence == "x.safetensors: tensor \"w\": expected F32, F16 or BF16, found F64");
  const auto size = failure_of([&] { read_f32(tensors.at("v"), out); });
  CHECK(size.sentence == "x.safetensors: tensor \"v\": expected 1 elements, found 2 in shape [2]");
}

TEST_CASE(
    "a mapped safetensors file keeps its views when moved and reads the same after its pages are released") {
  const TemporaryFolder folder;
  std::string values(3 << 20, '\0');
  std::mt19937 random(1);
  for (char& value : values) value = static_cast<char>(random());
  const auto size = std::to_string(values.size());
  const auto file = folder.write(
      "model.safetensors",
      safetensors_bytes(header({entry("t", "U8", fmt::format("[{}]", size), fmt::format("[0,{}]", size))}),
                        values));
  SafetensorsFile opened(file);
  const SafetensorsFile moved(std::move(opened));
  const auto data = moved.tensors().at("t").data;
  CHECK(moved.bytes().size() == std::filesystem::file_size(file));
  CHECK(moved.tensor_table().at("t") ==
        graph::TensorInfo{graph::DType::u8, {static_cast<std::int64_t>(values.size())}});
  REQUIRE(std::memcmp(data.data(), values.data(), values.size()) == 0);
  moved.release(data);
  CHECK(std::memcmp(data.data(), values.data(), values.size()) == 0);
  moved.release({});
  moved.release(std::as_bytes(std::span(values)));  // not in the file: nothing happens
  CHECK(std::memcmp(data.data(), values.data(), values.size()) == 0);
}

TEST_CASE("released pages leave this process") {
  const TemporaryFolder folder;
  const std::string values(64 * 4096, 'v');
  const auto file = folder.write("f", values);
  const MappedFile mapping(file);
  const auto resident = [&] {
    // Pages of this process, not of the page cache: the second field of statm would count everything.
    std::ifstream smaps("/proc/self/smaps");
    for (std::string line; std::getline(smaps, line);) {
      if (line.find(file.string()) == std::string::npos) continue;
      while (std::getline(smaps, line) && line.rfind("Rss:", 0) != 0) {
      }
      return std::stol(line.substr(4));
    }
    return -1L;
  };
  long sum = 0;
  for (const std::byte value : mapping.bytes()) sum += std::to_integer<long>(value);
  CHECK(sum == 64 * 4096 * long{'v'});
  CHECK(resident() == 256);
  mapping.release(mapping.bytes().subspan(1));  // the first page is not wholly inside
  CHECK(resident() == 4);
}

TEST_CASE("a weights file that is missing, a folder, a pipe or unreadable is an error of the system") {
  const TemporaryFolder folder;
  const auto open = [](const std::filesystem::path& file) {
    return failure_of([&] { SafetensorsFile{file}; });
  };
  const auto missing = folder.path() / "none.safetensors";
  CHECK(open(missing).code == ErrorCode::io);
  CHECK(open(missing).sentence == missing.string() + ": cannot open it: No such file or directory");
  CHECK(open(folder.path()).sentence ==
        folder.path().string() + ": expected a regular file, found a directory");
  const auto pipe = folder.path() / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(open(pipe).sentence == pipe.string() + ": expected a regular file, found a special file");
  const auto unreadable = folder.write("u", "12345678{}");
  std::filesystem::permissions(folder.path(), std::filesystem::perms::all);
  std::filesystem::permissions(unreadable, std::filesystem::perms::none);
  const test::WithoutRights guard;
  CHECK(open(unreadable).sentence == unreadable.string() + ": cannot open it: Permission denied");
}

TEST_CASE("shards named by an index are one collection") {
  const TemporaryFolder folder;
  folder.write("one.safetensors",
               safetensors_bytes(
                   header({entry("a", "U8", "[1]", "[0,1]"), entry("unnamed", "U8", "[1]", "[1,2]")}), "ax"));
  folder.write("two.safetensors", safetensors_bytes(header({entry("b", "U8", "[1]", "[0,1]")}), "b"));
  folder.write("model.safetensors.index.json",
               R"({"metadata":{"total_size":2},"weight_map":{"a":"one.safetensors","b":"two.safetensors"}})");
  const Weights weights(folder.path());
  CHECK(weights.tensors().size() == 2);
  CHECK(weights.at("a").data[0] == std::byte{'a'});
  CHECK(weights.at("b").data[0] == std::byte{'b'});
  CHECK(weights.find("unnamed") == nullptr);
  CHECK(weights.tensor_table().size() == 2);
  CHECK(weights.file().filename() == "model.safetensors.index.json");
  weights.release(weights.at("b").data);
  const auto missing = failure_of([&] { weights.at("c"); });
  CHECK(missing.code == ErrorCode::unsupported_model);
  CHECK(missing.sentence == weights.file().string() + ": expected tensor \"c\", found none among 2");
}

TEST_CASE("model.safetensors goes before an index") {
  const TemporaryFolder folder;
  folder.write("model.safetensors", safetensors_bytes(header({entry("a", "U8", "[1]", "[0,1]")}), "a"));
  folder.write("model.safetensors.index.json", "nonsense");
  const Weights weights(folder.path());
  CHECK(weights.file() == folder.path() / "model.safetensors");
  CHECK(weights.file_bytes() == std::filesystem::file_size(weights.file()));
}

TEST_CASE("an index that lies is refused") {
  const TemporaryFolder folder;
  const auto open = [&](std::string_view index) {
    const auto file = folder.write("model.safetensors.index.json", index);
    auto sentence = failure_of([&] { Weights{folder.path()}; }).sentence;
    const auto place = sentence.find(folder.path().string());
    return place == std::string::npos ? sentence
                                      : sentence.replace(place, folder.path().string().size(), "DIR");
  };
  folder.write("one.safetensors", safetensors_bytes("{}", ""));
  CHECK(open("{").find("DIR/model.safetensors.index.json: line 1, column 2: expected valid JSON") == 0);
  CHECK(open("{}") ==
        "DIR/model.safetensors.index.json: \"weight_map\": expected an object {tensor: file}, found nothing");
  CHECK(open(R"({"weight_map":{"a":1}})") ==
        "DIR/model.safetensors.index.json: weight_map: \"a\": expected a string, found 1");
  CHECK(open(R"({"weight_map":{"a":"../x"}})") ==
        "DIR/model.safetensors.index.json: weight_map: \"a\": expected the name of a file, found \"../x\"");
  CHECK(open(R"({"weight_map":{"a":"none"}})") == "DIR/none: cannot open it: No such file or directory");
  CHECK(open(R"({"weight_map":{"a":"one.safetensors"}})")
            .find("DIR/one.safetensors: expected tensor \"a\" by ") == 0);
}

TEST_CASE("a safetensors file with flipped bytes is read or refused, and its views stay inside it") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  const auto whole =
      safetensors_bytes(header({entry("a", "F32", "[1,2]", "[0,8]"), entry("b", "BF16", "[3]", "[8,14]")}),
                        std::string(14, '\1'));
  std::size_t refused = 0;
  for (int round = 0; round < 20000; ++round) {
    auto file = whole;
    for (int flips = 1 + static_cast<int>(random() % 3); flips > 0; --flips) {
      file[random() % file.size()] =
          static_cast<char>(random() % 2 == 0 ? '0' + random() % 10 : random() % 128);
    }
    try {
      for (const auto& [name, view] : parse(file)) {
        REQUIRE(view.data.data() >= as_bytes(file).data());
        REQUIRE(view.data.data() + view.data.size() <= as_bytes(file).data() + file.size());
      }
    } catch (const Error&) {
      ++refused;
    }
  }
  CHECK(refused > 1000);
  CHECK(refused < 20000);
}
