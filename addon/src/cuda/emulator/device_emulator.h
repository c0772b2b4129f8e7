// The functions of device.h on the emulator. Included by device.h only; what is longer than a line or two is done in
// block.cpp, shared_bytes.cpp and matrix.cpp.
#pragma once
#include <bit>
#include <cmath>
#include <concepts>
#include <cstring>
#include <type_traits>

#include "cuda/emulator/approximate.h"
#include "cuda/emulator/block.h"
#include "cuda/emulator/matrix.h"
#include "cuda/emulator/number_formats.h"
#include "cuda/emulator/wgmma.h"

namespace rushes::cuda {

RUSHES_DEVICE int thread_index() { return emulator::current->index; }
RUSHES_DEVICE int block_threads() { return emulator::current->block->shape->threads; }
RUSHES_DEVICE int lane_index() { return emulator::current->lane; }
RUSHES_DEVICE int warp_index() { return emulator::current->warp->index; }
RUSHES_DEVICE int block_x() { return emulator::current->block->x; }
RUSHES_DEVICE int block_y() { return emulator::current->block->y; }
RUSHES_DEVICE int block_z() { return emulator::current->block->z; }
RUSHES_DEVICE int grid_x() { return emulator::current->block->shape->grid_x; }
RUSHES_DEVICE int grid_y() { return emulator::current->block->shape->grid_y; }
RUSHES_DEVICE int grid_z() { return emulator::current->block->shape->grid_z; }

namespace emulator {

/// Says where in its source the thread is, for what may be found wrong after it.
inline void at(const char* file, int line) {
  current->file = file;
  current->line = line;
}
/// Checks that [first, first + bytes) of a window of `count` elements of `size` bytes from `offset` on is there and
/// lies as `alignment` asks; returns where it lies in shared memory. Throws Violation.
int place_in_window(int offset, int count, int size, int first, int bytes, int alignment);
[[noreturn]] void window_violation(int offset, int bytes);

/// An element of shared memory: reads when it becomes a T, writes when assigned.
template <class T>
class SharedElement {
 public:
  explicit SharedElement(int offset) : offset_(offset) {}
  SharedElement(const SharedElement&) = default;
  operator T() const {
    SharedBytes& shared = current->block->shared;
    shared.read(*current, offset_, sizeof(T));
    T value;
    std::memcpy(&value, shared.data() + offset_, sizeof(T));
    return value;
  }
  const SharedElement& operator=(const T& value) const {
    SharedBytes& shared = current->block->shared;
    shared.write(*current, offset_, sizeof(T));
    std::memcpy(shared.data() + offset_, &value, sizeof(T));
    return *this;
  }
  const SharedElement& operator=(const SharedElement& other) const { return *this = static_cast<T>(other); }
  const SharedElement& operator+=(const T& value) const {
    return *this = static_cast<T>(static_cast<T>(*this) + value);
  }
  const SharedElement& operator-=(const T& value) const {
    return *this = static_cast<T>(static_cast<T>(*this) - value);
  }
  const SharedElement& operator*=(const T& value) const {
    return *this = static_cast<T>(static_cast<T>(*this) * value);
  }

 private:
  int offset_;
};

}  // namespace emulator

template <class T>
class Shared {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  Shared(int offset, int count) : offset_(offset), count_(count) {}
  emulator::SharedElement<T> operator[](int i) const {
    return emulator::SharedElement<T>(emulator::place_in_window(offset_, count_, sizeof(T), i, sizeof(T), alignof(T)));
  }
  Shared part(int first) const { return {offset_ + first * static_cast<int>(sizeof(T)), count_ - first}; }
  template <class U>
  Shared<U> as() const {
    return {offset_, static_cast<int>(count_ * sizeof(T) / sizeof(U))};
  }
  int count() const { return count_; }
  /// For the functions of this header only: bytes from the beginning of the launch's shared memory.
  int offset() const { return offset_; }

