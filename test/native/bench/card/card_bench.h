// engine_bench --device cuda: every operation on the graphics card, each result checked, each time given as a share of
// what the card's own ceilings, measured in the same run, allow. On the emulator everything runs and is checked at
// small shapes, and nothing is timed: it has no time.
#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cuda/host.h"
#include "runtime/context.h"

namespace rushes::card {

struct CardOptions {
  std::string filter;  // only rows whose "operation shape" contains this text
  bool tiny = false;   // shapes that the emulator ends in seconds
  bool json = false;
  double seconds = 400;  // rows that would begin later are left out, and said to be
  std::function<void(const std::string& line)> on_line{};
};

/// What a card does at most, operations (one multiply-add = 2) or bytes per second; 0 where it was not measured.
struct CardCeilings {
  double bf16 = 0, int8 = 0, f32 = 0;
  double memory = 0;                // read plus written
  double upload = 0, download = 0;  // from and to pinned host memory
  std::string bf16_by, int8_by;     // the instruction that was quickest
};

/// What a row cannot do without: products of each type, and bytes read once and written once.
struct Needs {
  double int8_ops = 0, bf16_ops = 0, f32_ops = 0, bytes = 0;
};
/// The larger of the products' time and the memory's; 0 where a ceiling is not known.
double floor_seconds(const Needs& needs, const CardCeilings& ceilings);

struct Row {
  std::string operation, shape;
  std::string kernel;
  Needs needs;
  double tolerance = 0;  // largest relative error
  /// Runs once and compares; the card has then been used as in `run`.
  std::function<double()> error;
  /// Gives the card the work; may return before it is done.
  std::function<void()> run;
  /// The work is a whole job with a card of its own and ends with the call: this computer's clock times it.
  bool by_host_clock = false;
};

struct Result {
  Row row;
  double error = 0;
  double seconds = 0;  // median; 0: not timed
  double shortest = 0, longest = 0;
  int runs = 0;
  double floor = 0, share = 0;
  bool memory_bound = false;  // the floor is the memory's
  std::string problem;        // why there is no result; "" when there is
  bool correct() const { return problem.empty() && error <= row.tolerance; }
};

/// A figure that is no share, and what is asked of it on this card (0: nothing).
struct Claim {
  std::string what, unit;
  double value = 0, asked = 0;
  bool at_least = true;
  bool reached() const { return at_least ? value >= asked : value <= asked; }
};

class CardBench {
 public:
  CardBench(const CardOptions& options, Device& device);
  ~CardBench();
  CardBench(const CardBench&) = delete;
  CardBench& operator=(const CardBench&) = delete;

  const CardOptions& options() const { return options_; }
  const DeviceInfo& info() const { return device_.info(); }
  const CardCeilings& ceilings() const { return ceilings_; }
  /// The emulator's card: nothing is timed.
  bool is_timed() const { return !info().emulated; }
  /// Backend cuda on the card, counting no memory.
  Context context(DType compute = DType::bf16) const;
  Context reference_context(DType compute = DType::bf16) const;
  /// What is asked of an H100 or H200 (docs/CUDA.md, Checks and times on a card); 0 on other cards.
  double asked(double value) const { return is_timed() && info().architecture == 90 ? value : 0; }
  /// Token counts: {7800, 32760}, or one small odd count.
  std::vector<int64_t> token_counts() const;
  bool wanted(const std::string& operation, const std::string& shape) const;

  void measure_ceilings();
  /// Checks and times a row and prints it. What it throws is a problem of the row.
  Result measure(Row row);
  void claim(Claim claim);
  void note(const std::string& line);
  /// Seconds on the card between the beginning and the end of what `work` asks for.
  double seconds_of(const std::function<void()>& work);

  const std::vector<Result>& results() const { return results_; }
  const std::vector<Claim>& claims() const { return claims_; }
  const std::vector<std::string>& lines() const { return lines_; }

 private:
  void time(Result& result);
  void print(const Result& result);

  const CardOptions& options_;
  Device& device_;
  CardCeilings ceilings_;
  cuda::EventHandle begin_ = nullptr, end_ = nullptr;
  Tensor other_data_;  // written between runs, so that none finds its operands in the second-level cache
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::vector<Result> results_;
  std::vector<Claim> claims_;
  std::vector<std::string> lines_;
};

// One function for each subject (rows_<subject>.cpp).
void linear_rows(CardBench& bench);
void attention_rows(CardBench& bench);
void small_rows(CardBench& bench);
void convolution_rows(CardBench& bench);
void model_rows(CardBench& bench);
void clip_rows(CardBench& bench);

/// Values in [-scale, scale) on the card: random enough, and made in milliseconds.
Tensor filled(const Context& context, Shape shape, uint32_t seed, float scale, DType type);

/// Runs all rows on the first card. Returns all lines, or with json {"card": {..}, "ceilings": {..}, "rows": [..],
/// "claims": [..], "wrong", "left_out"}. Seconds, rates and shares are null where nothing was timed. Throws what
/// opening the card throws.
struct CardReport {
  std::string text;
  int wrong = 0;  // rows with a wrong result or none
};
CardReport run_card_bench(const CardOptions& options);

}  // namespace rushes::card
