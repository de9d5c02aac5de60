// The products on packed weights against the scalar set.
#include <algorithm>
#include <initializer_list>
#include <string>

#include "test/kernels/check.h"

namespace nybble::kernels::test {
namespace {

enum class Codes { random, least, greatest, zeros, one_hot };

/// One product: an entry, its rows' bits and the format of its weights.
struct Product {
  const char* name;
  void (*KernelSet::*entry)(const GemmArgs&) noexcept;
  int row_bits;
  PackFormat format;
};

struct Shape {
  int m, n, k;
  Codes codes;
  bool with_epilogue;
  bool near_zero = false;  ///< the rows' codes, most of them, as those of real layers are
};

std::string describe(const Product& product, const Shape& s) {
  return std::string(product.name) + " group=" + std::to_string(product.format.group) +
         " row_block=" + std::to_string(product.format.row_block) + " m=" + std::to_string(s.m) +
         " n=" + std::to_string(s.n) + " k=" + std::to_string(s.k) +
         " codes=" + std::to_string(static_cast<int>(s.codes)) + (s.near_zero ? " near zero" : "") +
         (s.with_epilogue ? " epilogue" : "");
}

int weight_code(Random& random, const PackFormat& format, Codes codes, std::size_t i) {
  switch (codes) {
    case Codes::least:
      return least_code(format);
    case Codes::greatest:
      return greatest_code(format);
    case Codes::zeros:
      return middle_code(format);
    case Codes::one_hot:
      return i % 97 == 0 ? greatest_code(format) : middle_code(format);
    default:
      return random.integer(least_code(format), greatest_code(format));
  }
}

/// A pack of weights of the given codes, made by the reference: scales are powers of two times whole numbers,
/// so that each code comes back; one in 16 channels has a huge scale.
void fill_pack(Context& context, const Product& product, const Shape& s, Guarded<std::byte>& pack) {
  const PackFormat& format = product.format;
  const int groups = format.group == 0 ? 1 : group_count(s.k, format);
  const int length = format.group == 0 ? s.k : format.group;
  Guarded<float> w(static_cast<std::size_t>(s.n) * s.k), scale(static_cast<std::size_t>(s.n) * groups),
      bias(s.n);
  Guarded<std::int8_t> zero(scale.size());
  for (int n = 0; n < s.n; ++n) {
    bias[n] = context.random.normal();
    for (int g = 0; g < groups; ++g) {
      const std::size_t at = static_cast<std::size_t>(n) * groups + g;
      scale[at] = 0x1p-9F * static_cast<float>(context.random.integer(1, 255));
      if (context.random.integer(0, 15 * groups) == 0) scale[at] = 0x1p40F;
      zero[at] = static_cast<std::int8_t>(
          format.group == 0 ? middle_code(format)
                            : context.random.integer(least_code(format), greatest_code(format)));
      for (int k = g * length; k < s.k && k < (g + 1) * length; ++k) {
        const std::size_t i = static_cast<std::size_t>(n) * s.k + k;
        w[i] = static_cast<float>(weight_code(context.random, format, s.codes, i) - zero[at]) * scale[at];
      }
    }
  }
  const PackArgs args{w.data(),    s.k,          s.n,
                      s.k,         scale.data(), format.group == 0 ? nullptr : zero.data(),
                      bias.data(), pack.data(),  format};
  for (int p = 0; p < panel_count(s.n); ++p) context.reference.pack(args, p);
  pack.make_read_only();
}

/// Rows as quantize_rows_u8 or _u4 leave them: every code, and the padding of its kind.
void fill_activations(Random& random, const Product& product, const Shape& s, std::ptrdiff_t lda,
                      Guarded<std::uint8_t>& a) {
  const bool extreme = s.codes == Codes::least || s.codes == Codes::greatest;
  for (int m = 0; m < s.m; ++m) {
    for (int k = 0; k < padded_depth(s.k); ++k) {
      const int most = product.row_bits == 8 ? 255 : 15;
      int code = extreme ? most : random.integer(0, most);
      if (k >= s.k) code = product.row_bits == 8 ? 128 : 0;
      if (product.row_bits == 8) {
        a[m * lda + k] = static_cast<std::uint8_t>(code);
      } else {
        std::uint8_t& byte = a[m * lda + k / 8 * 4 + k % 4];
        byte = static_cast<std::uint8_t>(k % 8 < 4 ? code : (byte & 15) | code << 4);
      }
    }
  }
  a.make_read_only();
}

/// Codes of 8 bits of which few are far from their row's zero; some neighbours are together just about 128
/// away, where products of bytes begin to overflow 16 bits. The last quarter of the rows has codes of any
/// size.
void fill_near_zero(Random& random, const Shape& s, std::ptrdiff_t lda, const Guarded<RowScale>& rows,
                    Guarded<std::uint8_t>& a) {
  const int block = row_block_depth(s.k), blocks = row_block_count(s.k);
  const auto code = [](int value) { return static_cast<std::uint8_t>(std::clamp(value, 0, 255)); };
  for (int m = 0; m < s.m; ++m) {
    for (int k = 0; k < padded_depth(s.k); k += 2) {
      const int zero = rows[m * blocks + std::min(k, s.k - 1) / block].zero;
      int first = random.integer(-40, 40), second = random.integer(-40, 40);
      if (random.integer(0, 30) == 0) {
        first = random.integer(1, 127), second = random.integer(127, 130) - first;
        if (random.integer(0, 1) == 0) first = -first, second = -second;
      }
      if (random.integer(0, 60) == 0 || m >= s.m - s.m / 4) first = random.integer(-255, 255);
      a[m * lda + k] = k < s.k ? code(zero + first) : 128;
      a[m * lda + k + 1] = k + 1 < s.k ? code(zero + second) : 128;
    }
  }
  a.make_read_only();
}

/// An epilogue that says where it was, and whether it was there twice.
void add_place(const Tile& tile, const EpilogueArgs*) {
  for (int row = 0; row < tile.rows; ++row) {
    for (int column = 0; column < tile.cols; ++column) {
      float& value = tile.data[row * tile.ld + column];
      value += static_cast<float>((tile.row + row) * 1000 + tile.column + column);
    }
  }
}

void fill_rows(Random& random, int row_bits, Guarded<RowScale>& rows) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i] = {random.normal() * 0.01F, row_bits == 8 ? random.integer(1, 255) : random.integer(0, 15)};
    if (random.integer(0, 20) == 0) rows[i] = {0.0F, row_bits == 8 ? 128 : 8};
    if (random.integer(0, 20) == 0) rows[i] = {0x1p100F, 7};
    if (random.integer(0, 20) == 0) rows[i] = {__builtin_nanf(""), row_bits == 8 ? 128 : 8};
  }
  rows.make_read_only();
}

