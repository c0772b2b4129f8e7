#include "engine/session.h"

#include <chrono>

#include "cuda/cuda_device.h"
#include "engine/frame_audit.h"
#include "engine/frame_line.h"
#include "engine/machine.h"
#include "engine/step_preview.h"
#include "media/h264_encoder.h"
#include "runtime/card_shortage.h"
#include "runtime/page_pool.h"

namespace rushes {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

// One call: a resolved plan, a context, and the report that grows stage by stage.
class Session::Run {
 public:
  Run(Session& session, const rushes_settings& settings, size_t id_count, bool embedding_kept, int start_step,
      Loras loras, const Observer& observer)
      : session_(session), observer_(observer), loras_(std::move(loras)) {
    // Before the warm start is looked at: parts on another card go.
    const std::optional<Card> card = session.open_card(settings);
    const WarmStart start = session.warm_start(embedding_kept, start_step, &loras_);
    report_.plan = make_plan(session.headers_, settings, id_count, start, card, loras_);
    if (observer.planned) observer.planned(report_.plan.json().dump());
    report_.plan.require_fit();
    report_.settings = report_.plan.settings;
    apply_settings(report_.settings, context_);
    context_.memory = &session.memory_;
    if (context_.backend == Backend::cuda) {
      context_.device = session.device_.get();
      context_.device_memory = &session.device_memory_;
    }
    observer.line(LogLevel::info, device_text(settings));
    if (observer.orders) context_.cancelled = &observer.orders->cancelled();
    if (observer.log) context_.debug = [&observer](const std::string& line) { observer.log(LogLevel::debug, line); };
    if (!report_.plan.resident || packing_key(report_.settings) != session.parts_key_ ||
        report_.plan.streamed != session.parts_streamed_)
      session.parts_ = {};
    session.parts_key_ = packing_key(report_.settings);
    session.parts_streamed_ = report_.plan.streamed;
    drop_other_loras(session.parts_.dit, loras_.dit);
    drop_other_loras(session.parts_.dit_low, loras_.dit_low);
    session.publish();
    for (const std::string& warning : loras_.warnings) warn(warning);
  }

  Stages stages() {
    return Stages(context_, session_.files_, session_.parts_, report_.settings, loras_,
                  {report_.plan.resident, report_.plan.text_keys_kept, report_.plan.streamed}, observer_);
  }

  StepPreview preview() {
    return StepPreview(context_, session_.files_, session_.headers_, session_.parts_, report_.plan, session_.colours_,
                       observer_);
  }

  template <class Work>
  auto measure(rushes_stage stage, Work&& work) {
    context_.check_cancelled();
    const auto start = std::chrono::steady_clock::now();
    session_.memory_.reset_peak();
    session_.device_memory_.reset_peak();
    observer_.report(stage, 0);
    struct Finish {
      Run& run;
      rushes_stage stage;
      std::chrono::steady_clock::time_point start;
      int exceptions = std::uncaught_exceptions();
      ~Finish() {
        const StageCost cost{rushes_stage_name(stage),
                             seconds_since(start),
                             run.session_.memory_.peak(),
                             {},
                             run.session_.device_memory_.peak()};
        run.report_.stages.push_back(cost);
        PagePool::of_this_process().trim();  // the next stage's blocks are of other sizes
        run.session_.publish();
        if (run.observer_.stage_ended)
          run.observer_.stage_ended(stage, cost.seconds, cost.peak_bytes, std::uncaught_exceptions() == exceptions);
      }
    } finish{*this, stage, start};
    try {
      return work();
    } catch (const Error& error) {
      if (error.code() == "memory.exhausted") throw shortage(error);
      throw;
    }
  }

  void note_quantization(const WanDit& dit, int experts) {
    report_.int8 = int8_sum(dit, experts);
    for (const QuantizedLayer& layer : dit.quantized_layers())
      report_.int8_names.push_back(layer.name + " [" + std::to_string(layer.out_features) + "x" +
                                   std::to_string(layer.in_features) + "]");
    if (const std::string line = int8_text(report_.int8); !line.empty()) observer_.line(LogLevel::info, line);
  }

  // Decodes, encodes, audits; the last packet is out before this returns.
  void make_frames(const Tensor& latents) {
    const int width = static_cast<int>(report_.settings.width), height = static_cast<int>(report_.settings.height);
    FrameAudit audit;
    std::unique_ptr<H264Encoder> encoder;
    if (observer_.packet)
      encoder = std::make_unique<H264Encoder>(
          H264Settings{.width = width, .height = height, .quality = static_cast<int>(report_.settings.quality)});
    FrameLine line([&](int64_t frame, std::span<const uint8_t> rgb) {
      audit.add(rgb);
      if (observer_.frame) observer_.frame(frame, rgb, width, height);
      if (!encoder) return;
      const H264Packet packet = encoder->encode(rgb);
      observer_.packet(packet.data, packet.key_frame, frame);
    });
    stages().decode(latents, [&](int64_t frame, std::span<const uint8_t> rgb) {
      line.push(frame, rgb);
      ++report_.frames;
    });
    line.finish();
    audit.require_picture();
    for (const std::string& warning : audit.warnings()) warn(warning);
  }

