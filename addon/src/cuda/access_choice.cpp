#include "cuda/access_choice.h"

#include <algorithm>

namespace rushes::cuda {

int choose_run(int elements, int64_t row_elements, std::initializer_list<ArrayPlace> arrays) {
  constexpr int kMostBytes = 16;
  if (row_elements % elements) return 1;  // a row would end within a run, and the next begin there
  const bool all_lie_well = std::all_of(arrays.begin(), arrays.end(), [&](const ArrayPlace& array) {
    const int bytes = std::min(kMostBytes, elements * array.element_bytes);
    return reinterpret_cast<uintptr_t>(array.data) % static_cast<uintptr_t>(bytes) == 0;
  });
  return all_lie_well ? elements : 1;
}

}  // namespace rushes::cuda
