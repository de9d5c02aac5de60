// AMX tiles and their four INT8 products, in software, after Intel's manual (volume 2, chapter "AMX").
#include <string.h>

#include "hooks.h"

typedef struct {
  uint8_t palette, start_row;
  uint16_t row_bytes[8];
  uint8_t rows[8];
  uint8_t tile[8][16][64];
} Tiles;
static Tiles now;  // of the running thread

uint64_t amx_fault_address;
const char* amx_complaint;

int amx_state_bytes(void) { return sizeof now; }
void amx_save(void* state) { memcpy(state, &now, sizeof now); }
void amx_load(const void* state) { memcpy(&now, state, sizeof now); }

static int refuse(const char* why, int kind) {
  amx_complaint = why;
  return kind;
}

// One decoded instruction: VEX.128.W0 of map 0F38, prefix 0: none, 1: 66, 2: F3, 3: F2.
typedef struct {
  int opcode, prefix, reg, rm, vvvv;
  int is_register, has_index;
  uint64_t base, stride;  // of a memory operand
  int length;
} Instruction;

static int32_t read_int32(const uint8_t* bytes) {
  int32_t value;
  memcpy(&value, bytes, 4);
  return value;
}

static int decode_memory(const uint8_t* b, uint64_t ip, int mod, int rm, int x, int base_high,
                         Instruction* out) {
  int n = 5;
  if (rm == 4) {
    const uint8_t sib = b[n++];
    const int index = (sib >> 3 & 7) | x << 3;
    out->has_index = 1;
    if (index != 4) out->stride = gpr(index) << (sib >> 6);
    if ((sib & 7) == 5 && mod == 0) {
      out->base = (uint64_t)(int64_t)read_int32(b + n), n += 4;
    } else {
      out->base = gpr((sib & 7) | base_high << 3);
    }
  } else if (rm == 5 && mod == 0) {
    out->base = ip + (uint64_t)(n + 4) + (uint64_t)(int64_t)read_int32(b + n), n += 4;
  } else {
    out->base = gpr(rm | base_high << 3);
  }
  if (mod == 1) out->base += (uint64_t)(int64_t)(int8_t)b[n], n += 1;
  if (mod == 2) out->base += (uint64_t)(int64_t)read_int32(b + n), n += 4;
  return n;
}

static int decode(uint64_t ip, Instruction* out) {
  uint8_t b[16] = {0};
  uint64_t fault;
  for (int i = 0; i < 15 && guest_copy(ip + i, b + i, 1, kRead, &fault); ++i) {
  }
  memset(out, 0, sizeof *out);
  if (b[0] != 0xC4 || (b[1] & 31) != 2) return 0;  // three-byte VEX, map 0F38
  if (b[2] & 0x84) return 0;                       // W or L
  out->opcode = b[3], out->prefix = b[2] & 3, out->vvvv = ~b[2] >> 3 & 15;
  out->reg = b[4] >> 3 & 7, out->rm = b[4] & 7;
  const int mod = b[4] >> 6;
  out->is_register = mod == 3;
  out->length =
      out->is_register ? 5 : decode_memory(b, ip, mod, out->rm, !(b[1] & 0x40), !(b[1] & 0x20), out);
  return 1;
}

static int load_configuration(uint64_t address) {
  uint8_t c[64];
  if (!guest_copy(address, c, 64, kRead, &amx_fault_address)) return kAmxPageFault;
  if (c[0] == 0) return memset(&now, 0, sizeof now), kAmxDone;
  if (c[0] != 1) return refuse("ldtilecfg: unknown palette", kAmxGeneralProtection);
  for (int i = 0; i < 64; ++i) {
    const int reserved = (i >= 2 && i < 16) || (i >= 32 && i < 48) || i >= 56;
    if (reserved && c[i]) return refuse("ldtilecfg: reserved bytes", kAmxGeneralProtection);
  }
  Tiles next = {.palette = 1, .start_row = c[1]};
  for (int i = 0; i < 8; ++i) {
    memcpy(&next.row_bytes[i], c + 16 + 2 * i, 2);
    next.rows[i] = c[48 + i];
    if (next.row_bytes[i] > 64 || next.rows[i] > 16 || !next.row_bytes[i] != !next.rows[i]) {
      return refuse("ldtilecfg: rows or bytes a row", kAmxGeneralProtection);
    }
  }
  now = next;
  return kAmxDone;
}