  void note_kept(int step) {
    report_.kept_step = step;
    if (step)
      warn("Sampling was stopped after step " + std::to_string(step) + " of " +
           std::to_string(report_.settings.num_steps) + "; this is the clip as it was estimated then.");
  }

  Context& context() { return context_; }
  GenerateReport& report() { return report_; }

 private:
  // What an earlier job's LoRAs hold belongs to no stage of this one.
  void drop_other_loras(const std::shared_ptr<WanDit>& part, const std::vector<AppliedLora>& loras) const {
    if (part && !part->is_adapted_with(loras)) part->adapt(context_, {});
  }

  // Which device, and why, where that was left open.
  std::string device_text(const rushes_settings& asked) const {
    const Plan& plan = report_.plan;
    if (!plan.device_name.empty())
      return "Computing on " + plan.device_name +
             (plan.streamed ? ", with weights that stream through its memory" : "");
    const std::string text = "Computing on the " + std::string(backend_name(context_.backend));
    return asked.device == RUSHES_DEVICE_AUTO ? text + ". " + no_card_reason() : text;
  }

  // What could not be had is one piece, and counts in the stage's highest point already; a person is told of the whole.
  Error shortage(const Error& piece) const {
    const bool of_card = dynamic_cast<const CardShortage*>(&piece) != nullptr;
    const uint64_t peak = of_card ? session_.device_memory_.peak() : session_.memory_.peak();
    const uint64_t needed = std::max(peak, piece.needed_bytes);
    return memory_shortage(
        needed, needed - piece.needed_bytes + piece.free_bytes, of_card, piece.advice(),
        "There was no room for a piece of " + memory_text(piece.needed_bytes) + ". " + piece.detail());
  }

  void warn(const std::string& warning) {
    report_.warnings.push_back(warning);
    observer_.line(LogLevel::warning, warning);
  }

