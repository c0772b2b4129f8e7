// The int8 and bf16 peaks of AMX: four accumulator tiles, operands already in tiles.
#include <immintrin.h>

#include "runtime/ceilings.h"

namespace rushes {
namespace {

struct alignas(64) TileConfig {
  unsigned char palette = 1, start_row = 0, reserved[14] = {};
  unsigned short row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  unsigned char rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

}  // namespace

double peak_int8_amx(long rounds) {
  const TileConfig config;
  _tile_loadconfig(&config);
  _tile_zero(4);
  _tile_zero(5);
  for (long i = 0; i < rounds; ++i) {
    _tile_dpbssd(0, 4, 5);
    _tile_dpbssd(1, 4, 5);
    _tile_dpbssd(2, 4, 5);
    _tile_dpbssd(3, 4, 5);
  }
  _tile_release();
  return 4.0 * 2 * 16 * 16 * 64 * rounds;
}

double peak_bf16_amx(long rounds) {
  const TileConfig config;
  _tile_loadconfig(&config);
  _tile_zero(4);
  _tile_zero(5);
  for (long i = 0; i < rounds; ++i) {
    _tile_dpbf16ps(0, 4, 5);
    _tile_dpbf16ps(1, 4, 5);
    _tile_dpbf16ps(2, 4, 5);
    _tile_dpbf16ps(3, 4, 5);
  }
  _tile_release();
  return 4.0 * 2 * 16 * 16 * 32 * rounds;
}

}  // namespace rushes
