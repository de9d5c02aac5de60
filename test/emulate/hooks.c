// What the CPU core of the wheel calls out to: instrumentation, guest memory, time, CPUID.
//
// The core is a shared library; loaded before it, these definitions win over its own (one exported name each,
// so the names are Bochs's). Nothing here runs per instruction.
#include "hooks.h"

#include <features.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// The wheel asks for two functions of glibc 2.38; Debian 12 has 2.36.
#if !__GLIBC_PREREQ(2, 38)
unsigned long long __isoc23_strtoull(const char* text, char** end, int base) {
  return strtoull(text, end, base);
}
int __isoc23_sscanf(const char* text, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const int fields = vsscanf(text, format, arguments);
  va_end(arguments);
  return fields;
}
#endif

uint8_t* cpu;
uint64_t amx_instructions;
static uint8_t* memory;  // the guest's physical memory
static uint64_t memory_bytes, page_table;
static int amx_enabled;

// The core's own functions: leave cpu_loop's innermost loop by longjmp, and mark the loop as to be left.
static void (*leave_loop)(unsigned cpu_number), (*mark_stopped)(unsigned value);
// What Python wants to hear of; a system call answers one of these.
enum { kContinue, kStop, kStateReplaced };
static int (*on_system_call)(void), (*on_exception)(uint32_t vector, uint32_t code), (*on_halt)(void),
    (*on_slice)(void);
static uint32_t slice = 0x40000000;

void hooks_begin(uint8_t* core, uint8_t* guest, uint64_t guest_bytes, uint64_t root_table, void* leave,
                 void* stop, void* system_call, void* exception, void* halt, int amx) {
  cpu = core, memory = guest, memory_bytes = guest_bytes, page_table = root_table, amx_enabled = amx;
  leave_loop = leave, mark_stopped = stop, on_system_call = system_call, on_exception = exception,
  on_halt = halt;
}
/// From now on `call` is made every `instructions` instructions: the thread switch.
void hooks_slice(void* call, uint32_t instructions) { on_slice = call, slice = instructions; }

static void stop(void) {
  mark_stopped(0);
  leave_loop(0);
}

// ---- events of no interest ----
void bx_instr_before_execution(unsigned c, void* i) {}
void bx_instr_after_execution(unsigned c, void* i) {}
void bx_instr_repeat_iteration(unsigned c, void* i) {}
void bx_instr_opcode(unsigned c, void* i, const uint8_t* code, unsigned length, unsigned is_32,
                     unsigned is_64) {}
void bx_instr_lin_access(unsigned c, uint64_t linear, uint64_t physical, unsigned n, unsigned type,
                         unsigned rw) {}
void bx_instr_phy_access(unsigned c, uint64_t physical, unsigned n, unsigned type, unsigned rw) {}
void bx_instr_cnear_branch_taken(unsigned c, uint64_t from, uint64_t to) {}
void bx_instr_cnear_branch_not_taken(unsigned c, uint64_t from, uint64_t to) {}
void bx_instr_ucnear_branch(unsigned c, unsigned what, uint64_t from, uint64_t to) {}
void bx_instr_prefetch_hint(unsigned c, unsigned what, unsigned segment, uint64_t offset) {}
void bx_instr_clflush(unsigned c, uint64_t linear, uint64_t physical) {}
void bx_instr_tlb_cntrl(unsigned c, unsigned what, uint64_t value) {}
void bx_instr_cache_cntrl(unsigned c, unsigned what) {}
void bx_instr_interrupt(unsigned c, unsigned vector) {}
void bx_instr_hwinterrupt(unsigned c, unsigned vector, uint16_t segment, uint64_t ip) {}
void bx_instr_wrmsr(unsigned c, unsigned index, uint64_t value) {}
void bx_instr_vmexit(unsigned c, uint32_t reason, uint64_t qualification) {}
void bx_instr_initialize(unsigned c) {}
void bx_instr_reset(unsigned c, unsigned type) {}
void bx_instr_mwait(unsigned c, uint64_t address, unsigned length, uint32_t flags) {}

// ---- events that matter ----

/// The end of a SYSCALL: RIP already points at the stub's SYSRET.
void bx_instr_far_branch(unsigned c, unsigned what, uint16_t old_segment, uint64_t from, uint16_t segment,
                         uint64_t to) {
  enum { kSyscall = 17 };
  if (what != kSyscall) return;
  const int answer = on_system_call();
  if (answer == kStop) stop();
  if (answer == kStateReplaced) leave_loop(0);
}

void bx_instr_hlt(unsigned c) {
  if (on_halt()) stop();
  leave_loop(0);
}

/// This core decodes AMX but has no code for it, so the instructions arrive as invalid opcodes.
void bx_instr_exception(unsigned c, unsigned vector, unsigned code) {
  enum { kInvalidOpcode = 6, kGeneralProtection = 13, kPageFault = 14, kFromAmx = 0x100 };
  if (vector == kInvalidOpcode && amx_enabled) {
    int length = 0;
    const uint64_t ip = *cpu_field(kPreviousRip);
    const int done = amx_execute(ip, &length);
    if (done == kAmxDone) {
      ++amx_instructions;
      *cpu_field(kRip) = *cpu_field(kPreviousRip) = ip + length;
      leave_loop(0);  // the loop counts the instruction when it is entered again
    }
    if (done == kAmxGeneralProtection) vector = kGeneralProtection;
    if (done == kAmxPageFault) vector = kPageFault, code = kFromAmx;
  }
  if (on_exception(vector, code)) stop();
  leave_loop(0);
}

