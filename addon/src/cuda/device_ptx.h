// The functions of device.h on a GPU. Every PTX instruction that kernels use is written here once.
#pragma once
#include <cuda_runtime.h>

namespace rushes::cuda {

RUSHES_DEVICE int thread_index() { return static_cast<int>(threadIdx.x); }
RUSHES_DEVICE int block_threads() { return static_cast<int>(blockDim.x); }
RUSHES_DEVICE int lane_index() { return static_cast<int>(threadIdx.x & 31u); }
// A shuffle tells the compiler that all lanes agree.
RUSHES_DEVICE int warp_index() { return __shfl_sync(0xffffffffu, static_cast<int>(threadIdx.x >> 5), 0); }
RUSHES_DEVICE int block_x() { return static_cast<int>(blockIdx.x); }
RUSHES_DEVICE int block_y() { return static_cast<int>(blockIdx.y); }
RUSHES_DEVICE int block_z() { return static_cast<int>(blockIdx.z); }
RUSHES_DEVICE int grid_x() { return static_cast<int>(gridDim.x); }
RUSHES_DEVICE int grid_y() { return static_cast<int>(gridDim.y); }
RUSHES_DEVICE int grid_z() { return static_cast<int>(gridDim.z); }

// The swizzle of wgmma's operands is applied to addresses, so that what begins at a multiple of 1024 bytes of the launch's
// memory must do so in the multiprocessor's.
extern __shared__ __align__(1024) unsigned char launch_shared_bytes[];

template <class T>
class Shared {
 public:
  RUSHES_DEVICE Shared(T* data, int count) : data_(data), count_(count) {}
  RUSHES_DEVICE T& operator[](int i) const { return data_[i]; }
  RUSHES_DEVICE Shared part(int first) const { return {data_ + first, count_ - first}; }
  template <class U>
  RUSHES_DEVICE Shared<U> as() const {
    return {reinterpret_cast<U*>(data_), static_cast<int>(count_ * sizeof(T) / sizeof(U))};
  }
  RUSHES_DEVICE int count() const { return count_; }
  /// For the functions of this header only.
  RUSHES_DEVICE uint32_t address(int i) const { return static_cast<uint32_t>(__cvta_generic_to_shared(data_ + i)); }

 private:
  T* data_;
  int count_;
};
template <class T>
RUSHES_DEVICE Shared<T> shared_memory(int offset, int count) {
  return {reinterpret_cast<T*>(launch_shared_bytes + offset), count};
}

RUSHES_DEVICE void sync_block() { __syncthreads(); }
RUSHES_DEVICE void sync_warp() { __syncwarp(); }

template <class T>
RUSHES_DEVICE T shuffle(T value, int lane) { return __shfl_sync(0xffffffffu, value, lane); }
template <class T>
RUSHES_DEVICE T shuffle_xor(T value, int mask) { return __shfl_xor_sync(0xffffffffu, value, mask); }
template <class T>
RUSHES_DEVICE T shuffle_down(T value, int distance) { return __shfl_down_sync(0xffffffffu, value, distance); }
RUSHES_DEVICE uint32_t warp_ballot(bool predicate) { return __ballot_sync(0xffffffffu, predicate); }

template <class T>
RUSHES_DEVICE void copy_async(Shared<T> to, int index, const T* from, bool valid) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to.address(index)), "l"(from), "r"(valid ? 16 : 0)
               : "memory");
}
RUSHES_DEVICE void copy_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int kGroupsLeft>
RUSHES_DEVICE void copy_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kGroupsLeft) : "memory");
}

template <int kCount, class T>
RUSHES_DEVICE void load_matrix(uint32_t (&out)[kCount], Shared<T> rows, int index) {
  const uint32_t address = rows.address(index);
  if constexpr (kCount == 1)
    asm volatile("ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%0}, [%1];" : "=r"(out[0]) : "r"(address) : "memory");
  else if constexpr (kCount == 2)
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
                 : "=r"(out[0]), "=r"(out[1]) : "r"(address) : "memory");
  else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3]) : "r"(address) : "memory");
}
template <int kCount, class T>
RUSHES_DEVICE void load_matrix_transposed(uint32_t (&out)[kCount], Shared<T> rows, int index) {
  const uint32_t address = rows.address(index);
  if constexpr (kCount == 1)
    asm volatile("ldmatrix.sync.aligned.m8n8.x1.trans.shared.b16 {%0}, [%1];" : "=r"(out[0]) : "r"(address) : "memory");
  else if constexpr (kCount == 2)
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
                 : "=r"(out[0]), "=r"(out[1]) : "r"(address) : "memory");
  else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3]) : "r"(address) : "memory");
}

