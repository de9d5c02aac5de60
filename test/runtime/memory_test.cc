// How much memory is resident while a model is loaded and used. Each case runs in a process of its own: what
// malloc keeps of the memory that one gave back would blur the next.
#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <vector>

#include "embedding.h"
#include "folder_plan.h"
#include "random_folder.h"
#include "resident_memory.h"

using namespace nybble;
using namespace nybble::test;

namespace {

constexpr std::size_t kMegabyte = 1'000'000;

/// 116 MB of FP32 weights, of which 113 MB become 28 MB of INT8.
const RandomFolder& large_folder() {
  static const RandomFolder folder(4, 768);
  return folder;
}

/// What is resident of no file with a plan for that many threads, and what the plan says of memory.
struct Resident {
  std::size_t loaded = 0, used = 0;          ///< before it ran, and after all threads had something to do
  std::size_t rows = 0, bytes_a_thread = 0;  ///< of the workspace
};

Resident resident_with(int threads) {
  FolderPlan plan(large_folder().path(), graph::WeightFormat::int8, graph::PoolMode::mean, threads);
  REQUIRE(plan.lowered.linear_bytes > 28 * kMegabyte);
  const runtime::Plan& steps = plan.lowered.plan;
  const auto block = static_cast<std::size_t>(runtime::padded_rows(steps.block_rows));
  Resident found;
  found.bytes_a_thread = block * steps.scratch_row_bytes + steps.own_bytes;
  found.rows = steps.row_bytes * FolderPlan::kMaxTokens;
  const FolderInput input(plan, std::vector<int>(32, 64));
  found.loaded = memory_status("RssAnon");
  for (int i = 0; i < 3; ++i) plan.run(input.batch);
  found.used = memory_status("RssAnon");
  return found;
}

/// 1 to 60 words; every tenth text is one that came before.
class MixedTexts {
 public:
  std::vector<std::string> next(std::size_t count) {
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < count; ++i) texts.push_back(random_() % 10 == 0 && i > 0 ? texts[0] : text());
    return texts;
  }
  std::size_t below(std::size_t n) { return random_() % n; }

 private:
  std::string text() {
    static const std::vector<std::string> kWords = {"the", "of", "a", "lifetime", "most", "zebra", "42", "!"};
    std::string result;
    for (std::size_t i = 1 + random_() % 60; i > 0; --i) result += kWords[random_() % kWords.size()] + " ";
    return result;
  }

  std::mt19937 random_{7};
};

}  // namespace

TEST_CASE("while a model is loaded, less is resident than its FP32 and INT8 weights and 50 MB", "[load]") {
  const std::size_t file = large_folder().weight_bytes();
  const std::size_t before = memory_status("VmHWM");
  for (const int threads : {1, 2}) {
    LoadOptions options;
    options.threads = threads;
    const Model model = Model::load(large_folder().path().string(), options);
    const std::size_t peak = memory_status("VmHWM") - before, int8 = model.info().linear_bytes;
    INFO("threads " << threads << ", peak " << peak << ", INT8 " << int8 << ", file " << file);
    REQUIRE(file > 110 * kMegabyte);
    REQUIRE(int8 > 28 * kMegabyte);
    REQUIRE(peak < file + int8 + 50 * kMegabyte);
    // FP32 pages go back as their linears are packed: they are never all there.
    REQUIRE(peak < int8 + model.info().table_bytes + 50 * kMegabyte);
  }
}

TEST_CASE("a thread more takes its scratch and not the weights", "[threads]") {
  const Resident few = resident_with(1), many = resident_with(5);
  INFO("1 thread: " << few.loaded << ", used " << few.used << "; 5 threads: " << many.loaded << ", used "
                    << many.used << "; rows " << many.rows << ", a thread's scratch " << many.bytes_a_thread);
  constexpr std::size_t kStack = kMegabyte / 2;  // and what else a thread has
  REQUIRE(many.bytes_a_thread == few.bytes_a_thread);
  REQUIRE(many.bytes_a_thread < 2 * kMegabyte);
  // A thread's malloc may keep what it read and packed 64 rows of weights in; another copy of these were 28
  // MB.
  constexpr std::size_t kRowsInWork = 2 * kMegabyte;
  REQUIRE(many.loaded < few.loaded + 4 * (kStack + kRowsInWork));
  REQUIRE(many.used < many.loaded + many.rows + 5 * (many.bytes_a_thread + kStack));
}

TEST_CASE("after 100,000 texts of mixed lengths as much is resident as after 100", "[texts]") {
  for (const int threads : {1, 2}) {
    LoadOptions options;
    options.threads = threads;
    options.batch_tokens = 512;  // which 100 texts fill
    const Model model = load_golden("micro-bert", options);
    MixedTexts texts;
    embed(model, texts.next(100));
    const std::size_t before = memory_status("RssAnon");
    for (std::size_t done = 0; done < 100'000;) {
      const std::vector<std::string> some = texts.next(1 + texts.below(400));
      embed(model, some);
      done += some.size();
    }
    const std::size_t after = memory_status("RssAnon");
    INFO("threads " << threads << ", after 100 texts " << before << " bytes, after 100,000 " << after);
    CHECK(after < before + kMegabyte);
  }
}
