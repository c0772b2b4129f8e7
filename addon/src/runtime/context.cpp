#include "runtime/context.h"

namespace rushes {

std::string_view backend_name(Backend backend) {
  constexpr std::string_view names[] = {"reference", "cpu", "cuda"};
  return names[static_cast<size_t>(backend)];
}

}  // namespace rushes
