// A Plan: what a model does for a batch of sequences, step by step, with everything bound.
//
// Steps are grouped into stages, and only between stages do threads wait for each other. In a stage over rows
// a task takes a block of rows through every step of the stage, so that what one step leaves for the next
// stays in the task's cache; with many rows an encoder layer has two stages, attention and all the rest. All
// tokens of a batch lie end to end: nothing is padded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

namespace nybble::runtime {

class StepObserver;

/// One batch, as its caller gives it. Pointers stay the caller's.
struct Batch {
  const std::int32_t* ids = nullptr;         ///< [tokens]
  const std::int32_t* positions = nullptr;   ///< [tokens]: place in its own sequence
  const std::int32_t* types = nullptr;       ///< [tokens]
  const std::int32_t* cu_seqlens = nullptr;  ///< [sequences + 1]
  const std::int32_t* order = nullptr;       ///< [sequences]: the sequences, longest first; no step reads it
  int tokens = 0;
  int sequences = 0;
  float* out = nullptr;              ///< rows of the output, no gaps
  StepObserver* observer = nullptr;  ///< is told of every step, if there is one (step_observer.h)
  const float* rows = nullptr;       ///< of a graph that takes rows of floats: these, no gaps
  /// [sequences]: the first token, counted from the sequence's own, that a pool which leaves prompts out
  /// takes; null: 0 for all.
  const std::int32_t* pool_from = nullptr;
  /// [tokens]: 0, or -infinity for tokens that none attends to; null: 0 for all.
  const float* key_bias = nullptr;
};

/// Homes have room for a multiple of this many rows, so that values of any width begin on a cache line.
inline constexpr int kRowUnit = 8;

constexpr int padded_rows(int rows) { return (rows + kRowUnit - 1) / kRowUnit * kRowUnit; }

/// Memory with room for `capacity` rows of some values, 64-byte aligned.
struct RowMemory {
  std::byte* data = nullptr;
  int capacity = 0;  ///< a multiple of kRowUnit
};

/// Where the rows of a value lie while a plan runs.
struct Location {
  enum class Home {
    workspace,  ///< a row for every token, or sequence, of the batch
    scratch,    ///< rows of the task's block only, gone with the stage
    output,     ///< the caller's rows
    input,      ///< the rows that the caller gives
  };
  Home home = Home::workspace;
  std::size_t offset = 0;     ///< bytes from the start of the home, for each row that the home has room for
  std::size_t row_bytes = 0;  ///< from one row to the next
};

/// A part of a stage's work, done by one thread.
struct Task {
  const Batch& batch;
  RowMemory workspace;  ///< row 0 is the batch's row 0
  RowMemory scratch;    ///< row 0 is that of scratch_begin
  std::byte* own;       ///< plan.own_bytes, 64-byte aligned, that no other task uses meanwhile
  /// Tokens (stage over rows), sequences (over sequences), or heads of one sequence, as sequence·heads + head
  /// (attention).
  int begin, end;
  /// Tasks that share out the rows or the panels of a step may share scratch: the first row that lies there.
  int scratch_begin;
  /// What to compute of a step that has panels: those in [panel_begin, min(panel_end, Step::panels)).
  int panel_begin = 0, panel_end = std::numeric_limits<int>::max();
  /// Attention: the queries to compute, [query_begin, min(query_end, the sequence's length)).
  int query_begin = 0, query_end = std::numeric_limits<int>::max();

  /// The first row of this task at `location`.
  template <class T>
  T* rows(const Location& location) const {
    return reinterpret_cast<T*>(first_row(location));
  }
  /// Row `row` of the batch at a location that holds all rows.
  template <class T>
  T* row(const Location& location, int row) const {
    if (location.home == Location::Home::workspace) return reinterpret_cast<T*>(at(workspace, location, row));
    // No step writes to the graph's inputs.
    float* callers = location.home == Location::Home::input ? const_cast<float*>(batch.rows) : batch.out;
    return reinterpret_cast<T*>(reinterpret_cast<std::byte*>(callers) +
                                static_cast<std::size_t>(row) * location.row_bytes);
  }

 private:
  static std::byte* at(const RowMemory& memory, const Location& location, int row) {
    return memory.data + location.offset * static_cast<std::size_t>(memory.capacity) +
           static_cast<std::size_t>(row) * location.row_bytes;
  }
  std::byte* first_row(const Location& location) const {
    if (location.home == Location::Home::scratch) return at(scratch, location, begin - scratch_begin);
    return row<std::byte>(location, begin);
  }
};

/// One pass of a step over a value's rows: over its floats, or over its codes and their scales.
struct RowPass {
  std::string value;
  bool writes = false;  ///< else it reads
  bool codes = false;
  bool per_sequence = false;  ///< a row a sequence; else a row a token
  std::size_t row_bytes = 0;
};

/// What `nybble explain` says of a step.
struct StepDescription {
  std::string op;      ///< the graph's op, with what was fused into it
  std::string shape;   ///< inputs -> output
  std::string format;  ///< of the weights: "int8", "int4", "f32" …, or empty
  std::string kernel;  ///< kernel or primitive by name
  std::size_t weight_bytes = 0;
  /// Multiplications of a linear for a row: a token, or in a stage over sequences a sequence.
  double macs_per_token = 0;
  double macs_per_pair = 0;      ///< of attention, for each pair of tokens of a sequence
  double macs_per_position = 0;  ///< of disentangled attention, for each token and relative position it sees
  int positions = 0;             ///< most relative positions
  int window = 0;                ///< of attention: only the pairs at most so far from each other; 0: all
  double macs_per_key = 0;       ///< of attention with one query a sequence, for each token
  /// What a step must read and write beside its weights, wherever that lies: for each row that is a token's,
  /// and for each that is a sequence's.
  std::size_t bytes_per_token = 0, bytes_per_sequence = 0;
  std::vector<RowPass> passes;  ///< each of them once over all rows; memory of a task's own is none
};

struct Step {
  StepDescription description;
  std::function<void(const Task&)> run;
  /// Parts of a product's columns, which several tasks may share out (Task::panel_begin): panels of 64, or
  /// blocks of them where the result is quantized. 0: a task computes whole rows.
  int panels = 0;
  std::size_t own_bytes = 0;  ///< of Task::own, that it needs
};

/// Tasks have a block of tokens, a head of a sequence, or a block of sequences (what is left after pooling,
/// or where only first rows are read).
enum class StageKind { rows, attention, sequences };

struct Stage {
  StageKind kind = StageKind::rows;
  int heads = 1;  ///< of an attention stage: tasks a sequence
  std::vector<Step> steps;
};

struct Plan {
  std::vector<Stage> stages;
  int max_tokens = 0;  ///< most tokens of a batch
  int block_rows =
      1;  ///< most rows, or sequences, of a task in a stage over these that has scratch of its own
  std::size_t row_bytes = 0;          ///< of a workspace, for each row
  std::size_t scratch_row_bytes = 0;  ///< of scratch, for each row
  std::size_t own_bytes = 0;          ///< that a task needs for itself
  int output_columns = 0;
  int input_columns = 0;          ///< of the rows that the caller gives; 0: it gives ids
  bool weights_cached = true;     ///< all weights of the linears fit the last level of cache
  bool output_per_token = false;  ///< a row of output a token; else a row a sequence
};

/// The plan as text, a line a step.
std::string describe(const Plan& plan);

}  // namespace nybble::runtime
