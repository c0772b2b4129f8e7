#include "engine/bench_end_to_end.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "engine/bench/random_model.h"
#include "engine/rates.h"
#include "engine/session.h"
#include "models/umt5/umt5_tensors.h"
#include "models/wan_dit/wan_dit_tensors.h"
#include "models/wan_vae/wan_vae_tensors.h"
#include "runtime/ceilings.h"
#include "runtime/page_pool.h"
#include "runtime/processor_time.h"

namespace rushes {
namespace {

constexpr int kDitLayers = 30, kTextLayers = 24;
// Rows of the embedding table that are written. umT5 has 256,384; the rest is looked up, never computed with.
constexpr int64_t kVocabulary = 32128;
// A prompt of 100 words.
constexpr int kTokens = 130;
// A plan's seconds may be off by so much.
constexpr double kPlanMargin = 0.2;
// Left free on the disk.
constexpr uint64_t kReserve = uint64_t{1} << 30;

std::vector<ExpectedTensor> text_tensors(int layers) {
  return umt5_tensors({.dim = 4096, .heads = 64, .ffn = 10240, .layers = layers, .vocabulary = kVocabulary});
}

// The model's files in the folder, and what was left out of them.
class RandomFiles {
 public:
  explicit RandomFiles(const EndToEndOptions& options)
      : options_(options), layers_(options.layers), text_layers_(options.text_layers) {
    std::filesystem::create_directories(options.folder);
    make_room();
    paths_.dit = write("dit-1.3b-int8-" + std::to_string(layers_), wan_dit_tensors(wan_dit_1_3b(layers_)), true);
    paths_.text_encoder = write("umt5-xxl-" + std::to_string(text_layers_), text_tensors(text_layers_), false);
    paths_.vae = write("wan-vae", wan_vae_tensors({.base = 96, .latent_channels = 16}), false);
    if (layers_ < kDitLayers)
      note("The transformer has " + std::to_string(layers_) + " of " + std::to_string(kDitLayers) + " layers.");
    if (text_layers_ < kTextLayers)
      note("The text encoder has " + std::to_string(text_layers_) + " of " + std::to_string(kTextLayers) + " layers.");
  }

  const ModelPaths& paths() const { return paths_; }
  int text_layers() const { return text_layers_; }
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  std::filesystem::path path_of(const std::string& name) const { return options_.folder / (name + ".safetensors"); }

  void note(const std::string& text) {
    notes_.push_back(text);
    if (options_.on_line) options_.on_line(text);
  }

  uint64_t missing_bytes() const {
    const auto bytes = [&](const std::string& name, const std::vector<ExpectedTensor>& tensors, bool quantized) {
      return std::filesystem::exists(path_of(name)) ? 0 : random_model_bytes(tensors, quantized);
    };
    return bytes("dit-1.3b-int8-" + std::to_string(layers_), wan_dit_tensors(wan_dit_1_3b(layers_)), true) +
           bytes("umt5-xxl-" + std::to_string(text_layers_), text_tensors(text_layers_), false) +
           bytes("wan-vae", wan_vae_tensors({.base = 96, .latent_channels = 16}), false);
  }

  // Fewer layers of the text encoder, which is most of it, where the disk is small.
  void make_room() {
    const uint64_t available = std::filesystem::space(options_.folder).available,
                   usable = available > kReserve ? available - kReserve : 0;
    const int wanted = text_layers_;
    const uint64_t needed = missing_bytes();
    while (text_layers_ > 1 && missing_bytes() > usable) --text_layers_;
    if (missing_bytes() > usable) {
      Error error("disk.full",
                  "The benchmark's models need " + bytes_text(needed) + " in " + options_.folder.string() + ".",
                  "Free some space, or choose fewer layers.");
      error.needed_bytes = needed;
      error.free_bytes = available;
      throw error;
    }
    if (text_layers_ < wanted)
      note("The disk has " + bytes_text(available) + " free, so the text encoder has " + std::to_string(text_layers_) +
           " of " + std::to_string(wanted) + " layers.");
  }

  // Beside its place first: an interrupted run leaves no half of a file behind under that name.
  std::filesystem::path write(const std::string& name, const std::vector<ExpectedTensor>& tensors, bool quantized) {
    const std::filesystem::path path = path_of(name), part = path.string() + ".part";
    if (std::filesystem::exists(path)) return path;
    if (options_.on_line)
      options_.on_line("writing " + path.string() + ", " + bytes_text(random_model_bytes(tensors, quantized)));
    write_random_model(part, tensors, quantized);
    std::filesystem::rename(part, path);
    return path;
  }

