// The few names a weights pickle may mention, and what applying them yields.
#pragma once
#include "files/pickle_machine.h"

namespace rushes::pickle {

/// The tag of "module name"; refuses any that is not on the list.
Value global_value(std::string_view module, std::string_view name, const std::filesystem::path& path);
/// REDUCE and NEWOBJ: OrderedDict() -> dict, _rebuild_tensor_v2(...) -> tensor, ...
Value reduce(Document& document, const Value& callable, const Value& arguments, const std::filesystem::path& path);
/// BINPERSID: ('storage', type, key, location, count) -> storage.
Value persistent_value(Document& document, const Value& id, const std::filesystem::path& path);

}  // namespace rushes::pickle
