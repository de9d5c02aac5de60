#include "tokenizer/word_cache.h"

#include <cstring>

namespace nybble::tokenizer {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

std::uint64_t header(std::uint64_t writes, std::size_t size, std::size_t count) {
  return (writes & 0x7FFFFFFF) << 1 | std::uint64_t{size} << 32 | std::uint64_t{count} << 40;
}

bool end_to_end(std::span<const ModelToken> tokens, std::size_t size) {
  std::uint32_t at = 0;
  for (const ModelToken& token : tokens) {
    if (token.begin != at || token.end <= at) return false;
    at = token.end;
  }
  return at == size;
}

}  // namespace

WordCache::Key WordCache::key(std::string_view word) {
  Key out{{}, word.size(), 0};
  std::memcpy(out.bytes.data(), word.data(), word.size());
  std::uint64_t hash = out.bytes[0] * 0x9E3779B97F4A7C15;
  hash = (hash ^ hash >> 32 ^ out.bytes[1]) * 0xD6E8FEB86659FD93;
  hash = (hash ^ hash >> 32 ^ out.bytes[2] ^ word.size()) * 0xC2B2AE3D27D4EB4F;
  out.place = hash >> 49;
  static_assert(kPlaces == std::size_t{1} << (64 - 49));
  return out;
}

bool WordCache::find(const Key& key, std::vector<ModelToken>& out) const {
  const auto& words = places_[key.place].words;
  const std::uint64_t before = words[0].load(std::memory_order_acquire);
  if ((before & 1) != 0 || (before >> 32 & 0xFF) != key.size) return false;
  for (std::size_t i = 0; i < 3; ++i) {
    if (words[1 + i].load(kRelaxed) != key.bytes[i]) return false;
  }
  std::array<std::uint64_t, 4> payload;
  for (std::size_t i = 0; i < 4; ++i) payload[i] = words[4 + i].load(kRelaxed);
  std::atomic_thread_fence(std::memory_order_acquire);
  if (words[0].load(kRelaxed) != before) return false;
  const std::size_t count = before >> 40;
  if (count == 0) return false;
  std::uint64_t sizes = payload[2] >> 32;
  constexpr std::size_t kWordOfId[] = {0, 0, 1, 1, 3, 3, 2};
  std::uint32_t begin = 0;
  for (std::size_t i = 0; i < count; ++i, sizes >>= kSizeBits) {
    const std::uint64_t pair = payload[kWordOfId[i]];
    const auto id = static_cast<std::int32_t>(i % 2 == 0 ? pair & 0xFFFFFFFF : pair >> 32);
    const auto last = static_cast<std::uint32_t>(key.size);
    const std::uint32_t end = i + 1 == count ? last : begin + static_cast<std::uint32_t>(sizes & 31);
    out.push_back({id, begin, end});
    begin = end;
  }
  return true;
}

void WordCache::keep(const Key& key, std::span<const ModelToken> tokens) const {
  if (tokens.empty() || tokens.size() > kMostTokens || !end_to_end(tokens, key.size)) return;
  std::array<std::uint64_t, 8> ids{};
  std::uint64_t sizes = 0;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    ids[i] = static_cast<std::uint32_t>(tokens[i].id);
    if (i + 1 < tokens.size()) sizes |= std::uint64_t{tokens[i].end - tokens[i].begin} << (kSizeBits * i);
  }
  auto& words = places_[key.place].words;
  std::uint64_t before = words[0].load(kRelaxed);
  if ((before & 1) != 0 || !words[0].compare_exchange_strong(before, before | 1, std::memory_order_acquire))
    return;
  std::atomic_thread_fence(std::memory_order_release);
  for (std::size_t i = 0; i < 3; ++i) words[1 + i].store(key.bytes[i], kRelaxed);
  words[4].store(ids[0] | ids[1] << 32, kRelaxed);
  words[5].store(ids[2] | ids[3] << 32, kRelaxed);
  words[6].store(ids[6] | sizes << 32, kRelaxed);
  words[7].store(ids[4] | ids[5] << 32, kRelaxed);
  words[0].store(header((before >> 1) + 1, key.size, tokens.size()), std::memory_order_release);
}

}  // namespace nybble::tokenizer
