// Golden cases: folders with case.json and tensors.safetensors, computed by the published PyTorch definitions.
#pragma once

namespace rushes {

/// Runs every folder given (a folder of case folders is searched) on reference and cpu, or after "--cuda" on the first
/// graphics card. Prints a line per case and backend, then "N passed, N failed, N skipped"; returns 0 only when all
/// passed, and where "--cuda" finds no card with one skipped case that says so. A new case needs no code.
int run_golden(int count, char** arguments);

}  // namespace rushes
