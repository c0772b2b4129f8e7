#include "engine/disk_rate.h"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <map>
#include <mutex>
#include <vector>

#include "runtime/page_pool.h"
#include "runtime/processor_time.h"

namespace rushes {
namespace {

// As reading ahead asks for them.
constexpr uint64_t kRequestBytes = 8 << 20;
constexpr uint64_t kEnoughBytes = 128 << 20;
constexpr double kEnoughSeconds = 0.1;
// Of the page cache: more than the processor's caches hold, in pieces for threads to take.
constexpr uint64_t kCachedSample = 256 << 20, kCachedPiece = 2 << 20;

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

std::vector<FilePart> large_parts(const Checkpoint& file) {
  std::vector<FilePart> parts;
  for (const TensorView& tensor : file.tensors())
    if (std::optional<FilePart> part = file.part(tensor); part && part->bytes >= kRequestBytes)
      parts.push_back(std::move(*part));
  return parts;
}

// Every line of the range; the sum keeps the reading from being dropped.
uint64_t touch(const std::byte* begin, uint64_t bytes) {
  uint64_t sum = 0, word;
  for (uint64_t at = 0; at + sizeof word <= bytes; at += 64) {
    std::memcpy(&word, begin + at, sizeof word);
    sum += word;
  }
  return sum;
}

}  // namespace

DiskRate measure_disk(const Checkpoint& file) {
  PagePool& pool = PagePool::of_this_process();
  struct Lent {
    PagePool& from;
    std::byte* data;
    ~Lent() {
      if (data) from.give(data, kRequestBytes, PageUse::lasting);
    }
  } const memory{pool, pool.take(kRequestBytes, PageUse::lasting)};
  std::byte* const buffer = memory.data;
  if (!buffer) return {};
  PagePool::prefer_huge_pages(buffer, kRequestBytes);
  uint64_t bytes = 0;
  bool warm = false;
  auto begin = Clock::now();
  double processor = 0;
  const auto enough = [&] { return bytes >= kEnoughBytes || (bytes > 0 && seconds_since(begin) > kEnoughSeconds); };
  for (const FilePart& part : large_parts(file)) {
    const uint64_t first = part.file->offset_of(part.begin) / MappedFile::kBlockBytes * MappedFile::kBlockBytes;
    for (uint64_t at = 0; at + kRequestBytes <= part.bytes && !enough(); at += kRequestBytes) {
      if (!part.file->read_past_cache(first + at, buffer, kRequestBytes)) return {};
      if (warm) {
        bytes += kRequestBytes;
        continue;
      }
      warm = true;
      begin = Clock::now();
      processor = thread_processor_seconds();
    }
  }
  if (bytes == 0) return {};
  const auto read = static_cast<double>(bytes);
  return {read / seconds_since(begin), (thread_processor_seconds() - processor) / read};
}

DiskRate disk_rate(const Checkpoint& file) {
  static std::mutex mutex;
  static std::map<dev_t, DiskRate> kept;
  struct stat status {};
  if (::stat(file.path().c_str(), &status) != 0) return {};
  const std::lock_guard lock(mutex);
  DiskRate& rate = kept[status.st_dev];
  if (rate.bytes_per_second == 0) rate = measure_disk(file);
  return rate;
}

double measure_cached_reading(const Checkpoint& file, int threads) {
  std::vector<FilePart> parts;
  uint64_t bytes = 0;
  for (const FilePart& part : large_parts(file)) {
    for (uint64_t at = 0; at + kCachedPiece <= part.bytes && bytes < kCachedSample; at += kCachedPiece) {
      if (!part.file->is_cached(part.begin + at, kCachedPiece)) continue;
      parts.push_back({part.name, part.file, part.begin + at, kCachedPiece});
      bytes += kCachedPiece;
    }
  }
  if (bytes < kCachedSample / 4) return 0;
  const auto begin = Clock::now();
  uint64_t sum = 0;
#pragma omp parallel for num_threads(threads) schedule(dynamic) reduction(+ : sum)
  for (size_t i = 0; i < parts.size(); ++i) {
    sum += touch(parts[i].begin, parts[i].bytes);
    parts[i].file->release(parts[i].begin, parts[i].bytes);
  }
  const double seconds = seconds_since(begin);
  return sum == 1 ? 0 : static_cast<double>(bytes) / seconds;
}

}  // namespace rushes