  Session& session_;
  const Observer& observer_;
  const Loras loras_;
  Context context_;
  GenerateReport report_;
};

Session::Session(const ModelPaths& paths)
    : paths_(paths),
      stamp_(files_stamp(paths)),
      files_(ModelFiles::open(paths)),
      headers_(ModelFiles::open(paths, FileUse::headers)) {}

void Session::publish() {
  const std::lock_guard lock(mutex_);
  published_ = warm_start(false);
}

WarmStart Session::warm_start_for(const ModelPaths& paths) const {
  WarmStart start;
  if (paths == paths_) {
    const std::string stamp = files_stamp(paths);
    const std::lock_guard lock(mutex_);
    if (stamp == stamp_) start = published_;
  }
  start.held_bytes = memory_.current();
  return start;
}

// What the card's parts of earlier jobs hold counts as free: they go when this job needs it.
std::optional<Card> Session::open_card(const rushes_settings& settings) {
  std::optional<Card> card = card_for(settings);
  if (!card) return card;
  if (device_ && device_ordinal_ != card->ordinal) {
    parts_ = {};
    device_.reset();
  }
  if (!device_) {
    device_ = cuda::open_cuda_device(card->ordinal);
    device_ordinal_ = card->ordinal;
  }
  card->free_bytes = device_->free_bytes() + device_memory_.current();
  return card;
}

void Session::leave_parts() {
  parts_ = {};
  publish();
}

// Throws what is wrong with them if they still cannot be read.
void Session::open_files_again() {
  leave_parts();
  colours_.reset();
  std::string stamp = files_stamp(paths_);
  ModelFiles files = ModelFiles::open(paths_), headers = ModelFiles::open(paths_, FileUse::headers);
  files_ = std::move(files);
  headers_ = std::move(headers);
  const std::lock_guard lock(mutex_);
  stamp_ = std::move(stamp);
}

// `loras`: the job's, where one begins.
WarmStart Session::warm_start(bool embedding_kept, int start_step, const Loras* loras) const {
  return {.packing = parts_key_,
          .streamed = parts_streamed_,
          .text_encoder = parts_.text_encoder != nullptr,
          .dit = parts_.dit != nullptr,
          .dit_low = parts_.dit_low != nullptr,
          .vae = parts_.vae != nullptr,
          .vae_encoder = parts_.vae && parts_.vae->holds(VaeHalf::encoder),
          .embedding_kept = embedding_kept,
          .dit_adapted = loras && parts_.dit && parts_.dit->is_adapted_with(loras->dit),
          .dit_low_adapted = loras && parts_.dit_low && parts_.dit_low->is_adapted_with(loras->dit_low),
          .start_step = start_step,
          .held_bytes = memory_.current()};
}

GenerateReport Session::generate(const GenerateRequest& request, const Observer& observer) {
  return keeping_order([&] { return generate_once(request, observer); });
}

// A picture where the model reads one, of the video's size, and nowhere else.
void Session::require_picture(const GenerateRequest& request) const {
  if (!files_.from_picture) {
    if (request.picture.empty()) return;
    throw Error("settings.invalid", "This model makes videos from text only; it cannot start from a picture.",
                "Leave the picture out, or choose an image-to-video model.");
  }
  if (request.picture.empty())
    throw Error("settings.invalid", "This model makes videos from a picture, and there is none.",
                "Give the picture that the video is to start from, or choose a text-to-video model.");
  const auto& [width, height] = std::pair(request.settings.width, request.settings.height);
  if (static_cast<int64_t>(request.picture.size()) != width * height * 3)
    throw Error("settings.invalid", "The picture is not of the video's size, " + std::to_string(width) + "x" +
                                        std::to_string(height) + ".");
}

// What can be known to be wrong before any work.
void Session::require_request(const GenerateRequest& request) const {
  check_settings(request.settings);
  if (request.ids.empty() || static_cast<int64_t>(request.ids.size()) > files_.text_len)
    throw Error("settings.invalid",
                "The prompt has " + std::to_string(request.ids.size()) + " tokens; the model takes 1 to " +
                    std::to_string(files_.text_len) + ".",
                "Shorten the prompt.");
  const int start_step = request.paths.start_step;
  if (start_step < 0 || start_step >= request.settings.num_steps)
    throw Error("settings.invalid",
                "Sampling cannot continue after step " + std::to_string(start_step) + " of " +
                    std::to_string(request.settings.num_steps) + ".",
                "Continue after a step that is not the last, or generate again.");
  if (start_step > 0 && request.paths.resume.empty())
    throw Error("settings.invalid",
                "Sampling cannot continue after step " + std::to_string(start_step) + " without that step's file.");
  require_picture(request);
}

GenerateReport Session::generate_once(const GenerateRequest& request, const Observer& observer) {
  require_request(request);
  if (observer.packet) H264Encoder::require_available();
  Context host;
  host.memory = &memory_;
  Tensor text = kept_embedding(host, request.paths.embedding, files_);
  Run run(*this, request.settings, request.ids.size(), text.defined(), request.paths.start_step,
          open_loras(request.loras, files_), observer);
  Stages stages = run.stages();
  run.measure(RUSHES_STAGE_TEXT, [&] {
    if (text.defined())
      observer.report(RUSHES_STAGE_TEXT, 1);
    else
      text = stages.encode_text(request.ids, request.paths.embedding);
  });
  Tensor picture;
  if (files_.from_picture)
    picture = run.measure(RUSHES_STAGE_IMAGE, [&] { return stages.encode_picture(request.picture); });
  StepPreview preview = run.preview();
  const bool shown = observer.preview && run.report().settings.num_steps > 1;
  run.measure(RUSHES_STAGE_LOAD, [&] {
    if (shown) preview.prepare();
    stages.load_transformer(request.paths.start_step);
  });
  run.note_quantization(stages.loaded_expert(), stages.expert_count(request.paths.start_step));
  const auto show = [&](const std::vector<float>& estimate, const Shape& shape, int step) {
    preview.show(estimate, shape, step);
  };
  const Tensor latents = run.measure(RUSHES_STAGE_SAMPLE, [&] {
    return stages.sample(text, picture, request.paths, shown ? Stages::StepSink(show) : nullptr);
  });
  text = picture = {};
  run.note_kept(stages.kept_step());
  run.measure(RUSHES_STAGE_DECODE, [&] { run.make_frames(latents); });
  return run.report();
}

GenerateReport Session::decode(const std::filesystem::path& latents, const rushes_settings& settings,
                               const Observer& observer) {
  return keeping_order([&] { return decode_once(latents, settings, observer); });
}

GenerateReport Session::decode_once(const std::filesystem::path& latents, const rushes_settings& settings,
                                    const Observer& observer) {
  if (observer.packet) H264Encoder::require_available();
  Run run(*this, settings, 0, false, 0, {}, observer);
  const SavedLatents saved = load_latents(run.context(), latents, run.stages().latent_shape());
  run.note_kept(saved.kept_step);
  run.measure(RUSHES_STAGE_DECODE, [&] { run.make_frames(saved.latents); });
  return run.report();
}

nlohmann::json GenerateReport::json() const {
  nlohmann::json list = nlohmann::json::array();
  for (const StageCost& stage : stages) list.push_back(stage_json(stage, !plan.device_name.empty()));
  nlohmann::json out = {{"settings", settings_json(settings)},
                        {"stages", list},
                        {"int8", nullptr},
                        {"plan", plan.json()},
                        {"warnings", warnings},
                        {"frames", frames},
                        {"width", settings.width},
                        {"height", settings.height},
                        {"keptStep", nullptr}};
  if (kept_step) out["keptStep"] = kept_step;
  if (int8.layers)
    out["int8"] = {
        {"layers", int8.layers}, {"bytes16", int8.bytes_16bit}, {"bytes", int8.bytes}, {"names", int8_names}};
  return out;
}

}  // namespace rushes
