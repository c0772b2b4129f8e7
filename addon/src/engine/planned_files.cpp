#include "engine/planned_files.h"

namespace rushes {
namespace {

constexpr size_t kKept = 4;

}  // namespace

std::shared_ptr<const ModelFiles> PlannedFiles::open(const ModelPaths& paths) {
  const std::lock_guard lock(mutex_);
  const std::string stamp = files_stamp(paths);
  for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
    if (entry->paths != paths) continue;
    if (entry->stamp != stamp) {
      entries_.erase(entry);
      break;
    }
    entries_.splice(entries_.begin(), entries_, entry);
    return entry->files;
  }
  auto files = std::make_shared<const ModelFiles>(ModelFiles::open(paths, FileUse::headers));
  entries_.push_front({paths, stamp, files});
  if (entries_.size() > kKept) entries_.pop_back();
  return files;
}

void PlannedFiles::forget() {
  const std::lock_guard lock(mutex_);
  entries_.clear();
}

}  // namespace rushes
