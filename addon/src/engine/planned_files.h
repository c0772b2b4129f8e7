// Headers kept open for planning: a form asks for a plan at every change of a setting.
#pragma once
#include <list>
#include <mutex>

#include "engine/model_files.h"

namespace rushes {

/// The last few sets of files that were planned. Thread-safe.
class PlannedFiles {
 public:
  /// The files' headers: kept ones while the files are the same on the disk, else read anew. Errors of
  /// ModelFiles::open.
  std::shared_ptr<const ModelFiles> open(const ModelPaths& paths);
  /// Closes all of them; plans under way keep their own.
  void forget();

 private:
  struct Entry {
    ModelPaths paths;
    std::string stamp;
    std::shared_ptr<const ModelFiles> files;
  };
  std::mutex mutex_;
  std::list<Entry> entries_;  // the latest first
};

}  // namespace rushes
