// Rows to u8 through an activation, on vectors of 16 floats.
#pragma once

#include "kernels/portable/quantize.h"

namespace nybble::kernels {

// Activated values wait in a ring that stays in L1. Their codes are made chunk + 1 blocks later, by the loop
// that activates another block into the same place of the ring, so that only codes go back to L2. A few
// blocks are changed where they stand instead: fetching the ring would cost more.

/// Activates x[0..n) to y, its range to place `at` of `ranges`; HasCodes: and makes the codes of `block`, as
/// long, whose values may stand in y before.
template <class V, V (*function)(V), bool HasCodes>
[[gnu::noinline]] void activate_block(const float* x, int n, float* y, const KnownBlock& block,
                                      BlockRanges& ranges, int at) {
  const V scale = V::set(block.inverse), offset = V::set(block.zero);
  const float* waiting = block.x;
  std::uint8_t* q = block.q;
  RangeLanes<V> lanes, others;  // two chains
  int i = 0;
  for (; i + 64 <= n; i += 64) {
    if constexpr (HasCodes) write_64_codes(waiting + i, scale, offset, q + i);
#pragma GCC unroll 4
    for (int j = 0; j < 64; j += 16) {
      const V value = function(V::load(x + i + j));
      value.store(y + i + j);
      (j % 32 == 0 ? lanes : others).widen(value);
    }
  }
  lanes.high = V::max_signed(lanes.high, others.high);
  lanes.low = V::max_unsigned(lanes.low, others.low);
  if constexpr (HasCodes) write_codes(waiting, i, n, scale, offset, q);
  for (; i + 16 <= n; i += 16) {
    const V value = function(V::load(x + i));
    value.store(y + i);
    lanes.widen(value);
  }
  if (i < n) {
    function(V::load_first(x + i, n - i)).store_first(y + i, n - i);
    lanes.widen(V::load_first(y + i, n - i));  // f(0) beyond the row must not count
  }
  ranges.set<V>(at, lanes);
}

template <class V>
[[gnu::noinline]] void write_block(const KnownBlock& block) {
  write_codes(block.x, 0, block.k, V::set(block.inverse), V::set(block.zero), block.q);
}

/// Floats of the ring: kBlocksTogether + 1 blocks of kRowBlockDepth, or 5 of kSingleBlockDepth.
inline constexpr int kRingFloats = 5 * kSingleBlockDepth;
static_assert(kRingFloats >= (kBlocksTogether + 1) * kRowBlockDepth);

/// Each value becomes function(value) before its row is quantized.
template <class V, V (*function)(V)>
void activate_quantize_rows_u8(const ActivatedRows& args) noexcept {
  const auto walk = walk_of(args);
  const std::ptrdiff_t count = static_cast<std::ptrdiff_t>(walk.m) * (walk.block_end - walk.block_begin);
  const int chunk = chunk_of(walk.depth, count), lag = chunk + 1;
  const bool in_place = count <= kBlocksTogether;
  alignas(64) float ring[kRingFloats];
  BlockRanges ranges;
  BlockParameters parameters[2];
  typename BlockWalk<float>::Place next{0, walk.block_begin}, coded = next;
  int slot = 0, coded_slot = 0, at = 0, coded_at = 0, turn = 0, coded_turn = 0;
  for (std::ptrdiff_t t = 0; t < count + lag; ++t) {
    KnownBlock block{};
    bool has_codes = false;
    if (t >= lag) {
      block = walk.known(coded, parameters[coded_turn], coded_at);
      if (!in_place) block.x = ring + coded_slot * walk.depth;
      has_codes = begin_codes(block, parameters[coded_turn].scale[coded_at], walk.row(coded));
      walk.advance(coded);
      if (++coded_slot == lag) coded_slot = 0;
      if (++coded_at == chunk) coded_at = 0, coded_turn ^= 1;
    }
    if (t >= count) {
      if (has_codes) write_block<V>(block);
      continue;
    }
    const int n = walk.length(next);
    float *x = walk.values(next), *y = in_place ? x : ring + slot * walk.depth;
    if (has_codes && block.k == n) {
      activate_block<V, function, true>(x, n, y, block, ranges, at);
    } else {
      if (has_codes) write_block<V>(block);
      activate_block<V, function, false>(x, n, y, block, ranges, at);
    }
    walk.advance(next);
    if (++slot == lag) slot = 0;
    if (++at == chunk || t + 1 == count) {
      ranges.compute<V>(parameters[turn]);
      at = 0, turn ^= 1;
    }
  }
  walk.pad();
}

}  // namespace nybble::kernels
