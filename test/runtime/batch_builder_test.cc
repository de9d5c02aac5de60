#include "runtime/batch_builder.h"

#include <catch2/catch.hpp>
#include <vector>

#include "loader/temporary_folder.h"

using namespace nybble;
using runtime::Batch;
using runtime::BatchBuilder;
using test::failure_of;
using Ids = std::vector<std::int32_t>;

namespace {

graph::EncoderSizes sizes() {
  graph::EncoderSizes sizes;
  sizes.vocabulary = 10;
  sizes.positions = 4;
  sizes.token_types = 2;
  return sizes;
}

Ids values(const std::int32_t* begin, int count) { return {begin, begin + count}; }

}  // namespace

TEST_CASE("sequences are laid end to end with positions, types, borders and an order, longest first") {
  const graph::EncoderSizes limits = sizes();
  BatchBuilder builder(limits, 100);
  REQUIRE(builder.empty());
  builder.add(Ids{1, 2}, {}, 0);
  builder.add(Ids{3, 4, 5, 9}, Ids{0, 0, 1, 1}, 1);
  builder.add(Ids{0}, {}, 2);
  float out = 0;
  const Batch batch = builder.batch(&out);
  REQUIRE(batch.tokens == 7);
  REQUIRE(batch.sequences == 3);
  REQUIRE(batch.out == &out);
  REQUIRE(values(batch.ids, 7) == Ids{1, 2, 3, 4, 5, 9, 0});
  REQUIRE(values(batch.positions, 7) == Ids{0, 1, 0, 1, 2, 3, 0});
  REQUIRE(values(batch.types, 7) == Ids{0, 0, 0, 0, 1, 1, 0});
  REQUIRE(values(batch.cu_seqlens, 4) == Ids{0, 2, 6, 7});
  REQUIRE(values(batch.order, 3) == Ids{1, 0, 2});
}

TEST_CASE("positions may begin past 0, and pass over tokens that do not count") {
  graph::EncoderSizes limits = sizes();
  limits.first_position = 2;
  limits.uncounted_id = 1;
  BatchBuilder builder(limits, 100);
  builder.add(Ids{5, 1, 6, 1}, {}, 0);
  builder.add(Ids{1}, {}, 1);
  builder.add(Ids{0, 7, 8, 9}, {}, 2);
  REQUIRE(values(builder.batch(nullptr).positions, 9) == Ids{2, 1, 3, 1, 1, 2, 3, 4, 5});
  REQUIRE(failure_of([&] {
            builder.add(Ids{0, 1, 1, 1, 1}, {}, 3);
          }).sentence == "sequence 3: expected at most 4 tokens, found 5");
}

TEST_CASE("a model without token types ignores those of a text") {
  graph::EncoderSizes limits = sizes();
  limits.token_types = 0;
  BatchBuilder builder(limits, 100);
  builder.add(Ids{5, 6}, Ids{0, 1}, 0);
  REQUIRE(builder.batch(nullptr).tokens == 2);
}

TEST_CASE("a cleared builder begins anew, with no types of the batch before") {
  const graph::EncoderSizes limits = sizes();
  BatchBuilder builder(limits, 100);
  builder.add(Ids{3, 4}, Ids{1, 1}, 0);
  builder.clear();
  REQUIRE(builder.empty());
  REQUIRE(builder.tokens() == 0);
  builder.add(Ids{5, 6}, {}, 0);
  const Batch batch = builder.batch(nullptr);
  REQUIRE(values(batch.types, 2) == Ids{0, 0});
  REQUIRE(values(batch.ids, 2) == Ids{5, 6});
  REQUIRE(values(batch.cu_seqlens, 2) == Ids{0, 2});
}

TEST_CASE("a sequence fits until max_tokens; one that is longer has a batch of its own") {
  const graph::EncoderSizes limits = sizes();
  BatchBuilder builder(limits, 3);
  REQUIRE(builder.fits(4));
  builder.add(Ids{1, 2}, {}, 0);
  REQUIRE(builder.fits(1));
  REQUIRE_FALSE(builder.fits(2));
}

TEST_CASE("a sequence that cannot be is an error that names it, and leaves the batch as it was") {
  const graph::EncoderSizes limits = sizes();
  BatchBuilder builder(limits, 100);
  builder.add(Ids{1, 2}, {}, 0);
  const auto add = [&](const Ids& ids, const Ids& types = {}) {
    return failure_of([&] { builder.add(ids, types, 41); });
  };
  REQUIRE(add({}).sentence == "sequence 41: expected at least one id, found none");
  REQUIRE(add({1, 10}).sentence == "sequence 41: expected token ids from 0 to 9, found 10");
  REQUIRE(add({-1}).sentence == "sequence 41: expected token ids from 0 to 9, found -1");
  REQUIRE(add({1}, {2}).sentence == "sequence 41: expected token types from 0 to 1, found 2");
  REQUIRE(add({1, 1, 1, 1, 1}).sentence == "sequence 41: expected at most 4 tokens, found 5");
  REQUIRE(add({1, 1, 1, 1, 1}).code == ErrorCode::too_long);
  REQUIRE(add({1, 10}).code == ErrorCode::bad_input);
  REQUIRE(builder.tokens() == 2);
  REQUIRE(builder.sequences() == 1);
}
