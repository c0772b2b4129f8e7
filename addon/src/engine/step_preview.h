// The picture shown after a sampling step: the middle of the estimated clip, decoded where that is cheap, else from the
// latents' colours.
#pragma once
#include "engine/plan.h"
#include "engine/stages.h"
#include "models/wan_vae/latent_colours.h"

namespace rushes {

/// Of one job. Never changes what the job makes, nor ends it: of a picture that fails the log says so once, and the
/// next ones are of the coarser form, or left out. Only a cancelled job and a lost card are thrown.
class StepPreview {
 public:
  /// `colours` keeps the map of this VAE from job to job.
  StepPreview(const Context& context, const ModelFiles& files, const ModelFiles& headers, LoadedParts& parts,
              const Plan& plan, std::shared_ptr<const LatentColours>& colours, const Observer& observer)
      : context_(context),
        files_(files),
        headers_(headers),
        parts_(parts),
        plan_(plan),
        colours_(colours),
        observer_(observer) {}

  /// Decides how pictures are made and prepares it: loads the VAE, if the plan has it resident anyway, or fits the
  /// colours of its latents. Belongs before the transformer is loaded: for the fit a VAE comes and goes here.
  void prepare();
  /// `estimate`: latents [channels, T, h, w] as they are estimated after `step`.
  void show(const std::vector<float>& estimate, const Shape& shape, int step);

 private:
  enum class Form { none, approximate, decoded };
  void choose_form();
  template <class Work>
  bool succeeds(Work&& work);
  bool decoding_is_cheap() const;
  void approximate(const std::vector<float>& estimate, const Shape& shape, int step) const;
  void decode(const std::vector<float>& estimate, const Shape& shape, int step);

  const Context& context_;
  const ModelFiles& files_;
  const ModelFiles& headers_;
  LoadedParts& parts_;
  const Plan& plan_;
  std::shared_ptr<const LatentColours>& colours_;
  const Observer& observer_;
  Form form_ = Form::none;
  bool failure_told_ = false;
};

}  // namespace rushes
