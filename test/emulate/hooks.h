// Shared by hooks.c and amx.c: the state of the emulated CPU and the guest's memory.
#pragma once

#include <stdint.h>

// Where BX_CPU_C of this one build keeps its fields; bochs.py checks them before anything runs.
enum { kGpr = 0x58, kRip = 0xD8, kPreviousRip = 0x110, kInstructions = 0x128 };

extern uint8_t* cpu;
static inline uint64_t* cpu_field(int offset) { return (uint64_t*)(cpu + offset); }
static inline uint64_t gpr(int index) { return *cpu_field(kGpr + 8 * index); }

enum { kRead, kWrite };
/// Copies between `host` and the guest's virtual memory as user code could; 0 and *fault where it could not.
int guest_copy(uint64_t address, void* host, uint64_t bytes, int direction, uint64_t* fault);

enum { kAmxDone = 1, kNotAmx = 0, kAmxGeneralProtection = -1, kAmxPageFault = -2 };
/// Executes the AMX instruction at `ip`, if it is one; *length is then its length.
int amx_execute(uint64_t ip, int* length);
extern uint64_t amx_fault_address;  ///< of the last kAmxPageFault
extern const char* amx_complaint;   ///< why the last one was refused; null if nothing to say
