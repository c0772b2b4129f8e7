// Blocks that stream from pinned memory on the pretended card: in every order of the two streams they give their own
// bits, and a pass that leaves out one wait is an error.
#include "models/wan_dit/block_stream.h"

#include <doctest/doctest.h>

#include <cstring>
#include <string>
#include <vector>

#include "emulator/pretended_card.h"
#include "runtime/transfer.h"

using namespace rushes;
namespace emulator = rushes::cuda::emulator;
using emulator::StreamOrder;

namespace {

constexpr size_t kBlocks = 5;
constexpr int64_t kCount = 3072;

// What a pass leaves out or turns around.
enum class Mistake { none, no_enter, no_enter_of_slot_1, leave_before_work };

// Five blocks of one tensor each, and a pass whose work copies the tensors out of their slots.
struct Streamed {
  PretendedCard card{90};
  Context context = card.context();
  BlockStream stream{context, kCount * sizeof(float)};
  std::vector<Tensor> weights;  // as they lie in their slots
  std::vector<Tensor> seen;

  Streamed() {
    for (size_t i = 0; i < kBlocks; ++i) {
      Tensor host = context.on_host().allocate(DType::f32, {kCount});
      std::fill_n(host.data<float>(), kCount, static_cast<float>(i + 1));
      const Context packing = stream.packing_context(context);
      weights.push_back(packing.weight_arena->take(DType::f32, {kCount}));
      copy_tensor(context, host, weights.back());
      stream.keep_packed(context);
      seen.push_back(context.allocate(DType::f32, {kCount}));
    }
  }

  void pass(Mistake mistake) {
    stream.begin_pass(context);
    for (size_t i = 0; i < kBlocks; ++i) {
      if (mistake != Mistake::no_enter && (mistake != Mistake::no_enter_of_slot_1 || i % 2 == 0))
        stream.enter(context, i);
      if (mistake == Mistake::leave_before_work) stream.leave(context, i);
      copy_tensor(context, weights[i], seen[i]);
      if (mistake != Mistake::leave_before_work) stream.leave(context, i);
    }
  }

  bool is_right() const {
    for (size_t i = 0; i < kBlocks; ++i) {
      const Tensor host = to_host(context, seen[i]);
      for (int64_t j = 0; j < kCount; ++j)
        if (host.data<float>()[j] != static_cast<float>(i + 1)) return false;
    }
    return true;
  }
};

std::string fault_of(Mistake mistake, StreamOrder order) {
  Streamed streamed;
  emulator::set_stream_order(order);
  try {
    streamed.pass(mistake);
    streamed.card.device->synchronize();
  } catch (const emulator::Violation& violation) {
    CHECK(violation.fault == emulator::Fault::order);
    return violation.sentence();
  }
  return "";
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("streamed blocks give the same bits in every order of copies and work") {
  for (const auto& [order, seed] : {std::pair(StreamOrder::earliest, 1u),
                                    {StreamOrder::latest, 1u},
                                    {StreamOrder::others_first, 1u},
                                    {StreamOrder::shuffled, 1u},
                                    {StreamOrder::shuffled, 2u},
                                    {StreamOrder::shuffled, 3u}}) {
    CAPTURE(static_cast<int>(order));
    Streamed streamed;
    emulator::set_stream_order(order, seed);
    const uint64_t violations = emulator::counts().violations;
    for (int pass = 0; pass < 3; ++pass) streamed.pass(Mistake::none);
    CHECK(streamed.is_right());
    CHECK(emulator::counts().violations == violations);
  }
}

TEST_CASE("a pass over streamed blocks without one of its waits is an error in every order") {
  for (const StreamOrder order :
       {StreamOrder::earliest, StreamOrder::latest, StreamOrder::others_first, StreamOrder::shuffled}) {
    CAPTURE(static_cast<int>(order));
    CHECK(fault_of(Mistake::none, order) == "");
    for (const Mistake mistake : {Mistake::no_enter, Mistake::no_enter_of_slot_1}) {
      const std::string fault = fault_of(mistake, order);
      CAPTURE(fault);
      CHECK(has(fault, "A copy of 12288 bytes within the card (stream 1)"));
      CHECK(has(fault, "a copy of 12288 bytes to the card (stream 2)"));
    }
    // The copy of block 2 into the slot of block 0 then no longer waits for the work of block 0.
    CHECK(has(fault_of(Mistake::leave_before_work, order), "neither waits for the other"));
  }
}
