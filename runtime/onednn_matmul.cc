#include "runtime/onednn_matmul.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <iterator>
#include <oneapi/dnnl/dnnl.hpp>
#include <vector>

#include "nybble/error.h"

// The OpenMP runtime that oneDNN is linked with. Declared here: clang has no omp.h beside GCC's library.
extern "C" int omp_get_max_threads();
extern "C" void omp_set_num_threads(int threads);

namespace nybble::runtime {
namespace {

using dnnl::memory;

// A primitive is made for a number of rows. Blocks of any size are cut into powers of two up to this, so that
// a layer needs seven primitives and not one a length.
constexpr int kMaxRows = 64;
constexpr int kPrimitives = std::bit_width(static_cast<unsigned>(kMaxRows));

const dnnl::engine& cpu_engine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

dnnl::stream& thread_stream() {
  thread_local dnnl::stream stream(cpu_engine());
  return stream;
}

/// Debian's oneDNN is built on OpenMP: without this every TBB worker would start a team of its own.
class OneOpenMpThread {
 public:
  OneOpenMpThread() : saved_(omp_get_max_threads()) {
    if (saved_ != 1) omp_set_num_threads(1);
  }
  ~OneOpenMpThread() {
    if (saved_ != 1) omp_set_num_threads(saved_);
  }
  OneOpenMpThread(const OneOpenMpThread&) = delete;
  OneOpenMpThread& operator=(const OneOpenMpThread&) = delete;

 private:
  int saved_;
};

struct Shape {
  int n, k;
  std::ptrdiff_t ldx, ldy;
};

dnnl::matmul::primitive_desc make_primitive(const Shape& shape, int m, const memory::desc& weights) {
  const memory::desc x({m, shape.k}, memory::data_type::f32, memory::dims{shape.ldx, 1});
  const memory::desc y({m, shape.n}, memory::data_type::f32, memory::dims{shape.ldy, 1});
  const memory::desc bias({1, shape.n}, memory::data_type::f32, memory::dims{shape.n, 1});
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
#if DNNL_VERSION_MAJOR >= 3
  return dnnl::matmul::primitive_desc(cpu_engine(), x, weights, bias, y, attributes);
#else
  return dnnl::matmul::primitive_desc(dnnl::matmul::desc(x, weights, bias, y), attributes, cpu_engine());
#endif
}

/// The block of scratch that oneDNN asks for, one a thread, kept between calls.
std::byte* thread_scratchpad(std::size_t bytes) {
  thread_local std::vector<std::byte> scratchpad;
  if (scratchpad.size() < bytes + 64) scratchpad.resize(bytes + 64);
  void* data = scratchpad.data();
  std::size_t space = scratchpad.size();
  return static_cast<std::byte*>(std::align(64, bytes, data, space));
}

#if DNNL_VERSION_MAJOR >= 3
const_dnnl_memory_desc_t as_c(const memory::desc& layout) { return layout.get(); }
#else
const dnnl_memory_desc_t* as_c(const memory::desc& layout) { return &layout.data; }
#endif

/// What oneDNN reads or writes in one call, by its C interface: objects of the C++ one are shared pointers,
/// each of which we would allocate.
class CallMemory {
 public:
  CallMemory(const memory::desc& layout, const void* data) {
    dnnl::error::wrap_c_api(
        dnnl_memory_create(&memory_, as_c(layout), cpu_engine().get(), const_cast<void*>(data)),
        "cannot take memory");
  }
  ~CallMemory() { dnnl_memory_destroy(memory_); }
  CallMemory(const CallMemory&) = delete;
  CallMemory& operator=(const CallMemory&) = delete;

  dnnl_memory_t get() const { return memory_; }

 private:
  dnnl_memory_t memory_ = nullptr;
};

/// A primitive for a number of rows, and what each call gives it.
struct RowsPrimitive {
  dnnl::matmul primitive;
  memory::desc x, y, bias, scratchpad;
  std::size_t scratchpad_bytes = 0;
};

}  // namespace

struct OnednnMatmul::Impl {
  Shape shape;
  std::vector<float> bias;
  memory weights;
  memory::desc weights_layout;
  std::array<RowsPrimitive, kPrimitives> primitives;  ///< for 1, 2, 4, … kMaxRows rows
  std::string name;

