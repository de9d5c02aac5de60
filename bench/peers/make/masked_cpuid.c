// Answers for CPUID what a CPU with AVX2 and nothing beyond would: for libraries that take no hint.
//
//   cc -shared -fPIC -O2 -o masked_cpuid.so masked_cpuid.c
//
// Preloaded into a process whose libraries have 0F 04, which is no instruction, where they had CPUID
// (masked_library.py). The signal that it raises is answered here, each time; nothing else is slower.
#define _GNU_SOURCE
#include <cpuid.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>

enum { kExtendedFeatures = 7 };

static const uint32_t kLeaf7Ebx =
    1u << 16 | 1u << 17 | 1u << 21 | 1u << 26 | 1u << 27 | 1u << 28 | 1u << 30 | 1u << 31;  // AVX512*
static const uint32_t kLeaf7Ecx =
    1u << 1 | 1u << 6 | 1u << 11 | 1u << 12 | 1u << 14;  // AVX512_VBMI, VBMI2, VNNI, BITALG, VPOPCNTDQ
static const uint32_t kLeaf7Edx = 1u << 2 | 1u << 3 | 1u << 8 | 1u << 22 | 1u << 23 | 1u << 24 |
                                  1u << 25;  // AVX512 4VNNIW, 4FMAPS, VP2INTERSECT, FP16; AMX
static const uint32_t kLeaf7Sub1Eax =
    1u << 4 | 1u << 5 | 1u << 21 | 1u << 23;  // AVX_VNNI, AVX512_BF16, AMX_FP16, AVX_IFMA
static const uint32_t kLeaf7Sub1Edx =
    1u << 4 | 1u << 5 | 1u << 8 | 1u << 10 |
    1u << 19;  // AVX_VNNI_INT8, _NE_CONVERT, AMX_COMPLEX, AVX_VNNI_INT16, AVX10

static void answer(int signal_number, siginfo_t* info, void* context) {
  (void)info;
  greg_t* regs = ((ucontext_t*)context)->uc_mcontext.gregs;
  if (memcmp((const void*)regs[REG_RIP], "\x0f\x04", 2) != 0) {  // some other fault
    signal(signal_number, SIG_DFL);
    return;
  }
  const uint32_t leaf = (uint32_t)regs[REG_RAX], subleaf = (uint32_t)regs[REG_RCX];
  uint32_t a, b, c, d;
  __cpuid_count(leaf, subleaf, a, b, c, d);
  if (leaf == kExtendedFeatures && subleaf == 0) b &= ~kLeaf7Ebx, c &= ~kLeaf7Ecx, d &= ~kLeaf7Edx;
  if (leaf == kExtendedFeatures && subleaf == 1) a &= ~kLeaf7Sub1Eax, d &= ~kLeaf7Sub1Edx;
  regs[REG_RAX] = a, regs[REG_RBX] = b, regs[REG_RCX] = c, regs[REG_RDX] = d;
  regs[REG_RIP] += 2;
}

__attribute__((constructor)) static void install(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = answer;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  sigaction(SIGILL, &action, NULL);
}