  const EndToEndOptions& options_;
  int layers_, text_layers_;
  ModelPaths paths_;
  std::vector<std::string> notes_;
};

// What weights meet on their way from a file, in bytes per second with all threads.
struct WeightCeilings {
  double cached = 0;  // read out of the page cache through the map
  double fresh = 0;   // pages that the system finds and clears for packed weights
};

double measure_fresh_pages(int threads) {
  constexpr uint64_t kBlock = 1536 << 10, kBlocks = 128;  // small pages, as most of a model's matrices are given
  PagePool& pool = PagePool::of_this_process();
  std::vector<std::byte*> blocks;
  for (uint64_t i = 0; i < kBlocks; ++i) blocks.push_back(pool.take(kBlock, PageUse::lasting));
  const auto begin = std::chrono::steady_clock::now();
#pragma omp parallel for num_threads(threads) schedule(dynamic)
  for (std::byte* block : blocks)
    if (block) PagePool::populate(block, kBlock);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  for (std::byte* block : blocks)
    if (block) pool.give(block, kBlock, PageUse::lasting);
  return kBlock * kBlocks / seconds;
}

// Seconds of the products, of reading every weight once out of the page cache, of finding pages for packed ones and
// writing them, and of nothing else; of the disk, where it takes longer to give what the page cache lacks.
double floor_seconds(const StageCost& planned, const Ceilings& ceilings, const WeightCeilings& reading) {
  const WorkCount& work = planned.work;
  const double packed = packed_bytes(work);
  const double products =
      work.int8_ops / ceilings.int8.rate + work.bf16_ops / ceilings.bf16.rate + work.f32_ops / ceilings.f32.rate;
  // What the disk gives comes from the memory that it was read into.
  const double passes = (reading.cached > 0 ? (work.file_bytes - work.disk_bytes) / reading.cached : 0) +
                        (packed + work.disk_bytes) / ceilings.memory.rate + packed / reading.fresh;
  return std::max(products + passes, planned.disk.seconds(work.disk_bytes));
}

double share(double part, double whole) { return whole > 0 ? part / whole : 0; }

struct StageTime {
  std::string stage;
  // `planned_processor`: without waiting for the disk.
  double seconds = 0, processor = 0, floor = 0, planned = 0, planned_processor = 0;
  uint64_t peak = 0, planned_peak = 0;
  double file_bytes = 0, disk_bytes = 0;

  // By the clock, which other programs stretch, and in processor time, in which no disk is.
  bool planned_holds() const { return std::abs(planned - seconds) <= kPlanMargin * seconds; }
  bool planned_processor_holds() const { return std::abs(planned_processor - processor) <= kPlanMargin * processor; }