 private:
  int offset_, count_;
};

template <class T>
RUSHES_DEVICE Shared<T> shared_memory(int offset, int count) {
  const int bytes = count * static_cast<int>(sizeof(T));
  if (offset < 0 || count < 0 || offset % 16 || offset + bytes > emulator::current->block->shape->shared_bytes)
    emulator::window_violation(offset, bytes);
  return {offset, count};
}

RUSHES_DEVICE void sync_block(const char* file, int line) {
  emulator::at(file, line);
  emulator::block_together();
}

namespace emulator {
template <class T>
struct Exchange {
  T value;
  int lane;  // whose value is wanted
  T result;
};
template <class T>
inline void exchange(Warp&, void* const (&arguments)[kLanes]) {
  for (int lane = 0; lane < kLanes; ++lane) {
    auto& mine = *static_cast<Exchange<T>*>(arguments[lane]);
    mine.result = static_cast<const Exchange<T>*>(arguments[mine.lane])->value;
  }
}
template <class T>
inline constexpr WarpFunction kShuffle = {"shuffle", exchange<T>};
template <class T>
inline constexpr WarpFunction kShuffleXor = {"shuffle_xor", exchange<T>};
template <class T>
inline constexpr WarpFunction kShuffleDown = {"shuffle_down", exchange<T>};
template <class T>
T exchanged(const WarpFunction& function, T value, int lane) {
  static_assert(std::same_as<T, float> || std::same_as<T, int32_t> || std::same_as<T, uint32_t>);
  Exchange<T> own = {value, lane, value};
  warp_together(function, &own);
  return own.result;
}

}  // namespace emulator

RUSHES_DEVICE void sync_warp(const char* file, int line) {
  emulator::at(file, line);
  emulator::warp_together(emulator::kSyncWarp, nullptr);
}

template <class T>
RUSHES_DEVICE T shuffle(T value, int lane) {
  return emulator::exchanged(emulator::kShuffle<T>, value, lane & 31);
}
template <class T>
RUSHES_DEVICE T shuffle_xor(T value, int mask) {
  return emulator::exchanged(emulator::kShuffleXor<T>, value, (lane_index() ^ mask) & 31);
}
template <class T>
RUSHES_DEVICE T shuffle_down(T value, int distance) {
  const int from = lane_index() + distance;
  return emulator::exchanged(emulator::kShuffleDown<T>, value, from < 32 ? from : lane_index());
}
RUSHES_DEVICE uint32_t warp_ballot(bool predicate) {
  emulator::Ballot own = {predicate, 0};
  emulator::warp_together(emulator::kBallot, &own);
  return own.result;
}

namespace emulator {
void begin_copy(int offset, const void* from);  // null: zeros
void wait_for_copies(int groups_left);
}  // namespace emulator

template <class T>
RUSHES_DEVICE void copy_async(Shared<T> to, int index, const T* from, bool valid, const char* file, int line) {
  emulator::at(file, line);
  emulator::begin_copy(emulator::place_in_window(to.offset(), to.count(), sizeof(T), index, 16, 16),
                       valid ? from : nullptr);
}
RUSHES_DEVICE void copy_async_commit() { ++emulator::current->copy_group; }
template <int kGroupsLeft>
RUSHES_DEVICE void copy_async_wait(const char* file, int line) {
  emulator::at(file, line);
  emulator::wait_for_copies(kGroupsLeft);
}

namespace emulator {
template <int kCount, bool kTransposed>
constexpr const WarpFunction& load_matrix_function() {
  static_assert(kCount == 1 || kCount == 2 || kCount == 4);
  if constexpr (kCount == 1)
    return kLoadMatrix1[kTransposed];
  else if constexpr (kCount == 2)
    return kLoadMatrix2[kTransposed];
  else
    return kLoadMatrix4[kTransposed];
}
template <int kCount, bool kTransposed, class T>
void load_matrix_of(uint32_t (&out)[kCount], Shared<T> rows, int index) {
  const int size = static_cast<int>(sizeof(T));
  MatrixRows own = {out, rows.offset() + index * size, rows.offset(), rows.offset() + rows.count() * size};
  warp_together(load_matrix_function<kCount, kTransposed>(), &own);
}
}  // namespace emulator

template <int kCount, class T>
RUSHES_DEVICE void load_matrix(uint32_t (&out)[kCount], Shared<T> rows, int index, const char* file, int line) {
  emulator::at(file, line);
  emulator::load_matrix_of<kCount, false>(out, rows, index);
}
template <int kCount, class T>
RUSHES_DEVICE void load_matrix_transposed(uint32_t (&out)[kCount], Shared<T> rows, int index, const char* file,
                                          int line) {
  emulator::at(file, line);
  emulator::load_matrix_of<kCount, true>(out, rows, index);
}

namespace emulator {
template <class Sum>
void multiply_together(const WarpFunction& function, Sum (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  Product<Sum> own = {d, a, b};
  warp_together(function, &own);
}
void require_architecture(int least, const char* function);
}  // namespace emulator

RUSHES_DEVICE void mma_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  emulator::multiply_together(emulator::kMmaBf16, d, a, b);
}
RUSHES_DEVICE void mma_f16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  emulator::multiply_together(emulator::kMmaF16, d, a, b);
}
RUSHES_DEVICE void mma_int8(int32_t (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  emulator::multiply_together(emulator::kMmaInt8, d, a, b);
}
RUSHES_DEVICE void mma_e4m3(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  emulator::require_architecture(89, "mma_e4m3");
  emulator::multiply_together(emulator::kMmaE4m3, d, a, b);
}

namespace emulator {
template <int kCount, class Sum>
void ready_together(Sum (&d)[kCount]) {
  WarpGroupSums own = {reinterpret_cast<uint32_t*>(d), kCount};
  warp_together(kWgmmaReady, &own);
}
}  // namespace emulator
template <int kCount>
RUSHES_DEVICE void wgmma_ready(float (&d)[kCount]) {
  emulator::ready_together(d);
}
template <int kCount>
RUSHES_DEVICE void wgmma_ready(int32_t (&d)[kCount]) {
  emulator::ready_together(d);
}

RUSHES_DEVICE int swizzled_128(int row, int chunk) { return row * 128 + ((chunk ^ (row & 7)) << 4); }

namespace emulator {
template <int kColumns, class Sum>
void multiply_in_groups(const WarpFunction& function, Sum (&d)[kColumns / 2], Shared<uint8_t> a, Shared<uint8_t> b,
                        int depth_byte, bool adds) {
  static_assert(kColumns == 64 || kColumns == 128 || kColumns == 192 || kColumns == 256);
  WarpGroupProduct own = {
      reinterpret_cast<uint32_t*>(d), kColumns, a.offset(), a.count(), b.offset(), b.count(), depth_byte, adds};
  warp_together(function, &own);
}
}  // namespace emulator

template <int kColumns>
RUSHES_DEVICE void wgmma_bf16(float (&d)[kColumns / 2], Shared<uint8_t> a, Shared<uint8_t> b, int depth_byte,
                              bool adds) {
  emulator::multiply_in_groups<kColumns>(emulator::kWgmmaBf16, d, a, b, depth_byte, adds);
}
template <int kColumns>
RUSHES_DEVICE void wgmma_int8(int32_t (&d)[kColumns / 2], Shared<uint8_t> a, Shared<uint8_t> b, int depth_byte,
                              bool adds) {
  emulator::multiply_in_groups<kColumns>(emulator::kWgmmaInt8, d, a, b, depth_byte, adds);
}
RUSHES_DEVICE void wgmma_begin() { emulator::warp_together(emulator::kWgmmaBegin, nullptr); }
RUSHES_DEVICE void wgmma_commit() { emulator::warp_together(emulator::kWgmmaCommit, nullptr); }
template <int kGroupsLeft>
RUSHES_DEVICE void wgmma_wait() {
  int groups = kGroupsLeft;
  emulator::warp_together(emulator::kWgmmaWait, &groups);
}
RUSHES_DEVICE void fence_shared_for_wgmma() { ++emulator::current->fences; }

RUSHES_DEVICE uint16_t to_bf16(float value) { return emulator::bf16_bits(value); }
RUSHES_DEVICE uint32_t pack_bf16(float low, float high) {
  return static_cast<uint32_t>(to_bf16(low)) | static_cast<uint32_t>(to_bf16(high)) << 16;
}
RUSHES_DEVICE float from_bf16(uint16_t bits) { return emulator::bf16_value(bits); }
RUSHES_DEVICE float bf16_low(uint32_t pair) { return std::bit_cast<float>(pair << 16); }
RUSHES_DEVICE float bf16_high(uint32_t pair) { return std::bit_cast<float>(pair & 0xffff0000u); }
RUSHES_DEVICE uint32_t pack_f16(float low, float high) {
  return static_cast<uint32_t>(emulator::f16_bits(low)) | static_cast<uint32_t>(emulator::f16_bits(high)) << 16;
}
RUSHES_DEVICE float f16_low(uint32_t pair) { return emulator::f16_value(static_cast<uint16_t>(pair)); }
RUSHES_DEVICE float f16_high(uint32_t pair) { return emulator::f16_value(static_cast<uint16_t>(pair >> 16)); }
RUSHES_DEVICE uint16_t pack_e4m3(float low, float high) {
  emulator::require_architecture(89, "pack_e4m3");
  return static_cast<uint16_t>(emulator::e4m3_bits(low) | emulator::e4m3_bits(high) << 8);
}
/// NaN becomes 0, what is too large the nearest int, as cvt.rni does.
RUSHES_DEVICE int32_t round_to_int(float value) {
  if (value != value) return 0;
  if (value >= 0x1p31f) return INT32_MAX;
  if (value < -0x1p31f) return INT32_MIN;
  return static_cast<int32_t>(std::nearbyintf(value));
}
RUSHES_DEVICE uint32_t float_bits(float value) { return std::bit_cast<uint32_t>(value); }
RUSHES_DEVICE float bits_float(uint32_t bits) { return std::bit_cast<float>(bits); }

// Compiled with -ffp-contract=off, so each of these rounds once.
RUSHES_DEVICE float multiply(float a, float b) { return a * b; }
RUSHES_DEVICE float add(float a, float b) { return a + b; }
RUSHES_DEVICE float fused(float a, float b, float c) { return std::fma(a, b, c); }
RUSHES_DEVICE float divide(float a, float b) { return a / b; }
RUSHES_DEVICE float square_root(float value) { return std::sqrt(value); }
RUSHES_DEVICE double multiply(double a, double b) { return a * b; }
RUSHES_DEVICE double add(double a, double b) { return a + b; }
RUSHES_DEVICE double divide(double a, double b) { return a / b; }
RUSHES_DEVICE double square_root(double value) { return std::sqrt(value); }
RUSHES_DEVICE float exp2_quick(float value) { return emulator::exp2_approximate(value); }
RUSHES_DEVICE float inverse_root(float value) { return emulator::inverse_root_approximate(value); }
RUSHES_DEVICE float divide_quick(float a, float b) { return emulator::divide_approximate(a, b); }

RUSHES_DEVICE void atomic_or(uint32_t* word, uint32_t bits) { __atomic_fetch_or(word, bits, __ATOMIC_RELAXED); }
RUSHES_DEVICE void atomic_max(uint32_t* word, uint32_t value) {
  uint32_t seen = __atomic_load_n(word, __ATOMIC_RELAXED);
  while (seen < value && !__atomic_compare_exchange_n(word, &seen, value, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
}

}  // namespace rushes::cuda
