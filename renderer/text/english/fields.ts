// English words of the settings form's fields; labels and help of the settings themselves are the catalogue's.
import type { ValueSource } from "../../../contract/channels/generate.ts";

const sources: Record<ValueSource, string> = {
  default: "Default",
  model: "The model's own value",
  config: "From the configuration file",
  preset: "From the preset",
  form: "Set here",
};

export const fields = {
  reset: (label: string, value: string) => `Reset ${label} to ${value}`,
  sources,
  absent: (what: string) => what,
  on: "On",
  off: "Off",
  auto: "Auto",
  custom: "Custom",
  width: "Width",
  height: "Height",
  sizeRule: "Multiples of 16, at most 4096 × 2304",
  pixels: "px",
  secondsAt: (seconds: string, fps: number) => `${seconds} at ${fps} fps`,
  random: "Random",
  fixed: "Fixed",
  newSeed: "Draw a seed",
  lastSeed: "Use the last seed",
  addLora: "Add a LoRA",
  chooseLora: "Choose a file …",
  loraFacts: (rank: number | null, size: string) => (rank === null ? size : `rank ${rank}, ${size}`),
  loraUnusable: "cannot be used",
  loraPlace: (folder: string) => `Files in ${folder} can be chosen by name.`,
  removeLora: (file: string) => `Remove ${file}`,
  loraStrength: "Strength",
  loraExpert: "Expert",
  experts: { both: "Both", high: "High noise", low: "Low noise" },
  noLoras: "None",
  notANumber: "Write a number.",
  outOfRange: (min: string, max: string) => `From ${min} to ${max}.`,
};
