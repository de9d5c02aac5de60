#include "runtime/equal_sequences.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <vector>

using namespace nybble::runtime;
using Ids = std::vector<std::int32_t>;

TEST_CASE("sequences are equal if ids and types are, and types of zeros are as none") {
  EqualSequences equal;
  const auto add = [&](const Ids& ids, const Ids& types, std::size_t row) {
    const std::size_t* found = equal.find(ids, types);
    if (!found) equal.keep(row);
    return found ? *found : row;
  };
  REQUIRE(add({1, 2}, {}, 0) == 0);
  REQUIRE(add({1, 2, 3}, {}, 1) == 1);
  REQUIRE(add({2, 1}, {}, 2) == 2);
  REQUIRE(add({1, 2}, {0, 0}, 3) == 0);
  REQUIRE(add({1, 2}, {0, 1}, 4) == 4);
  REQUIRE(add({1, 2, 0, 1}, {}, 5) == 5);
  REQUIRE(add({1, 2}, {1, 0}, 6) == 6);
  REQUIRE(add({1, 2}, {0, 1}, 7) == 4);
  equal.forget();
  REQUIRE(add({1, 2}, {}, 8) == 8);
}

TEST_CASE("rows are spread to their places, those of equal sequences copied, whatever comes before") {
  const unsigned seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 200; ++round) {
    const std::size_t columns = 1 + random() % 3, sequences = 1 + random() % 30;
    const unsigned copies = random() % 4;  // of 4 sequences
    std::vector<RowPlace> places;
    std::vector<float> expected;
    for (std::size_t i = 0, row = 0; i < sequences; ++i) {
      const RowPlace* of =
          places.empty() || random() % 4 >= copies ? nullptr : &places[random() % places.size()];
      const RowPlace place =
          of ? RowPlace{row, of->computed_row, of->rows} : RowPlace{row, row, 1 + random() % 3};
      for (std::size_t k = 0; k < place.rows * columns; ++k) {
        const float fresh = static_cast<float>(expected.size() + 1);
        expected.push_back(of ? expected[place.computed_row * columns + k] : fresh);
      }
      places.push_back(place);
      row += place.rows;
    }
    // A batch of all, and one that begins in the middle, the rows before it in their places already.
    for (const std::size_t first : {std::size_t{0}, places.size() / 2}) {
      const std::size_t begin = places[first].row * columns;
      std::vector<float> rows = expected;
      auto packed = rows.begin() + static_cast<std::ptrdiff_t>(begin);
      for (std::size_t i = first; i < places.size(); ++i) {
        if (places[i].is_copy()) continue;
        const auto from = expected.begin() + static_cast<std::ptrdiff_t>(places[i].row * columns);
        packed = std::copy_n(from, places[i].rows * columns, packed);
      }
      std::fill(packed, rows.end(), -1.0f);
      spread_rows(std::span(places).subspan(first), rows.data() + begin, columns);
      REQUIRE(rows == expected);
    }
  }
}

TEST_CASE("no places are no work") { spread_rows({}, nullptr, 4); }