#define RUSHES_MMA_FLOAT(name, shape)                                                                              \
  RUSHES_DEVICE void name(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {                         \
    asm volatile("mma.sync.aligned." shape " {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"      \
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])                                                  \
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));                              \
  }
RUSHES_MMA_FLOAT(mma_bf16, "m16n8k16.row.col.f32.bf16.bf16.f32")
RUSHES_MMA_FLOAT(mma_f16, "m16n8k16.row.col.f32.f16.f16.f32")
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 890
RUSHES_MMA_FLOAT(mma_e4m3, "m16n8k32.row.col.f32.e4m3.e4m3.f32")
#else
// Never chosen there (cuda/kernel_choice.h); it must only compile.
RUSHES_DEVICE void mma_e4m3(float (&)[4], const uint32_t (&)[4], const uint32_t (&)[2]) { asm volatile("trap;"); }
#endif
#undef RUSHES_MMA_FLOAT
RUSHES_DEVICE void mma_int8(int32_t (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
               : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

RUSHES_DEVICE int swizzled_128(int row, int chunk) { return row * 128 + ((chunk ^ (row & 7)) << 4); }

RUSHES_DEVICE uint32_t pack_bf16(float low, float high) {
  uint32_t out;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(out) : "f"(high), "f"(low));
  return out;
}
RUSHES_DEVICE uint16_t to_bf16(float value) {
  uint16_t out;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(out) : "f"(value));
  return out;
}
RUSHES_DEVICE float from_bf16(uint16_t bits) { return __uint_as_float(static_cast<uint32_t>(bits) << 16); }
RUSHES_DEVICE float bf16_low(uint32_t pair) { return __uint_as_float(pair << 16); }
RUSHES_DEVICE float bf16_high(uint32_t pair) { return __uint_as_float(pair & 0xffff0000u); }
RUSHES_DEVICE uint32_t pack_f16(float low, float high) {
  uint32_t out;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(out) : "f"(high), "f"(low));
  return out;
}
RUSHES_DEVICE float f16_low(uint32_t pair) {
  float out;
  asm("{.reg .b16 low, high; mov.b32 {low, high}, %1; cvt.f32.f16 %0, low;}" : "=f"(out) : "r"(pair));
  return out;
}
RUSHES_DEVICE float f16_high(uint32_t pair) {
  float out;
  asm("{.reg .b16 low, high; mov.b32 {low, high}, %1; cvt.f32.f16 %0, high;}" : "=f"(out) : "r"(pair));
  return out;
}
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 890
RUSHES_DEVICE uint16_t pack_e4m3(float low, float high) {
  uint16_t out;
  asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(out) : "f"(high), "f"(low));
  return out;
}
#else
RUSHES_DEVICE uint16_t pack_e4m3(float, float) {
  asm volatile("trap;");
  return 0;
}
#endif
RUSHES_DEVICE int32_t round_to_int(float value) { return __float2int_rn(value); }
RUSHES_DEVICE uint32_t float_bits(float value) { return __float_as_uint(value); }
RUSHES_DEVICE float bits_float(uint32_t bits) { return __uint_as_float(bits); }

RUSHES_DEVICE float multiply(float a, float b) { return __fmul_rn(a, b); }
RUSHES_DEVICE float add(float a, float b) { return __fadd_rn(a, b); }
RUSHES_DEVICE float fused(float a, float b, float c) { return __fmaf_rn(a, b, c); }
RUSHES_DEVICE float divide(float a, float b) { return __fdiv_rn(a, b); }
RUSHES_DEVICE float square_root(float value) { return __fsqrt_rn(value); }
RUSHES_DEVICE double multiply(double a, double b) { return __dmul_rn(a, b); }
RUSHES_DEVICE double add(double a, double b) { return __dadd_rn(a, b); }
RUSHES_DEVICE double divide(double a, double b) { return __ddiv_rn(a, b); }
RUSHES_DEVICE double square_root(double value) { return __dsqrt_rn(value); }
RUSHES_DEVICE float exp2_quick(float value) {
  float out;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(out) : "f"(value));
  return out;
}
RUSHES_DEVICE float inverse_root(float value) { return rsqrtf(value); }
RUSHES_DEVICE float divide_quick(float a, float b) { return __fdividef(a, b); }

RUSHES_DEVICE void atomic_or(uint32_t* word, uint32_t bits) { atomicOr(word, bits); }
RUSHES_DEVICE void atomic_max(uint32_t* word, uint32_t value) { atomicMax(word, value); }

}  // namespace rushes::cuda

