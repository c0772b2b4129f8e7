// A block's shared memory and what is known of every byte of it: who wrote it last, who has read it since, whether a
// copy is still on its way there.
//
// Two accesses are in order when a barrier of the block lies between them, or when one thread made both, or when a warp
// barrier lies between them and both are of that warp. A record states one access in 32 bits: the block's epoch (counts
// its barriers), the warp's epoch within it (counts its warp barriers), the thread, and two flags.
#pragma once
#include <cstdint>
#include <vector>

namespace rushes::cuda::emulator {

struct Thread;

/// Bits of a record. A thread's own stamp has the same layout with the flags clear.
namespace record {
constexpr int kEpochShift = 22, kWarpEpochShift = 12, kThreadShift = 2;
constexpr uint32_t kLastEpoch = 1023, kLastWarpEpoch = 1023;
constexpr uint32_t kWarpEpochBits = kLastWarpEpoch << kWarpEpochShift;
constexpr uint32_t kThreadBits = 1023u << kThreadShift, kWarpBits = 0x3e0u << kThreadShift;
constexpr uint32_t kWritten = 1, kInFlight = 2;     // of a write
constexpr uint32_t kManyWarps = 1, kManyLanes = 2;  // of reads
}  // namespace record

class SharedBytes {
 public:
  /// Forgets everything; the bytes become noise that is not a number. `threads`: of the block; `has_products`: wgmma
  /// may be called.
  void begin(int count, const Thread* threads, bool has_products);
  int count() const { return count_; }
  unsigned char* data() { return data_; }

  /// Records the access of [offset, offset + bytes), which lies inside; throws Violation.
  void read(const Thread& thread, int offset, int bytes);
  void write(const Thread& thread, int offset, int bytes);
  /// 16 bytes that a copy will fill, and their arrival.
  void expect(const Thread& thread, int offset);
  void arrive(const Thread& thread, int offset, const unsigned char* from);

  /// 16 bytes that a product of the thread's warp begins to read, reads still, has read.
  void begin_product(const Thread& thread, int offset);
  void mark_product(const Thread& thread, int offset);
  void end_product(const Thread& thread, int offset);

  /// Epochs are about to be counted from 1 again: all accesses so far are in order with later ones.
  void forget_order();
  /// The same for the accesses of one warp in the present epoch.
  void forget_order(const Thread& lane);

 private:
  template <int kBytes>
  void read_whole(const Thread& thread, int offset);
  template <int kBytes>
  void write_whole(const Thread& thread, int offset, uint32_t flags);
  void read_byte(const Thread& thread, int offset);
  void write_byte(const Thread& thread, int offset, uint32_t flags);

  int count_ = 0;
  unsigned char* data_ = nullptr;  // 1024-byte aligned
  std::vector<unsigned char> storage_;
  std::vector<uint32_t> writes_, reads_;
  const Thread* threads_ = nullptr;
  bool has_products_ = false;
  std::vector<uint16_t> fences_;    // of a byte: the calls of fence_shared_for_wgmma by who wrote it, before
  std::vector<uint32_t> products_;  // of 16 bytes: the warps with a product under way that reads them
};

}  // namespace rushes::cuda::emulator