  nlohmann::json json() const {
    return {{"stage", stage},
            {"plannedShare", share(planned, seconds)},
            {"plannedHolds", planned_holds()},
            {"plannedProcessorSeconds", planned_processor},
            {"plannedProcessorShare", share(planned_processor, processor)},
            {"plannedProcessorHolds", planned_processor_holds()},
            {"fileBytes", file_bytes},
            {"diskBytes", disk_bytes},
            {"seconds", seconds},
            {"processorSeconds", processor},
            {"floorSeconds", floor},
            {"plannedSeconds", planned},
            {"peakBytes", peak},
            {"plannedPeakBytes", planned_peak},
            {"ratio", share(seconds, floor)},
            {"processorRatio", share(processor, floor)}};
  }
  std::string line() const {
    char text[320];
    std::snprintf(text, sizeof text,
                  "%-8s %9.2f s  %9.2f s of the processor per thread  floor %8.2f s  %5.2fx (%5.2fx)  planned %8.2f s, "
                  "%.0f%%%s (%.0f%% of the processor's%s)  peak %s, planned %s",
                  stage.c_str(), seconds, processor, floor, share(seconds, floor), share(processor, floor), planned,
                  100 * share(planned, seconds), planned_holds() ? "" : ", beyond 20%",
                  100 * share(planned_processor, processor), planned_processor_holds() ? "" : ", beyond 20%",
                  bytes_text(peak).c_str(), bytes_text(planned_peak).c_str());
    if (disk_bytes == 0) return text;
    return text + ("  " + bytes_text(static_cast<uint64_t>(disk_bytes)) + " of " +
                   bytes_text(static_cast<uint64_t>(file_bytes)) + " from the disk");
  }
};

rushes_settings settings_of(const EndToEndOptions& options) {
  rushes_settings settings = default_settings();
  settings.width = options.width;
  settings.height = options.height;
  settings.num_frames = options.frames;
  settings.num_steps = options.steps;
  settings.threads = options.threads;
  settings.seed = 1;
  settings.quant_linear = RUSHES_QUANT_LINEAR_INT8;
  settings.attention_type = RUSHES_ATTENTION_TYPE_SAGESLA;
  settings.sla_topk = 0.1;
  return settings;
}

}  // namespace

EndToEndOptions end_to_end_options(const std::string& json) {
  const nlohmann::json given = nlohmann::json::parse(json, nullptr, false);
  EndToEndOptions out;
  const auto number = [&](const char* name, int& value, int least, int most) {
    if (!given.contains(name)) return;
    const nlohmann::json& found = given[name];
    if (!found.is_number_integer() || found < least || found > most)
      throw Error("settings.invalid", std::string(name) + " must be a whole number from " + std::to_string(least) +
                                          " to " + std::to_string(most) + ".");
    value = found;
  };
  if (!given.is_object() || !given.contains("folder") || !given["folder"].is_string())
    throw Error("settings.invalid", "The benchmark needs a folder for its models.");
  out.folder = given["folder"].get<std::string>();
  number("layers", out.layers, 1, kDitLayers);
  number("textLayers", out.text_layers, 1, kTextLayers);
  number("width", out.width, 64, 1280);
  number("height", out.height, 64, 1280);
  number("frames", out.frames, 1, 81);
  number("steps", out.steps, 1, 4);
  number("threads", out.threads, 0, 1024);
  return out;
}

std::string bench_end_to_end(const EndToEndOptions& options) {
  const RandomFiles files(options);
  const CpuFeatures& cpu = CpuFeatures::host();
  const int threads = options.threads > 0 ? options.threads : cpu.cores;
  const Ceilings ceilings = measure_ceilings(cpu, threads, 0.3);

  // Rates from before the job, when it was planned, and from after it: the machine may have been busy at one of the
  // two.
  Rates& rates = Rates::of_this_machine();
  const auto planned_work = [](const Plan& plan) {
    WorkCount sum;
    for (const StageCost& stage : plan.stages) sum += stage.work;
    return sum;
  };

  Session session(files.paths());
  GenerateRequest request;
  request.settings = settings_of(options);
  for (int i = 0; i < kTokens; ++i) request.ids.push_back(2 + i * 97 % 30000);
  std::vector<double> processor;
  double before = 0;
  Observer observer;
  // From where a stage begins: planning, which measures rates, belongs to none.
  observer.progress = [&, begun = size_t{0}](rushes_stage, double, int, int) mutable {
    if (begun > processor.size()) return;
    begun = processor.size() + 1;
    before = process_processor_seconds();
  };
  observer.packet = [](std::span<const uint8_t>, bool, int64_t) {};
  observer.stage_ended = [&](rushes_stage, double, uint64_t, bool) {
    processor.push_back((process_processor_seconds() - before) / threads);
  };
  const GenerateReport report = session.generate(request, observer);
  rates.measure_again(planned_work(report.plan));
  const WeightCeilings reading{measure_cached_reading(*Checkpoint::open(files.paths().text_encoder), threads),
                               measure_fresh_pages(threads)};
  double disk_rate = 0;
  for (const StageCost& stage : report.plan.stages) disk_rate = std::max(disk_rate, stage.disk.bytes_per_second);
  if (options.on_line) {
    const auto rate = [](double value) { return bytes_text(static_cast<uint64_t>(value)) + "/s"; };
    options.on_line("weights: page cache through the map " + rate(reading.cached) + ", fresh pages " +
                    rate(reading.fresh) + (disk_rate > 0 ? ", disk " + rate(disk_rate) : ", the disk was not needed"));
  }

  nlohmann::json stages = nlohmann::json::array();
  StageTime sum{"all"};
  for (size_t i = 0; i < report.stages.size(); ++i) {
    const StageCost &done = report.stages[i], &planned = report.plan.stages[i];
    const double for_processor = stage_processor_seconds(planned.work, planned.disk) / threads;
    const StageTime stage{done.stage,
                          done.seconds,
                          processor[i],
                          floor_seconds(planned, ceilings, reading),
                          std::max(for_processor, planned.disk.seconds(planned.work.disk_bytes)),
                          for_processor,
                          done.peak_bytes,
                          planned.peak_bytes,
                          planned.work.file_bytes,
                          planned.work.disk_bytes};
    sum.planned_processor += stage.planned_processor;
    sum.file_bytes += stage.file_bytes;
    sum.disk_bytes += stage.disk_bytes;
    sum.seconds += stage.seconds;
    sum.processor += stage.processor;
    sum.floor += stage.floor;
    sum.planned += stage.planned;
    sum.peak = std::max(sum.peak, stage.peak);
    sum.planned_peak = std::max(sum.planned_peak, stage.planned_peak);
    stages.push_back(stage.json());
    if (options.on_line) options.on_line(stage.line());
  }
  if (options.on_line) options.on_line(sum.line());
  return nlohmann::json{
      {"machine", cpu.model},
      {"threads", threads},
      {"clip",
       {{"width", options.width}, {"height", options.height}, {"frames", options.frames}, {"steps", options.steps}}},
      {"layers", options.layers},
      {"textLayers", files.text_layers()},
      {"notes", files.notes()},
      {"settings", settings_json(report.settings)},
      {"weights",
       {{"cachedBytesPerSecond", reading.cached},
        {"freshBytesPerSecond", reading.fresh},
        {"diskBytesPerSecond", disk_rate > 0 ? nlohmann::json(disk_rate) : nlohmann::json()}}},
      {"stages", stages},
      {"sum", sum.json()}}
      .dump(2);
}

}  // namespace rushes
