#include "cuda/emulator/wgmma.h"

#include <algorithm>
#include <string>

#include "cuda/emulator/approximate.h"
#include "cuda/emulator/number_formats.h"
#include "cuda/emulator/tensor_core_sum.h"

namespace rushes::cuda::emulator {
namespace {

// Not a number, of the kind that any arithmetic changes; as an int nothing that a sum would be by chance.
constexpr uint32_t kNoise = 0x7fa0deadu;
constexpr int kRows = 64, kRowBytes = 128;

const WarpGroupProduct& product_of(void* const (&arguments)[kLanes], int lane) {
  return *static_cast<const WarpGroupProduct*>(arguments[lane]);
}

// Where 16-byte chunk `chunk` of row `row` of an operand lies: the swizzle of device.h's swizzled_128.
int place(int operand, int row, int chunk) { return operand + row * kRowBytes + ((chunk ^ (row & 7)) << 4); }

void check_operand(const Thread& thread, const char* name, int offset, int window_bytes, int rows) {
  if (offset % 1024)
    violation(thread, Fault::alignment, std::string("operand ") + name + " of wgmma does not lie on 1024 bytes");
  if (rows * kRowBytes > window_bytes || offset + rows * kRowBytes > thread.block->shape->shared_bytes)
    violation(thread, Fault::bounds,
              std::string("operand ") + name + " of wgmma has " + std::to_string(rows) +
                  " rows of 128 bytes, its window " + std::to_string(window_bytes) + " bytes");
}

void check_call(Warp& warp, void* const (&arguments)[kLanes]) {
  const WarpGroupProduct& first = product_of(arguments, 0);
  const Thread& thread = warp.threads[0];
  if (thread.block->shape->architecture != 90)
    violation(
        thread, Fault::architecture,
        "calls wgmma, which architecture " + std::to_string(thread.block->shape->architecture) + " does not have");
  if (thread.block->warps.size() % 4)
    violation(thread, Fault::divergence, "calls wgmma in a block that does not consist of groups of four warps");
  for (int lane = 1; lane < kLanes; ++lane) {
    const WarpGroupProduct& other = product_of(arguments, lane);
    if (other.a != first.a || other.b != first.b || other.depth_byte != first.depth_byte ||
        other.columns != first.columns || other.adds != first.adds)
      violation(warp.threads[lane], Fault::divergence, "calls wgmma with other operands than lane 0 of its warp");
  }
  if (first.depth_byte % 32 || first.depth_byte < 0 || first.depth_byte >= kRowBytes)
    violation(thread, Fault::bounds, "calls wgmma for depth byte " + std::to_string(first.depth_byte));
  check_operand(thread, "a", first.a, first.a_bytes, kRows);
  check_operand(thread, "b", first.b, first.b_bytes, first.columns);
}

// The 32 bytes of a row at the slice of the depth.
void load_row(SharedBytes& shared, const Thread& thread, int operand, int row, int depth_byte,
              unsigned char (&out)[32]) {
  for (int half = 0; half < 2; ++half) {
    const int offset = place(operand, row, depth_byte / 16 + half);
    shared.begin_product(thread, offset);
    std::memcpy(out + 16 * half, shared.data() + offset, 16);
  }
}

template <bool kInt8, int kDepth>
void widen(const unsigned char (&row)[32], float (&out)[kDepth]) {
  for (int k = 0; k < kDepth; ++k)
    if constexpr (kInt8)
      out[k] = static_cast<float>(static_cast<int8_t>(row[k]));
    else
      out[k] = bf16_value(static_cast<uint16_t>(row[2 * k] | row[2 * k + 1] << 8));
}

bool is_noise(const uint32_t* registers, int count) {
  return std::all_of(registers, registers + count, [](uint32_t bits) { return bits == kNoise; });
}

void check_untouched(const Warp& warp, const PendingProducts::Sums& sums) {
  for (int lane = 0; lane < kLanes; ++lane)
    if (!is_noise(sums.registers[lane], sums.count))
      violation(warp.threads[lane], Fault::in_flight, "touched sums of wgmma before wgmma_wait and wgmma_ready");
}

auto found_in(std::vector<PendingProducts::Sums>& list, const uint32_t* first, int count) {
  return std::find_if(list.begin(), list.end(),
                      [&](const auto& sums) { return sums.registers[0] == first && sums.count == count; });
}

// The sums of these registers: of products under way or waited for, else taken up from the lanes.
PendingProducts::Sums& sums_of(Warp& warp, void* const (&arguments)[kLanes]) {
  PendingProducts& products = *warp.products;
  const WarpGroupProduct& first = product_of(arguments, 0);
  const int count = first.columns / 2;
  if (const auto found = found_in(products.sums, first.d, count); found != products.sums.end()) return *found;
  if (const auto found = found_in(products.arrived, first.d, count); found != products.arrived.end()) {
    check_untouched(warp, *found);
    products.sums.push_back(std::move(*found));
    products.arrived.erase(found);
    return products.sums.back();
  }
  PendingProducts::Sums sums;
  sums.count = count;
  for (int lane = 0; lane < kLanes; ++lane) {
    uint32_t* const registers = product_of(arguments, lane).d;
    sums.registers[lane] = registers;
    sums.values.insert(sums.values.end(), registers, registers + count);
  }
  if (!products.has_begun)
    violation(warp.threads[0], Fault::fence, "calls wgmma on sums that were touched, without wgmma_begin");
  if (first.adds && std::find(products.begun.begin(), products.begun.end(), first.d) == products.begun.end())
    violation(warp.threads[0], Fault::fence,
              "calls wgmma on sums that were written, without wgmma_ready before wgmma_begin");
  products.sums.push_back(std::move(sums));
  return products.sums.back();
}

// A row of the sums += a row of `a` times `b`.
template <int kDepth>
void add_row(const float (&a)[kDepth], const float (&b)[kDepth][256], int columns, float (&sums)[256]) {
  if (kDepth == kGroupBlock.terms && !is_exact()) {
    const TensorCoreRounding rounding;
    for (int column = 0; column < columns; column += 8) add_block<kGroupBlock>(a, b[0] + column, 256, sums + column);
    return;
  }
  for (int k = 0; k < kDepth; ++k)
    for (int column = 0; column < columns; ++column) sums[column] += a[k] * b[k][column];
}

// One product of the warp's 16 rows. Products of 8-bit numbers and 32 of them added are exact in f32.
template <bool kInt8>
void multiply(Warp& warp, void* const (&arguments)[kLanes]) {
  constexpr int kDepth = kInt8 ? 32 : 16;
  check_call(warp, arguments);
  const WarpGroupProduct call = product_of(arguments, 0);
  PendingProducts& products = *warp.products;
  SharedBytes& shared = warp.block->shared;
  float a[16][kDepth];
  alignas(64) float b[kDepth][256], row_sums[256];
  unsigned char bytes[32];
  const int first_row = 16 * (warp.index % 4);
  for (int row = 0; row < 16; ++row) {
    load_row(shared, warp.threads[row], call.a, first_row + row, call.depth_byte, bytes);
    widen<kInt8, kDepth>(bytes, a[row]);
  }
  for (int column = 0; column < call.columns; ++column) {
    float values[kDepth];
    load_row(shared, warp.threads[column % kLanes], call.b, column, call.depth_byte, bytes);
    widen<kInt8, kDepth>(bytes, values);
    for (int k = 0; k < kDepth; ++k) b[k][column] = values[k];
  }
  PendingProducts::Sums& sums = sums_of(warp, arguments);
  const auto value = [&](int row, int column) -> uint32_t& {
    const int lane = row % 8 * 4 + column % 8 / 2, index = column / 8 * 4 + row / 8 * 2 + column % 2;
    return sums.values[static_cast<size_t>(lane * sums.count + index)];
  };
  for (int row = 0; row < 16; ++row) {
    for (int column = 0; column < call.columns; ++column)
      row_sums[column] = kInt8 || !call.adds ? 0.0f : std::bit_cast<float>(value(row, column));
    add_row(a[row], b, call.columns, row_sums);
    for (int column = 0; column < call.columns; ++column)
      if constexpr (kInt8)
        value(row, column) =
            static_cast<uint32_t>(static_cast<int32_t>(row_sums[column])) + (call.adds ? value(row, column) : 0u);
      else
        value(row, column) = std::bit_cast<uint32_t>(row_sums[column]);
  }
  for (uint32_t* registers : sums.registers) std::fill_n(registers, sums.count, kNoise);
  sums.group = products.group;
  products.operands.push_back({call.a, call.b, call.columns, call.depth_byte, products.group});
  for (const int part : {call.a, call.b, call.columns, call.depth_byte, int{call.adds}, int{kInt8}})
    products.history = products.history * 1000003u + static_cast<uint64_t>(part) + 1;
}

void begin(Warp& warp, void* const (&)[kLanes]) {
  warp.products->has_begun = true;
  warp.products->begun = warp.products->ready;
}
void commit(Warp& warp, void* const (&)[kLanes]) { ++warp.products->group; }

void end_reads(Warp& warp, const PendingProducts::Operands& operands) {
  SharedBytes& shared = warp.block->shared;
  for (int half = 0; half < 2; ++half) {
    const int chunk = operands.depth_byte / 16 + half;
    for (int row = 0; row < 16; ++row)
      shared.end_product(warp.threads[row], place(operands.a, 16 * (warp.index % 4) + row, chunk));
    for (int row = 0; row < operands.b_rows; ++row)
      shared.end_product(warp.threads[row % kLanes], place(operands.b, row, chunk));
  }
}

void ready(Warp& warp, void* const (&arguments)[kLanes]) {
  PendingProducts& products = *warp.products;
  const auto& [d, count] = *static_cast<const WarpGroupSums*>(arguments[0]);
  if (found_in(products.sums, d, count) != products.sums.end())
    violation(warp.threads[0], Fault::in_flight, "calls wgmma_ready before wgmma_wait");
  if (const auto found = found_in(products.arrived, d, count); found != products.arrived.end()) {
    check_untouched(warp, *found);
    for (int lane = 0; lane < kLanes; ++lane)
      std::copy_n(found->values.begin() + lane * count, count, found->registers[lane]);
    products.arrived.erase(found);
  }
  products.ready.push_back(d);
}

void wait(Warp& warp, void* const (&arguments)[kLanes]) {
  PendingProducts& products = *warp.products;
  const auto left = static_cast<uint32_t>(*static_cast<const int*>(arguments[0]));
  const auto is_done = [&](uint32_t group) { return group + left < products.group; };
  // Operands that a later product still reads are marked again.
  for (const auto& operands : products.operands)
    if (is_done(operands.group)) end_reads(warp, operands);
  std::erase_if(products.operands, [&](const auto& operands) { return is_done(operands.group); });
  for (const auto& operands : products.operands)
    for (int half = 0; half < 2; ++half) {
      const int chunk = operands.depth_byte / 16 + half;
      for (int row = 0; row < 16; ++row)
        warp.block->shared.mark_product(warp.threads[0], place(operands.a, 16 * (warp.index % 4) + row, chunk));
      for (int row = 0; row < operands.b_rows; ++row)
        warp.block->shared.mark_product(warp.threads[0], place(operands.b, row, chunk));
    }
  for (auto& sums : products.sums)
    if (is_done(sums.group)) {
      check_untouched(warp, sums);
      products.arrived.push_back(std::move(sums));
    }
  std::erase_if(products.sums, [&](const auto& sums) { return is_done(sums.group); });
  products.has_begun = false;
  products.ready.clear();
  products.begun.clear();
}

}  // namespace

const WarpFunction kWgmmaBf16 = {"wgmma_bf16", multiply<false>}, kWgmmaInt8 = {"wgmma_int8", multiply<true>},
                   kWgmmaBegin = {"wgmma_begin", begin}, kWgmmaCommit = {"wgmma_commit", commit},
                   kWgmmaWait = {"wgmma_wait", wait}, kWgmmaReady = {"wgmma_ready", ready};

}  // namespace rushes::cuda::emulator
