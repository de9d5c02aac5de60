// Memory for running a plan on one batch.
#pragma once

#include <cstddef>
#include <vector>

#include "quant/pages.h"
#include "runtime/plan.h"
#include "runtime/sequence_groups.h"

namespace nybble::runtime {

/// Rows for the values of a batch, scratch for every thread, and what the scheduler notes meanwhile. Made for
/// batches of up to plan.max_tokens; memory is touched only as far as a batch needs it. One call at a time
/// uses it.
class Workspace {
 public:
  /// No group that many threads share out among themselves has fewer tokens, but a batch's last.
  static constexpr int kLeastGroup = 32;

  Workspace(const Plan& plan, int threads);

  /// Room for `rows` rows from row `first` on, a multiple of kRowUnit.
  RowMemory rows(int first, int rows) const noexcept;
  /// A thread's block of rows, and for all threads together the same memory as one block.
  RowMemory scratch(int member) const noexcept;
  RowMemory shared_scratch() const noexcept;
  std::byte* own(int member) const noexcept;
  /// Room for the borders of group `index` of a batch.
  std::int32_t* borders(const SequenceGroup& group, int index) const noexcept;

  std::vector<SequenceGroup> groups;
  std::vector<double> loads;     ///< for makespan()
  std::vector<int> member_rows;  ///< where each member's groups lie; negative: it had none yet
  RunCosts costs;

 private:
  std::size_t row_bytes_, scratch_row_bytes_, own_bytes_;
  int threads_, block_rows_, rows_;
  quant::Pages memory_;
  std::byte *scratch_, *own_, *borders_;
};

}  // namespace nybble::runtime
