// The smallest use of the library: embeds the texts given as arguments and prints how close each is to the
// first.
//
//   embed_texts MODEL TEXT TEXT…
#include <nybble/nybble.h>

#include <cstdio>
#include <exception>
#include <numeric>
#include <string_view>
#include <vector>

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: embed_texts MODEL TEXT TEXT…\n");
    return 2;
  }
  try {
    const nybble::Model model = nybble::Model::load(argv[1]);
    const std::vector<std::string_view> texts(argv + 2, argv + argc);
    const std::size_t hidden = model.info().dimensions;
    std::vector<float> rows(texts.size() * hidden);
    model.encode(texts, rows);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      // The default model's rows have length 1, so that a dot product is a cosine.
      const float* row = rows.data() + i * hidden;
      std::printf("%.4f\t%s\n", static_cast<double>(std::inner_product(row, row + hidden, rows.data(), 0.0f)),
                  argv[i + 2]);
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "embed_texts: %s\n", error.what());
    return 1;
  }
}
