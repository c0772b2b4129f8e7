#include "engine/loras.h"

#include <list>
#include <mutex>
#include <set>

#include "engine/file_stamp.h"
#include "files/refusal.h"

namespace rushes {
namespace {

class OpenLoraFiles {
 public:
  static OpenLoraFiles& of_this_process() {
    static OpenLoraFiles files;
    return files;
  }

  std::shared_ptr<const LoraFile> open(const std::filesystem::path& path) {
    const std::lock_guard lock(mutex_);
    const std::string stamp = file_stamp(path);
    entries_.remove_if([&](const Entry& entry) {
      return entry.path == path && (entry.stamp != stamp || entry.lora->file().is_torn());
    });
    for (auto entry = entries_.begin(); entry != entries_.end(); ++entry)
      if (entry->path == path) {
        entries_.splice(entries_.begin(), entries_, entry);
        return entry->lora;
      }
    auto lora = LoraFile::open(path);
    entries_.push_front({path, stamp, lora});
    if (entries_.size() > kKept) entries_.pop_back();
    return lora;
  }

  void forget() {
    const std::lock_guard lock(mutex_);
    entries_.clear();
  }

 private:
  static constexpr size_t kKept = 8;
  struct Entry {
    std::filesystem::path path;
    std::string stamp;
    std::shared_ptr<const LoraFile> lora;
  };
  std::mutex mutex_;
  std::list<Entry> entries_;  // the latest first
};

std::string left_out_text(const LoraFile& lora, const std::vector<std::string>& names) {
  constexpr size_t kShown = 4;
  const std::vector<std::string> groups = grouped_names(names);
  std::string list;
  for (size_t i = 0; i < groups.size() && i < kShown; ++i) list += (i ? ", " : "") + groups[i];
  if (groups.size() > kShown) list += " and others";
  return display_name(lora.file().path()) + ": " + std::to_string(names.size()) +
         (names.size() == 1 ? " tensor fits" : " tensors fit") + " nothing in this model and " +
         (names.size() == 1 ? "was" : "were") + " left out (" + list + ").";
}

}  // namespace

Loras open_loras(const std::vector<LoraRequest>& requests, const ModelFiles& files) {
  Loras out;
  const bool is_pair = files.dit_low != nullptr;
  for (const auto& [path, strength, expert] : requests) {
    if (!(strength >= -2 && strength <= 2))
      throw Error("settings.invalid", "The strength of " + display_name(path) + " is outside its range.",
                  "Choose a strength from -2 to 2.");
    if (!is_pair && expert != LoraExpert::both)
      throw Error("settings.invalid",
                  display_name(path) + " is meant for one of two experts, and this model has one transformer.",
                  "Leave the expert out.");
    const auto lora = OpenLoraFiles::of_this_process().open(path);
    std::set<std::string> left_out;  // a tensor that neither expert has a place for counts once
    const auto apply = [&](std::vector<AppliedLora>& to, LoraExpert of) {
      for (const std::string& name : lora->match(files.layers, of).left_out) left_out.insert(name);
      if (strength != 0) to.push_back({lora, strength, of});
    };
    if (!is_pair) apply(out.dit, LoraExpert::both);
    if (is_pair && expert != LoraExpert::low) apply(out.dit, LoraExpert::high);
    if (is_pair && expert != LoraExpert::high) apply(out.dit_low, LoraExpert::low);
    if (!left_out.empty()) out.warnings.push_back(left_out_text(*lora, {left_out.begin(), left_out.end()}));
  }
  return out;
}

void forget_loras() { OpenLoraFiles::of_this_process().forget(); }

}  // namespace rushes
