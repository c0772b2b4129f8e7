// wgmma: products that go on while the threads do something else. Until wgmma_wait the operands may not be written, and
// until the wgmma_ready after it the sums hold noise and may not be touched; sums that were touched need wgmma_ready
// and then wgmma_begin before the next product (PTX ISA, "Asynchronous Warpgroup Level Matrix Instructions").
#pragma once
#include <cstdint>
#include <vector>

#include "cuda/emulator/block.h"

namespace rushes::cuda::emulator {

/// What a lane brings to a product of 64 x columns x 32 bytes of depth.
struct WarpGroupProduct {
  uint32_t* d;  // columns / 2 registers
  int columns;
  int a, a_bytes, b, b_bytes;  // windows of shared memory
  int depth_byte;
  bool adds;
};
extern const WarpFunction kWgmmaBf16, kWgmmaInt8, kWgmmaBegin, kWgmmaCommit;
/// What a lane brings to wgmma_ready.
struct WarpGroupSums {
  uint32_t* d;
  int count;
};
extern const WarpFunction kWgmmaReady;
/// Arguments are int: how many groups may still be under way.
extern const WarpFunction kWgmmaWait;

/// Products of one warp, its 16 of the 64 rows.
struct PendingProducts {
  struct Sums {
    uint32_t* registers[kLanes];
    int count = 0;                 // registers of a lane
    std::vector<uint32_t> values;  // [lane][register]
    uint32_t group = 0;            // of the latest product
  };
  struct Operands {
    int a, b, b_rows, depth_byte;
    uint32_t group;
  };
  std::vector<Sums> sums, arrived;  // arrived: waited for, and not ready yet
  std::vector<const uint32_t*> ready,
      begun;  // lane 0's registers: ready since the wait, and those of them at wgmma_begin
  std::vector<Operands> operands;
  uint32_t group = 0;  // the one being filled
  bool has_begun = false;
  uint64_t history = 0;  // of all calls; the same in the four warps

  void clear() { *this = {}; }
};

}  // namespace rushes::cuda::emulator
