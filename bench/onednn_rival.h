// oneDNN's matrix products, to be timed beside ours. The other file that touches its API.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace nybble::bench {

/// Holds oneDNN to the instructions of one of our sets, for the whole process and before its first primitive,
/// and to one thread. False where oneDNN has no such level (scalar, or a set that it does not know).
bool limit_onednn(std::string_view isa);

/// One product of fixed shape with weights in the layout that oneDNN prefers, filled with numbers of no
/// meaning.
class OnednnRival {
 public:
  enum class Type {
    int8,  ///< u8 × s8 with a scale a channel and bias, f32 out; saturates below VNNI, so only its time
           ///< counts
    f32
  };
  /// None where oneDNN has no such product.
  static std::optional<OnednnRival> make(Type type, int m, int n, int k);
  ~OnednnRival();
  OnednnRival(OnednnRival&&) noexcept;
  OnednnRival& operator=(OnednnRival&&) noexcept;

  void run() const;
  const std::string& name() const;  ///< the implementation, "brg:avx512_core_vnni"

 private:
  struct Impl;
  explicit OnednnRival(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace nybble::bench