void check_shape(Context& context, const Product& product, const Shape& s) {
  if (!context.takes()) return;
  const int row_bytes = padded_depth(s.k) * product.row_bits / 8;
  const std::ptrdiff_t lda = row_bytes + context.random.integer(0, 3);
  const std::ptrdiff_t ldc = padded_columns(s.n) + context.random.integer(0, 3);
  Guarded<std::byte> pack(packed_bytes(s.n, s.k, product.format));
  Guarded<std::uint8_t> a((s.m - 1) * lda + row_bytes);
  Guarded<RowScale> rows(static_cast<std::size_t>(s.m) * row_block_count(s.k, product.format));
  const std::size_t size = (s.m - 1) * ldc + padded_columns(s.n);
  Guarded<float> expected(size), actual(size);
  fill_pack(context, product, s, pack);
  fill_rows(context.random, product.row_bits, rows);
  if (s.near_zero) {
    fill_near_zero(context.random, s, lda, rows, a);
  } else {
    fill_activations(context.random, product, s, lda, a);
  }
  GemmArgs args{.a = a.data(),
                .lda = lda,
                .rows = rows.data(),
                .b = pack.data(),
                .m = s.m,
                .n = s.n,
                .k = s.k,
                .panel_begin = 0,
                .panel_end = panel_count(s.n),
                .c = expected.data(),
                .ldc = ldc,
                .epilogue = s.with_epilogue ? add_place : nullptr,
                .format = product.format};
  (context.reference.*product.entry)(args);
  args.c = actual.data();
  // In two calls, as two tasks that share the columns would do it.
  const int split = context.random.integer(0, panel_count(s.n));
  args.panel_end = split;
  if (split > 0) (context.set.*product.entry)(args);
  args.panel_begin = split, args.panel_end = panel_count(s.n);
  if (split < panel_count(s.n)) (context.set.*product.entry)(args);
  context.expect_same(expected, actual, describe(product, s));
}

