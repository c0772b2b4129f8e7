// The built-in presets: named subsets of the settings. Presets of a user are files in the library (app/settings).
import type { Settings } from "./derive.ts";

export interface Preset {
  readonly id: string;
  readonly label: string;
  /** The card's memory in GiB this one is made for, lower end included; null: not chosen by memory. */
  readonly memory: readonly [number, number] | null;
  readonly settings: Partial<Settings>;
}

const quantized = { quantLinear: "int8", attentionType: "sagesla" } as const;

export const builtInPresets: readonly Preset[] = [
  {
    id: "1.3b-480p",
    label: "1.3B at 480p",
    memory: [0, 16],
    settings: { model: "wan2.1-1.3b", resolution: "480p", ...quantized },
  },
  {
    id: "1.3b-720p",
    label: "1.3B at 720p",
    memory: [16, 23.5],
    settings: { model: "wan2.1-1.3b", resolution: "720p", ...quantized },
  },
  {
    id: "14b-480p",
    label: "14B at 480p",
    memory: [23.5, 40],
    settings: { model: "wan2.1-14b", resolution: "480p", ...quantized },
  },
  {
    id: "14b-720p",
    label: "14B at 720p",
    memory: [40, Infinity],
    settings: { model: "wan2.1-14b", resolution: "720p", quantLinear: "off", attentionType: "sla" },
  },
  {
    id: "i2v-720p",
    label: "Image to Video at 720p",
    memory: null,
    settings: { mode: "i2v", model: "wan2.2-a14b", resolution: "720p", ...quantized, sigmaMax: 200 },
  },
  { id: "quality", label: "Quality", memory: null, settings: { slaTopk: 0.15, sigmaMax: 90 } },
  { id: "draft", label: "Draft", memory: null, settings: { numSteps: 2, numFrames: 49 } },
  { id: "cpu", label: "CPU", memory: null, settings: { device: "cpu", quantLinear: "int8" } },
];
