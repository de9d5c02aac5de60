// Memory on pages.
#include "quant/pages.h"

#include <catch2/catch.hpp>
#include <cstdint>
#include <utility>

using nybble::quant::Pages;

TEST_CASE("pages begin at 2 MiB, hold what was asked for, and are zero", "[pages]") {
  for (const std::size_t bytes : {std::size_t{1}, std::size_t{100'000}, std::size_t{3'000'000}}) {
    const Pages pages(bytes);
    CHECK(reinterpret_cast<std::uintptr_t>(pages.data()) % (std::size_t{2} << 20) == 0);
    CHECK(pages.size() == bytes);
    std::size_t zeros = 0;
    for (std::size_t i = 0; i < bytes; ++i) zeros += pages.data()[i] == std::byte{0};
    CHECK(zeros == bytes);
    pages.data()[bytes - 1] = std::byte{1};
  }
}

TEST_CASE("pages move with what was written", "[pages]") {
  Pages first(5'000'000);
  first.data()[4'999'999] = std::byte{7};
  Pages second;
  second = std::move(first);
  CHECK(second.data()[4'999'999] == std::byte{7});
  CHECK(first.data() == nullptr);
}

TEST_CASE("no bytes need no pages", "[pages]") { CHECK(Pages(0).data() == nullptr); }
