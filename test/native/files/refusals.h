// What a call refuses with: code and sentence, for tests.
#pragma once
#include <doctest/doctest.h>

#include <span>
#include <string>
#include <vector>

#include "files/checkpoint.h"
#include "runtime/status.h"

namespace rushes::test {

struct Refusal {
  std::string code, sentence, advice;
  bool says(std::string_view part) const { return sentence.find(part) != std::string::npos; }
};

template <class Call>
Refusal refusal_of(Call&& call) {
  try {
    call();
  } catch (const Error& error) {
    return {error.code(), error.sentence(), error.advice()};
  }
  return {"", "", ""};
}

inline std::shared_ptr<const Checkpoint> open_memory(const std::vector<std::byte>& bytes,
                                                     const char* name = "test.safetensors") {
  return Checkpoint::open_bytes(bytes, name);
}

/// The same from bytes that nobody else keeps.
inline std::shared_ptr<const Checkpoint> open_memory(std::vector<std::byte>&& bytes,
                                                     const char* name = "test.safetensors") {
  struct Kept {
    std::vector<std::byte> bytes;
    std::shared_ptr<const Checkpoint> file;
  };
  const auto kept = std::make_shared<Kept>(Kept{std::move(bytes), nullptr});
  kept->file = Checkpoint::open_bytes(kept->bytes, name);
  return {kept, kept->file.get()};
}

inline Refusal refusal_of_bytes(const std::vector<std::byte>& bytes, const char* name = "test.safetensors") {
  return refusal_of([&] { open_memory(bytes, name); });
}

inline std::vector<float> values_of(const Checkpoint& file, std::string_view name) {
  const TensorView* tensor = file.find(name);
  REQUIRE(tensor != nullptr);
  std::vector<float> out(static_cast<size_t>(tensor->count()));
  to_float(file.view(*tensor), out);
  return out;
}

#define CHECK_REFUSED(refusal, expected_code, part)     \
  do {                                                  \
    const ::rushes::test::Refusal refused_ = (refusal); \
    CAPTURE(refused_.sentence);                         \
    CHECK(refused_.code == (expected_code));            \
    CHECK(refused_.says(part));                         \
  } while (false)

}  // namespace rushes::test
