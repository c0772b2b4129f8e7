// What a fuzz input is put through: everything the program does with a file before it computes. Used by the libFuzzer
// targets and, without libFuzzer, by engine_tests (files/fuzz_replay_test.cpp).
#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace rushes::fuzz {

/// Opens the bytes as a file of any kind, lists and reads all tensors (up to a limit), binds every family and inspects.
/// Returns the refusal's code, "" when the file opened. Anything but an Error of the readers escapes.
std::string exercise_file(std::span<const std::byte> bytes);
/// The same for an archive around this pickle, with a few storages.
std::string exercise_pickle(std::span<const std::byte> pickle);
/// The same for a safetensors file with this header and as much data as its last tensor asks for, up to a limit.
std::string exercise_header(std::span<const std::byte> header);
/// Decodes the bytes as an H.264 stream of one small size, one access unit a picture. Returns the refusal's code, "" when
/// every picture came.
std::string exercise_clip(std::span<const std::byte> stream);

/// Small valid inputs for each.
std::vector<std::vector<std::byte>> safetensors_seeds();
std::vector<std::vector<std::byte>> pytorch_seeds();
std::vector<std::vector<std::byte>> pickle_seeds();
std::vector<std::vector<std::byte>> header_seeds();
/// Empty where the engine is built without OpenH264.
std::vector<std::vector<std::byte>> clip_seeds();

}  // namespace rushes::fuzz
