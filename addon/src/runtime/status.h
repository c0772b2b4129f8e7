// Typed errors of the engine: a stable code, one plain sentence, what to do. Does not live here: how they reach C or
// JavaScript (engine/, binding/).
#pragma once
#include <cstdint>
#include <exception>
#include <string>
#include <utility>

namespace rushes {

/// An error a user can read. Thrown inside the engine only; engine.h turns it into a rushes_status.
/// Codes in use: checkpoint.missing, checkpoint.corrupt, checkpoint.incomplete, checkpoint.unsupported,
/// settings.invalid, memory.exhausted, output.not_finite, output.black, disk.full, file.unwritable, file.unreadable,
/// job.cancelled, engine.internal, engine.unavailable, cpu.unsupported, gpu.unavailable, gpu.driver, gpu.no_kernel,
/// gpu.unsupported, gpu.lost, gpu.failed.
class Error : public std::exception {
 public:
  Error(std::string code, std::string sentence, std::string advice = {}, std::string detail = {})
      : code_(std::move(code)), sentence_(std::move(sentence)), advice_(std::move(advice)), detail_(std::move(detail)) {}
  const char* what() const noexcept override { return sentence_.c_str(); }
  const std::string& code() const { return code_; }
  const std::string& sentence() const { return sentence_; }
  /// What the user can do about it; may be empty.
  const std::string& advice() const { return advice_; }
  /// Technical detail, shown folded; may be empty.
  const std::string& detail() const { return detail_; }
  uint64_t needed_bytes = 0, free_bytes = 0;  // memory.exhausted and disk.full only

 private:
  std::string code_, sentence_, advice_, detail_;
};

/// Thrown by Context::check_cancelled.
class Cancelled : public Error {
 public:
  Cancelled() : Error("job.cancelled", "The job was cancelled.") {}
};

}  // namespace rushes
