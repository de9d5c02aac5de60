// What makes integers of floats.
#include <fmt/format.h>

#include <algorithm>

#include "bench/entry_bench.h"
#include "kernels/registry.h"

namespace nybble::bench {

using kernels::KernelSet;

void bench_quantize_rows_u8(EntryBench& bench) {
  for (const int k : {384, 768, 1536}) {
    constexpr int kRows = 16;
    Floats x(kRows * k);
    std::vector<std::uint8_t> q(static_cast<std::size_t>(kRows * k));
    std::vector<kernels::RowScale> rows(static_cast<std::size_t>(kRows * kernels::row_block_count(k)));
    bench.time(
        {.what = fmt::format("{} rows of {}", kRows, k),
         .elements = 1.0 * kRows * k,
         .bytes = 5.0 * kRows * k,
         .m = kRows,
         .n = k},
        {std::as_writable_bytes(std::span(q)), std::as_writable_bytes(std::span(rows))},
        [&](const KernelSet& set) { set.quantize_rows_u8(x.data(), k, kRows, k, q.data(), k, rows.data()); });
  }
}

void bench_absmax(EntryBench& bench) {
  constexpr int kCount = 768;
  Floats x(kCount), most(1);
  bench.time({.what = fmt::format("{} values", kCount),
              .elements = kCount,
              .bytes = 4.0 * kCount,
              .m = 1,
              .n = kCount},
             {most.bytes()}, [&](const KernelSet& set) { *most.data() = set.absmax(x.data(), kCount); });
}

void bench_quantize_rows_u4(EntryBench& bench) {
  constexpr int kRows = 16, kK = 384;
  for (const int row_block : {0, 32}) {
    Floats x(kRows * kK);
    std::vector<std::uint8_t> q(kRows * kK / 2);
    std::vector<kernels::RowScale> rows(
        static_cast<std::size_t>(kRows * kernels::row_block_count(kK, {.bits = 4, .row_block = row_block})));
    const std::string blocks = row_block == 0 ? "" : fmt::format(", blocks of {}", row_block);
    bench.time({.what = fmt::format("{} rows of {}{}", kRows, kK, blocks),
                .elements = kRows * kK,
                .bytes = 4.5 * kRows * kK,
                .m = kRows,
                .n = kK},
               {std::as_writable_bytes(std::span(q)), std::as_writable_bytes(std::span(rows))},
               [&](const KernelSet& set) {
                 set.quantize_rows_u4(x.data(), kK, kRows, kK, row_block, q.data(), kK / 2, rows.data());
               });
  }
}

namespace {

struct NamedFormat {
  const char* name;
  kernels::PackFormat format;
};
constexpr NamedFormat kFormats[] = {{"8 bits", {.bits = 8}},
                                    {"5 bits", {.bits = 5}},
                                    {"4 bits", {.bits = 4}},
                                    {"4 bits, groups of 32", {.bits = 4, .group = 32}},
                                    {"4 bits, groups of 128", {.bits = 4, .group = 128}}};

/// A layer of 384 x 384 and room for its pack.
struct LayerToPack {
  static constexpr int kN = 384, kK = 384;
  Floats w{kN * kK}, scale{kN * kK / 32}, pack{kernels::packed_bytes(kN, kK) / 4};

  LayerToPack() { std::fill_n(scale.data(), kN * kK / 32, 0.2F); }
  void run(const KernelSet& set, const kernels::PackFormat& format) {
    const kernels::PackArgs args{.w = w.data(),
                                 .ldw = kK,
                                 .n = kN,
                                 .k = kK,
                                 .scale = scale.data(),
                                 .zero = nullptr,
                                 .bias = nullptr,
                                 .pack = reinterpret_cast<std::byte*>(pack.data()),
                                 .format = format};
    for (int panel = 0; panel < kernels::panel_count(kN); ++panel) set.pack(args, panel);
  }
  EntryWork work(const NamedFormat& format) const {
    return {.what = fmt::format("{} x {}, {}", kN, kK, format.name),
            .elements = kN * kK,
            .bytes = 4.0 * kN * kK + static_cast<double>(kernels::packed_bytes(kN, kK, format.format)),
            .m = kN,
            .n = kK};
  }
};

}  // namespace

void bench_pack(EntryBench& bench) {
  for (const NamedFormat& format : kFormats) {
    LayerToPack layer;
    bench.time(layer.work(format),
               {layer.pack.bytes().first(kernels::packed_bytes(layer.kN, layer.kK, format.format))},
               [&](const KernelSet& set) { layer.run(set, format.format); });
  }
}

void bench_unpack(EntryBench& bench) {
  for (const NamedFormat& format : kFormats) {
    LayerToPack layer;
    Floats w(layer.kN * layer.kK);
    layer.run(kernels::find_set("scalar"), format.format);
    bench.time(layer.work(format), {w.bytes()}, [&](const KernelSet& set) {
      for (int panel = 0; panel < kernels::panel_count(layer.kN); ++panel) {
        set.unpack(reinterpret_cast<const std::byte*>(layer.pack.data()), layer.kN, layer.kK, format.format,
                   panel, w.data(), layer.kK);
      }
    });
  }
}

}  // namespace nybble::bench
