#include "bench/onednn_rival.h"

#include <cstring>
#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>
#include <vector>

// The OpenMP runtime that oneDNN is linked with. Declared here: clang has no omp.h beside GCC's library.
extern "C" void omp_set_num_threads(int threads);

namespace nybble::bench {
namespace {

using dnnl::memory;

struct Level {
  std::string_view isa;
  dnnl::cpu_isa limit;
};
constexpr Level kLevels[] = {{"amx", dnnl::cpu_isa::avx512_core_amx},
                             {"avx512vnni", dnnl::cpu_isa::avx512_core_vnni},
                             {"avx512", dnnl::cpu_isa::avx512_core},
                             {"avxvnni", dnnl::cpu_isa::avx2_vnni},
                             {"avx2", dnnl::cpu_isa::avx2}};

const dnnl::engine& cpu_engine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

dnnl::matmul::primitive_desc describe(OnednnRival::Type type, int m, int n, int k) {
  const bool int8 = type == OnednnRival::Type::int8;
  const auto a_type = int8 ? memory::data_type::u8 : memory::data_type::f32;
  const auto w_type = int8 ? memory::data_type::s8 : memory::data_type::f32;
  const memory::desc a({m, k}, a_type, memory::format_tag::ab), w({k, n}, w_type, memory::format_tag::any);
  const memory::desc c({m, n}, memory::data_type::f32, memory::format_tag::ab);
  const memory::desc bias({1, n}, memory::data_type::f32, memory::format_tag::ab);
  dnnl::primitive_attr attributes;
  constexpr int kEachColumn = 1 << 1;
#if DNNL_VERSION_MAJOR >= 3
  if (int8) attributes.set_scales_mask(DNNL_ARG_WEIGHTS, kEachColumn);
  return dnnl::matmul::primitive_desc(cpu_engine(), a, w, bias, c, attributes);
#else
  if (int8) attributes.set_output_scales(kEachColumn, std::vector<float>(static_cast<std::size_t>(n), 0.01F));
  return dnnl::matmul::primitive_desc(dnnl::matmul::desc(a, w, bias, c), attributes, cpu_engine());
#endif
}

memory filled(const memory::desc& description) {
  memory result(description, cpu_engine());
  // As 8-bit codes and as floats the same byte is a small number.
  std::memset(result.get_data_handle(), 0x3C, description.get_size());
  return result;
}

}  // namespace

struct OnednnRival::Impl {
  dnnl::stream stream{cpu_engine()};
  dnnl::matmul primitive;
  std::unordered_map<int, memory> arguments;
  std::string name;
};

bool limit_onednn(std::string_view isa) {
  omp_set_num_threads(1);
  for (const Level& level : kLevels) {
    if (level.isa != isa) continue;
    return dnnl::set_max_cpu_isa(level.limit) == dnnl::status::success;
  }
  return false;
}

OnednnRival::OnednnRival(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

std::optional<OnednnRival> OnednnRival::make(Type type, int m, int n, int k) {
  try {
    auto impl = std::make_unique<Impl>();
    const auto description = describe(type, m, n, k);
    impl->primitive = dnnl::matmul(description);
    impl->name = description.impl_info_str();
    const memory::desc bias({1, n}, memory::data_type::f32, memory::format_tag::ab);
    impl->arguments = {{DNNL_ARG_SRC, filled(description.src_desc())},
                       {DNNL_ARG_WEIGHTS, filled(description.weights_desc())},
                       {DNNL_ARG_BIAS, filled(bias)},
                       {DNNL_ARG_DST, filled(description.dst_desc())}};
#if DNNL_VERSION_MAJOR >= 3
    const memory::desc scales({n}, memory::data_type::f32, memory::format_tag::a);
    if (type == Type::int8) impl->arguments.emplace(DNNL_ARG_ATTR_SCALES | DNNL_ARG_WEIGHTS, filled(scales));
#endif
    return OnednnRival(std::move(impl));
  } catch (const dnnl::error&) {
    return std::nullopt;
  }
}

OnednnRival::~OnednnRival() = default;
OnednnRival::OnednnRival(OnednnRival&&) noexcept = default;
OnednnRival& OnednnRival::operator=(OnednnRival&&) noexcept = default;

void OnednnRival::run() const {
  impl_->primitive.execute(impl_->stream, impl_->arguments);
  impl_->stream.wait();
}

const std::string& OnednnRival::name() const { return impl_->name; }

}  // namespace nybble::bench
