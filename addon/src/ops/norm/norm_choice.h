// How the cuda backend spreads a norm's rows over threads: a pure function of the width, tested without a card.
#pragma once
#include <cstdint>

namespace rushes {

/// Numbers a thread holds, and whether a warp has a row to itself; else the whole block has one.
struct NormRowChoice {
  int elements = 16;
  bool warp_row = false;
  /// Threads of a row.
  int threads(int64_t width) const;
};

/// The widest row there is a choice for, and the most threads of one.
constexpr int kNormMostThreads = 512;
constexpr int64_t kWidestNorm = int64_t{32} * kNormMostThreads;

/// 16 numbers a thread keep many rows in flight on a multiprocessor; only very wide rows need 32, and rows whose
/// numbers move one by one, `aligned` false: what is in registers is all that such a row has in flight.
/// width 1..kWidestNorm.
NormRowChoice choose_norm_rows(int64_t width, bool aligned);

}  // namespace rushes
