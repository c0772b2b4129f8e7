/* Finished videos in other forms: H.264 access units of one clip to pictures, or to VP9. Needs no model and keeps nothing between
   calls, so it may run on any thread, beside a generation. The rules of engine.h hold (statuses, callbacks, UTF-8). */
#ifndef RUSHES_MEDIA_H
#define RUSHES_MEDIA_H
#include <stddef.h>
#include <stdint.h>

#include "rushes/engine.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One H.264 access unit in Annex B form. */
typedef struct {
  const uint8_t* data;
  size_t size;
} rushes_access_unit;

/* Access units in presentation order, one picture each, the first a key frame with its parameter sets. Pictures have the
   size said here (even, 16..4096), anything else is file.unreadable. */
typedef struct {
  const rushes_access_unit* units;
  size_t unit_count;
  int width, height;
} rushes_clip;

/* quality 1..100, constant, as the setting of H.264; frame_rate 1..60 frames a second; threads 0: chosen by the
   machine, at most 4. */
typedef struct {
  double frame_rate;
  int quality, threads;
} rushes_vp9_settings;

/* Pictures from number `first` on as full-range RGB to callbacks->frame, counted from the clip's start. Errors:
   file.unreadable (damaged, or not of the clip's size), settings.invalid, engine.unavailable, job.cancelled. */
rushes_status rushes_decode_clip(const rushes_clip* clip, size_t first, const rushes_callbacks* callbacks);

/* The clip as VP9 (profile 0, BT.709 limited range) to callbacks->packet: one packet a picture, in order. Pictures are
   decoded and encoded one by one. Errors as above. */
rushes_status rushes_encode_vp9(const rushes_clip* clip, const rushes_vp9_settings* settings,
                                const rushes_callbacks* callbacks);

#ifdef __cplusplus
}
#endif
#endif