/// RDTSC: the number of instructions retired.
uint64_t _ZN8BX_CPU_C7get_TSCEv(void) { return *cpu_field(kInstructions); }

/// The system timer. The wheel leaves its count at 1, with which the core looks for events after every trace.
void _ZN14bx_pc_system_c14countdownEventEv(uint8_t* system) {
  enum { kCountdown = 0x1638, kPeriod = 0x163C };
  memcpy(system + kCountdown, &slice, 4);
  memcpy(system + kPeriod, &slice, 4);
  if (on_slice && on_slice()) leave_loop(0);
}

// ---- the guest's memory ----

uint8_t* mem_guest_to_host(uint32_t c, uint64_t physical, uint32_t rw) {
  physical &= 0xFFFFFFFFFFFFFULL;
  if (physical < memory_bytes) return memory + physical;
  fprintf(stderr, "emulate: no physical address %llx\n", (unsigned long long)physical);
  _exit(125);
}
void mem_read_phy(uint32_t c, uint64_t physical, uint32_t bytes, uint8_t* to) {
  memcpy(to, mem_guest_to_host(c, physical, 0), bytes);
}
void mem_write_phy(uint32_t c, uint64_t physical, uint32_t bytes, const uint8_t* from) {
  memcpy(mem_guest_to_host(c, physical, 1), from, bytes);
}

/// The host address of a user page's byte; null where user code may not do that.
static uint8_t* translate(uint64_t address, int direction) {
  enum { kPresent = 1, kWritable = 2, kUser = 4 };
  uint64_t table = page_table;
  for (int shift = 39; shift >= 12; shift -= 9) {
    uint64_t entry;
    memcpy(&entry, memory + table + (address >> shift & 511) * 8, 8);
    if (!(entry & kPresent) || !(entry & kUser) || (direction == kWrite && !(entry & kWritable))) return 0;
    table = entry & 0x000FFFFFFFFFF000ULL;
  }
  return memory + table + (address & 4095);
}

int guest_copy(uint64_t address, void* host, uint64_t bytes, int direction, uint64_t* fault) {
  for (uint8_t* at = host; bytes > 0;) {
    const uint64_t in_page = 4096 - (address & 4095), piece = bytes < in_page ? bytes : in_page;
    uint8_t* guest = translate(address, direction);
    if (!guest) return *fault = address, 0;
    memcpy(direction == kWrite ? guest : at, direction == kWrite ? at : guest, piece);
    address += piece, at += piece, bytes -= piece;
  }
  return 1;
}

// ---- CPUID ----

typedef struct {
  uint32_t eax, ebx, ecx, edx;
} Leaf;
static void (*own_leaf)(void* model, uint32_t leaf, uint32_t subleaf, Leaf* out);
static int show_amx;
static uint32_t more_leaf_7_1_edx;

static void add_amx(uint32_t leaf, uint32_t subleaf, Leaf* out) {
  enum { kTileSize = 8192, kSaveArea = 11008 };
  if (leaf == 0 && out->eax < 0x1E) out->eax = 0x1E;
  // Tiles, INT8 and, though amx.c lacks it, BF16: oneDNN takes its INT8 path only where it sees all three.
  if (leaf == 7 && subleaf == 0) out->edx |= 1U << 22 | 1U << 24 | 1U << 25;
  if (leaf == 0xD && subleaf == 0) {
    out->eax |= 3U << 17;
    if (out->ebx < kSaveArea) out->ebx = kSaveArea;
    if (out->ecx < kSaveArea) out->ecx = kSaveArea;
  }
  if (leaf == 0xD && subleaf == 17) *out = (Leaf){64, 2752, 0, 0};
  if (leaf == 0xD && subleaf == 18) *out = (Leaf){kTileSize, 2816, 6, 0};
  if (leaf == 0x1D) *out = (Leaf){0, 0, 0, 0};
  if (leaf == 0x1D && subleaf == 0) out->eax = 1;
  if (leaf == 0x1D && subleaf == 1) *out = (Leaf){kTileSize | 1024 << 16, 64 | 8 << 16, 16, 0};
  if (leaf == 0x1E) *out = (Leaf){0, subleaf == 0 ? 16 | 64 << 8 : 0, 0, 0};
}

static void changed_leaf(void* model, uint32_t leaf, uint32_t subleaf, Leaf* out) {
  own_leaf(model, leaf, subleaf, out);
  if (leaf == 7 && subleaf == 1) out->edx |= more_leaf_7_1_edx;
  if (show_amx) add_amx(leaf, subleaf, out);
}

/// Gives `model` a copy of its table of virtual functions in which CPUID is changed_leaf. 0: not found.
int hooks_change_cpuid(void** model, void* leaf_function, int amx, uint32_t leaf_7_1_edx) {
  enum { kHeader = 2, kEntries = 66 };
  static void* table[kEntries];
  show_amx = amx, more_leaf_7_1_edx = leaf_7_1_edx;
  memcpy(table, *(void***)model - kHeader, sizeof table);
  for (int i = kHeader; i < kEntries; ++i) {
    if (table[i] != leaf_function) continue;
    own_leaf = leaf_function;
    table[i] = (void*)changed_leaf;
    *model = table + kHeader;
    return 1;
  }
  return 0;
}