  /// Makes all primitives for weights laid out as `layout`; throws dnnl::error where one cannot take them.
  void make(const memory::desc& layout) {
    for (int i = kPrimitives - 1; i >= 0; --i) {
      const bool first = i == kPrimitives - 1;
      const auto made = make_primitive(shape, 1 << i, first ? layout : weights_layout);
      if (first) weights_layout = made.weights_desc();
      if (first) name = std::string("onednn:") + made.impl_info_str();
      primitives[static_cast<std::size_t>(i)] = {dnnl::matmul(made),     made.src_desc(),
                                                 made.dst_desc(),        made.bias_desc(),
                                                 made.scratchpad_desc(), made.scratchpad_desc().get_size()};
    }
  }

  void take_weights(std::span<const float> w, const memory::desc& plain) {
    // Given as [n][k], which is K × N column by column. oneDNN only reads it.
    memory source(plain, cpu_engine(), const_cast<float*>(w.data()));
    weights = memory(weights_layout, cpu_engine());
    dnnl::reorder(source, weights).execute(thread_stream(), source, weights);
    thread_stream().wait();
  }
};

OnednnMatmul::OnednnMatmul(std::span<const float> w, std::span<const float> bias, int n, int k,
                           std::ptrdiff_t ldx, std::ptrdiff_t ldy)
    : impl_(std::make_unique<Impl>()) {
  const OneOpenMpThread one_thread;
  impl_->shape = {n, k, ldx, ldy};
  impl_->bias.assign(bias.begin(), bias.end());
  impl_->bias.resize(static_cast<std::size_t>(n));
  const memory::desc plain({k, n}, memory::data_type::f32, memory::dims{1, k});
  try {
    try {
      impl_->make(memory::desc({k, n}, memory::data_type::f32, memory::format_tag::any));
    } catch (const dnnl::error&) {
      impl_->make(plain);
    }
    impl_->take_weights(w, plain);
  } catch (const dnnl::error& error) {
    throw Error(ErrorCode::unsupported_model, "oneDNN has no FP32 product of " + std::to_string(n) + " × " +
                                                  std::to_string(k) + " here: " + error.what());
  }
}

OnednnMatmul::~OnednnMatmul() = default;
OnednnMatmul::OnednnMatmul(OnednnMatmul&&) noexcept = default;

void OnednnMatmul::run(const float* x, int m, float* y) const {
  const OneOpenMpThread one_thread;
  dnnl::stream& stream = thread_stream();
  for (int row = 0; row < m;) {
    const int log_rows =
        std::min(kPrimitives, static_cast<int>(std::bit_width(static_cast<unsigned>(m - row)))) - 1;
    const RowsPrimitive& rows = impl_->primitives[static_cast<std::size_t>(log_rows)];
    const CallMemory in(rows.x, x + row * impl_->shape.ldx), out(rows.y, y + row * impl_->shape.ldy),
        bias(rows.bias, impl_->bias.data()),
        scratchpad(rows.scratchpad, thread_scratchpad(rows.scratchpad_bytes));
    const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, in.get()},
                                         {DNNL_ARG_WEIGHTS, impl_->weights.get()},
                                         {DNNL_ARG_BIAS, bias.get()},
                                         {DNNL_ARG_DST, out.get()},
                                         {DNNL_ARG_SCRATCHPAD, scratchpad.get()}};
    dnnl::error::wrap_c_api(dnnl_primitive_execute(rows.primitive.get(), stream.get(),
                                                   static_cast<int>(std::size(arguments)), arguments),
                            "cannot execute a product");
    stream.wait();
    row += 1 << log_rows;
  }
}

std::size_t OnednnMatmul::bytes() const { return impl_->weights.get_desc().get_size(); }
const std::string& OnednnMatmul::name() const { return impl_->name; }

}  // namespace nybble::runtime
