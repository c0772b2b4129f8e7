// Exceptions to statuses, for the files that implement the C interface.
#pragma once
#include <algorithm>
#include <cstring>
#include <new>
#include <string>

#include "runtime/status.h"
#include "rushes/engine.h"

namespace rushes {

inline void copy_text(char* out, size_t size, const std::string& text) {
  const size_t length = std::min(size - 1, text.size());
  std::memcpy(out, text.data(), length);
  out[length] = 0;
}

inline rushes_status status_of(const Error& error) {
  rushes_status status{};
  copy_text(status.code, sizeof status.code, error.code());
  copy_text(status.sentence, sizeof status.sentence, error.sentence());
  copy_text(status.advice, sizeof status.advice, error.advice());
  copy_text(status.detail, sizeof status.detail, error.detail());
  status.needed_bytes = error.needed_bytes;
  status.free_bytes = error.free_bytes;
  return status;
}

/// Runs the work; whatever it throws becomes a status.
template <class Work>
rushes_status guarded(Work&& work) {
  try {
    work();
    return {};
  } catch (const Error& error) {
    return status_of(error);
  } catch (const std::bad_alloc&) {
    return status_of(Error("memory.exhausted", "The computer has too little free memory for this job.",
                           "Close other programs, or choose a smaller size or fewer frames."));
  } catch (const std::exception& error) {
    return status_of(Error("engine.internal", "The engine met a problem it does not know.",
                           "Please report it with the log.", error.what()));
  }
}

}  // namespace rushes