static int store_configuration(uint64_t address) {
  uint8_t c[64] = {0};
  c[0] = now.palette, c[1] = now.start_row;
  memcpy(c + 16, now.row_bytes, sizeof now.row_bytes);
  memcpy(c + 48, now.rows, sizeof now.rows);
  return guest_copy(address, c, 64, kWrite, &amx_fault_address) ? kAmxDone : kAmxPageFault;
}

/// Opcode 49: ldtilecfg, sttilecfg, tilerelease, tilezero.
static int configure(const Instruction* in) {
  if (in->vvvv) return kNotAmx;
  if (in->is_register) {
    if (in->prefix == 0 && in->reg == 0 && in->rm == 0) return memset(&now, 0, sizeof now), kAmxDone;
    if (in->prefix != 3 || in->rm) return kNotAmx;
    if (!now.rows[in->reg]) return refuse("tilezero of a tile without a shape", kNotAmx);
    return memset(now.tile[in->reg], 0, sizeof now.tile[0]), kAmxDone;
  }
  if (in->reg || in->prefix > 1) return kNotAmx;
  const uint64_t address = in->base + in->stride;
  return in->prefix == 0 ? load_configuration(address) : store_configuration(address);
}

/// Opcode 4B: tileloadd, tileloaddt1, tilestored.
static int move(const Instruction* in) {
  if (in->is_register || !in->has_index || in->vvvv || in->prefix == 0) return kNotAmx;
  const int loads = in->prefix != 2, rows = now.rows[in->reg], bytes = now.row_bytes[in->reg];
  if (!rows) return refuse("load or store of a tile without a shape", kNotAmx);
  if (now.start_row >= rows) return refuse("start row", kAmxGeneralProtection);
  for (int row = now.start_row; row < rows; ++row) {
    uint8_t* values = now.tile[in->reg][row];
    if (!guest_copy(in->base + in->stride * (uint64_t)row, values, bytes, loads ? kRead : kWrite,
                    &amx_fault_address)) {
      now.start_row = row;
      return kAmxPageFault;
    }
    if (loads) memset(values + bytes, 0, 64 - bytes);
  }
  if (loads) memset(now.tile[in->reg][rows], 0, 64 * (16 - rows));
  now.start_row = 0;
  return kAmxDone;
}

static int32_t byte_of(uint8_t value, int is_signed) { return is_signed ? (int8_t)value : value; }

/// Opcode 5E: sums[m][n] += a[m][4k..] · b[k][4n..]; the prefix says which side is signed.
static int multiply(const Instruction* in) {
  if (!in->is_register || in->vvvv > 7) return kNotAmx;
  const int to = in->reg, a = in->rm, b = in->vvvv;
  if (to == a || to == b || a == b) return refuse("tdpb: tiles must differ", kNotAmx);
  if (!now.rows[to] || !now.rows[a] || now.rows[to] != now.rows[a] || now.row_bytes[to] != now.row_bytes[b] ||
      now.row_bytes[a] != 4 * now.rows[b] || now.row_bytes[to] % 4) {
    return refuse("tdpb: shapes do not match", kNotAmx);
  }
  const int a_signed = in->prefix >= 2, b_signed = in->prefix % 2;  // F2 ss, F3 su, 66 us, none uu
  for (int m = 0; m < now.rows[to]; ++m) {
    uint32_t sums[16];
    memcpy(sums, now.tile[to][m], sizeof sums);
    for (int k = 0; k < now.row_bytes[a]; ++k) {
      const int32_t left = byte_of(now.tile[a][m][k], a_signed);
      for (int n = 0; n < now.row_bytes[to] / 4; ++n)
        sums[n] += (uint32_t)(left * byte_of(now.tile[b][k / 4][4 * n + k % 4], b_signed));
    }
    memcpy(now.tile[to][m], sums, now.row_bytes[to]);
  }
  now.start_row = 0;
  return kAmxDone;
}

int amx_execute(uint64_t ip, int* length) {
  Instruction in;
  amx_complaint = 0;
  if (!decode(ip, &in) || (in.opcode != 0x49 && in.opcode != 0x4B && in.opcode != 0x5E)) return kNotAmx;
  *length = in.length;
  if (in.opcode == 0x49) return configure(&in);
  if (!now.palette) return refuse("no tile configuration", kNotAmx);
  return in.opcode == 0x4B ? move(&in) : multiply(&in);
}
