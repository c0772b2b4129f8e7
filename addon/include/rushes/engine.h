/* The engine's narrow C interface: a model, and what it is asked to do. Nothing throws or aborts across it; every call
   that can fail returns a rushes_status. Strings are UTF-8. Reports are JSON objects, freed with rushes_string_free. */
#ifndef RUSHES_ENGINE_H
#define RUSHES_ENGINE_H
#include <stddef.h>
#include <stdint.h>

#include "rushes/settings.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rushes_model rushes_model;

/* code "" means success; otherwise a stable code ("checkpoint.corrupt", "memory.exhausted", "job.cancelled", ...), one
   sentence, what to do (may be ""), technical detail (may be ""). Byte counts for memory.exhausted and disk.full. */
typedef struct {
  char code[48];
  char sentence[512];
  char advice[512];
  char detail[1024];
  uint64_t needed_bytes, free_bytes;
} rushes_status;

/* In their order. RUSHES_STAGE_IMAGE, the VAE's encoding of the first picture, only where the model starts from one. */
typedef enum {
  RUSHES_STAGE_TEXT,
  RUSHES_STAGE_IMAGE,
  RUSHES_STAGE_LOAD,
  RUSHES_STAGE_SAMPLE,
  RUSHES_STAGE_DECODE
} rushes_stage;

/* "text", "image", "load", "sample", "decode": the stage's name in events, reports and the record. */
const char* rushes_stage_name(rushes_stage stage);

/* Callbacks come from the thread that runs the call, but in rushes_generate and rushes_decode `packet` and `frame` from a
   second thread, and `cancelled` and `keep` from a third, also while others run; none after the call. Any may be NULL. */
typedef struct {
  void* user;
  /* Once, before anything is loaded: the plan the job keeps to, with the memory that is free now (rushes_plan's JSON).
     A job that does not fit is planned too, and then refused. */
  void (*planned)(void* user, const char* plan);
  /* fraction 0..1 of the stage; step counts from 1 (0 outside sampling). After each block of the
     transformer and each frame. */
  void (*progress)(void* user, rushes_stage stage, double fraction, int step, int steps);
  /* level 0 debug, 1 info, 2 warning */
  void (*log)(void* user, int level, const char* line);
  /* After each sampling step but the last: the middle of the clip as estimated so far, RGB, width*height*3 bytes.
     approximate != 0: a linear map of the latents, one pixel per latent cell; else decoded, at the video's size. */
  void (*preview)(void* user, int step, const uint8_t* rgb, int width, int height, int approximate);
  /* A stage is over; finished is 0 when it failed or was cancelled on the way. */
  void (*stage_ended)(void* user, rushes_stage stage, double seconds, uint64_t peak_bytes, int finished);
  /* H.264 access unit in Annex B form, in presentation order; the first one carries SPS and PPS. */
  void (*packet)(void* user, const uint8_t* data, size_t size, int key_frame, int64_t frame);
  /* Every frame as RGB, width*height*3 bytes. */
  void (*frame)(void* user, int64_t frame, const uint8_t* rgb, int width, int height);
  /* Polled at least every 200 ms of work; nonzero cancels. */
  int (*cancelled)(void* user);
  /* Polled likewise; nonzero ends sampling early. The running step is abandoned and the latest estimate becomes the
     result; before the first finished step, that step is waited for. Nothing changes once the last step is finished. */
  int (*keep)(void* user);
} rushes_callbacks;

/* Model files; UTF-8 paths. text_len: context rows (512 unless the model's config.json says otherwise). dit_low: of a
   model with two experts (Wan2.2 A14B) the low-noise one, `dit` being the high-noise one; else NULL. */
typedef struct {
  const char *dit, *vae, *text_encoder;
  int text_len;
  const char* dit_low;
} rushes_model_files;

typedef enum { RUSHES_LORA_BOTH, RUSHES_LORA_HIGH, RUSHES_LORA_LOW } rushes_lora_expert;

/* A LoRA file and how strongly it changes the transformer: strength -2 to 2. The expert other than RUSHES_LORA_BOTH
   only where a model has two. */
typedef struct {
  const char* path;
  double strength;
  rushes_lora_expert expert;
} rushes_lora;

/* One generation. `ids` are the prompt's tokens, `</s>` included. Paths may be NULL.
   embedding_path: read if it exists, else written after encoding. latents_path: final latents (safetensors), on disk
   before decoding begins. step_latents_prefix: after step k, "<prefix>-step<k>.safetensors" (float64 state).
   start_step > 0 continues from resume_path, a step file of the same settings; less than the settings' steps.
   image: RGB, width * height * 3 bytes, for a transformer that starts from a picture (36 input channels); NULL for
   others. loras: added up; the text encoder is not changed by them. A file that is no LoRA of this model is
   checkpoint.unsupported. What else does not fit the model is settings.invalid. */
