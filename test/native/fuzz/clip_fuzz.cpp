// libFuzzer target; see target.h.
#include "fuzz/target.h"

RUSHES_FUZZ_TARGET(exercise_clip, clip_seeds)
