// Advice for the window where an error's own advice (contract/errors.ts) speaks to the command line.
import type { ErrorCode } from "../../../contract/errors.ts";

export const windowAdvice: Readonly<Partial<Record<ErrorCode, string>>> = {
  "settings.invalid": "Look at the setting and its range.",
  "settings.unknown": "Check the name.",
  "usage.invalid": "Reload the window and try again.",
  "model.unknown": "Choose another model, or add its files in Models.",
  "tokenizer.missing": "Take tokenizer.json from the google/umt5-xxl repository and put it beside the encoder.",
  "checkpoint.incomplete": "Inspect the file in Models to see which.",
  "checkpoint.unsupported": "Inspect the file in Models to see what it is.",
  "disk.full": "Free some space, or use a library on another disk.",
  "output.not_finite": "Try the precision fp32, or Quant Linear off.",
  "job.unknown": "Look for it in the history.",
  "engine.missing": "Build or install Rushes again.",
  "engine.crashed": "Try again; if it happens again, run the self-test in Settings.",
  "engine.internal": "Try again, and report the technical detail.",
  "engine.unavailable": "Look at the diagnostics in Settings to see what is missing.",
  "cpu.unsupported": "Look at the diagnostics in Settings to see what it has.",
  "gpu.unavailable": "Choose the device CPU, or look at the diagnostics in Settings to see why.",
  "history.newer": "Update Rushes, or use another library.",
};