inline constexpr int kMostTileRows = 14;  ///< of vpdpbusd on zmm; tiles of groups have up to 6

/// Row counts up to two of the largest tile and one, every tail of columns, quads, groups and K blocks.
void check_tails(Context& context, const Product& product) {
  const bool is_plain = product.format == PackFormat{.bits = product.format.bits};
  const int whole = is_plain ? 200 : 65, rows = is_plain ? 2 * kMostTileRows + 1 : 17;
  for (const int k : {1, 2, 3, 4, 5, 7, 31, 33, 63, 64, 65, 130, 384, 1024, 1025, 1540}) {
    for (const int n : {1, 16, 17, 33, 48, 64, 65, 100, 176}) {
      for (int m = 1; m <= rows; ++m) {
        if (k > whole && (m + n + k) % 3 != 0) continue;  // a third of the long ones
        check_shape(context, product, {m, n, k, Codes::random, (m + n) % 2 == 0});
      }
    }
  }
}

/// Row counts up to two of the tallest row block (32, of AMX) and one, for products that have such.
void check_tall(Context& context, const Product& product) {
  for (const int k : {65, 200, 1100}) {
    for (const int n : {16, 33, 112}) {
      for (int m = 18; m <= 65; ++m) check_shape(context, product, {m, n, k, Codes::random, m % 2 == 0});
    }
  }
}

/// Rows as real layers have them, more than a chunk of a product holds too.
void check_near_zero(Context& context, const Product& product) {
  for (const int k : {1, 63, 64, 65, 384, 768, 1024, 1100, 3072}) {
    for (const int n : {16, 48, 64, 112}) {
      for (const int m : {1, 2, 3, 4, 5, 16, 17, 90}) {
        if (m == 90 && (k < 768 || n > 64)) continue;
        for (const Codes codes : {Codes::random, Codes::least, Codes::greatest})
          check_shape(context, product, {m, n, k, codes, (m + n) % 2 == 0, true});
      }
    }
  }
}

void check_extremes(Context& context, const Product& product) {
  for (const Codes codes : {Codes::least, Codes::greatest, Codes::zeros, Codes::one_hot}) {
    for (const int k : {4, 384, 1023, 1024, 3072, 4097}) {
      for (const int m : {1, 5, 6, 13}) check_shape(context, product, {m, 80, k, codes, false});
    }
  }
}

void check_random(Context& context, const Product& product) {
  for (int i = 0; i < 200; ++i) {
    check_shape(context, product,
                {context.random.integer(1, 40), context.random.integer(1, 200),
                 context.random.integer(1, 600), Codes::random, i % 2 == 0});
  }
}

void check_product(Context& context, const Product& product) {
  check_tails(context, product);
  check_extremes(context, product);
  check_random(context, product);
}

void check_groups(Context& context, Product product, std::initializer_list<int> groups) {
  for (const int group : groups) {
    product.format.group = group;
    check_product(context, product);
  }
}

}  // namespace

void check_gemm_u8s8(Context& context) {
  const Product product{"gemm_u8s8", &KernelSet::gemm_u8s8, 8, {}};
  check_product(context, product);
  check_tall(context, product);
  check_near_zero(context, product);
}
void check_gemm_u8s7(Context& context) {
  check_product(context, {"gemm_u8s7", &KernelSet::gemm_u8s7, 8, {.bits = 7}});
}
void check_gemm_u8s6(Context& context) {
  check_product(context, {"gemm_u8s6", &KernelSet::gemm_u8s6, 8, {.bits = 6}});
}
void check_gemm_u8s5(Context& context) {
  check_groups(context, {"gemm_u8s5", &KernelSet::gemm_u8s5, 8, {.bits = 5}}, {0, 32, 64, 128});
}
void check_gemm_u8s4(Context& context) {
  check_groups(context, {"gemm_u8s4", &KernelSet::gemm_u8s4, 8, {.bits = 4}}, {0, 32, 64, 128});
}
void check_gemm_u4s4(Context& context) {
  Product product{"gemm_u4s4", &KernelSet::gemm_u4s4, 4, {.bits = 4}};
  check_groups(context, product, {0, 32, 64, 128});
  for (const int block : {32, 64, 128}) {
    product.format.row_block = block;
    check_groups(context, product, {0, block});
  }
}

}  // namespace nybble::kernels::test