typedef struct {
  rushes_settings settings;
  const int32_t* ids;
  size_t id_count;
  const char *embedding_path, *latents_path, *step_latents_prefix, *resume_path;
  int start_step;
  const uint8_t* image;
  size_t image_bytes;
  const rushes_lora* loras;
  size_t lora_count;
} rushes_request;

void rushes_settings_default(rushes_settings* settings);
void rushes_string_free(char* text);

/* Reads headers only; nothing large is loaded until a job needs it. What a job packed stays warm, while it fits, until
   another job needs other packing or the model is closed. */
rushes_status rushes_model_open(const rushes_model_files* files, rushes_model** out);
void rushes_model_close(rushes_model* model);

/* Bytes of its packed weights and running job. Never waits. */
uint64_t rushes_model_bytes(const rushes_model* model);

/* Predicted bytes and seconds for each stage of a job of these files, from headers alone (which are kept open for the
   next plan). May be called from any thread, also while models work. `warm` may be NULL: the model in memory, whose
   packed weights count as loaded when it is of these files, and as free when it is of others. id_count 0: the latents
   are there, and only the decode is planned. `loras` as in rushes_request; may be NULL.
   {"stages": [{"stage", "peakBytes", "seconds"}], "peakBytes", "freeBytes", "fits", "advice", "fixes": [{"id",
   "settings", "peakBytes"}], "seconds", "resident", "int8": {"layers", "bytes16", "bytes"}, "settings": {resolved}} */
rushes_status rushes_plan(const rushes_model_files* files, const rushes_model* warm, const rushes_settings* settings,
                          size_t id_count, const rushes_lora* loras, size_t lora_count, char** report);
/* Keeps what the plans' seconds were measured with in this folder (created when needed) for the next process; asked
   once, before the first plan. Without it each process measures again (a tenth of a second). */
rushes_status rushes_keep_rates(const char* folder);
/* Closes the headers kept for plans and gives freed memory back to the system. */
void rushes_release(void);

/* Runs text -> latents -> frames on the calling thread. report: {"settings": {resolved}, "stages": [{"stage",
   "seconds", "peakBytes"}], "int8": {"layers", "bytes16", "bytes", "names": ["blocks.0.self_attn.q [1536x1536]", ...]},
   "plan": {...}, "warnings": [...], "frames", "width", "height", "keptStep"}. keptStep: the steps these latents really
   had, when sampling was ended early by `keep`, else null. A second call while one runs: engine.busy. */
rushes_status rushes_generate(rushes_model* model, const rushes_request* request, const rushes_callbacks* callbacks,
                              char** report);
/* Decodes saved latents again, without sampling. */
rushes_status rushes_decode(rushes_model* model, const char* latents_path, const rushes_settings* settings,
                            const rushes_callbacks* callbacks, char** report);

/* Header only; a LoRA is of the family "lora", with the sizes {"rank", "layers"}. {"path", "container", "bytes",
   "family", "architecture", "layout", "prefix", "sizes": {..}, "tensors", "parameters", "dtypes": {"bf16": 800},
   "quantization": "none" | "int8 (TurboDiffusion)", "quantizedLayers", "sla": bool, "missing": [..], "unexpected":
   [..], "wrongShape": [..], "complete", "uses": [..], "refused", "summary"} */
rushes_status rushes_inspect(const char* path, char** report);
/* {"cpu": {"model", "cores", "isa": [..]}, "memory": {"totalBytes", "freeBytes"}, "residentBytes", "gpu": {"name"|null,
   "reason"}, "libraries": {"OpenH264"}} */
rushes_status rushes_machine(char** report);
/* Bytes of physical memory: all, free for a new job now, and held by this process. 0 = unknown. Never waits. */
typedef struct {
  uint64_t total_bytes, free_bytes, resident_bytes;
} rushes_memory;
rushes_memory rushes_memory_now(void);
/* Loops the kernel registry: {"checks": [{"operation", "name", "isa", "case", "error", "tolerance", "passed"}],
   "passed", "failed"}. */
rushes_status rushes_self_test(int threads, char** report);
/* Times the operations against this machine's ceilings (engine/bench.h). `filter` may be NULL; quick: few seconds.
   `line` gets the table as it grows. */
rushes_status rushes_bench(const char* filter, int threads, int quick, void* user,
                           void (*line)(void* user, const char* text), char** report);
/* Times whole clips of random weights of Wan2.1-1.3B's sizes, stage by stage (engine/bench_end_to_end.h). `options`:
   JSON
   {"folder": where the model is written once and kept, "layers": of the transformer (30), "textLayers": of the text
   encoder (24), "width", "height", "frames", "steps", "threads"}; all but the folder may be left out. */
rushes_status rushes_bench_end_to_end(const char* options, void* user, void (*line)(void* user, const char* text),
                                      char** report);

#ifdef __cplusplus
}
#endif
#endif
