// What is told about the graphics card: the same facts in `rushes doctor`, in the window's diagnostics and in its header.
import type { UnusedCard } from "../../contract/channels/machine.ts";
import { formatMemory } from "../../contract/format-bytes.ts";
import { allSettings, defaultSettings, settingOf, type Settings } from "../../contract/settings/derive.ts";
import { formatValue } from "../../contract/settings/flags.ts";
import type { Gpu, Plan } from "../engine/addon.ts";

/** Whether Rushes computes on it. */
export function isUsed(gpu: Gpu | null): gpu is Gpu & { name: string; totalBytes: number } {
  return gpu !== null && gpu.name !== null && gpu.reason === "" && gpu.totalBytes !== undefined;
}

/** Why Rushes does not compute on it; null where it does, and where nothing is known. */
export function unusedCard(gpu: Gpu | null): UnusedCard | null {
  if (gpu === null || gpu.reason === "") return null;
  return { name: gpu.name, reason: gpu.reason, advice: gpu.advice ?? "" };
}

/** Chosen values that do nothing, since only a card uses them and this job runs on none. */
export function aboutUnused(settings: Settings, { device }: Pick<Plan, "device">): string[] {
  if (device) return [];
  const usual = defaultSettings(settings.mode);
  return allSettings
    .filter(({ id, needs }) => needs === "gpu" && settings[id] !== usual[id])
    .map(
      ({ id, label }) => `${label} (${formatValue(settingOf(id), settings[id])}) is not used without a graphics card.`,
    );
}

/** Names and values, the card's name first; what the engine does not know is left out. */
export function cardFacts(gpu: Gpu): [name: string, value: string][] {
  if (gpu.name === null) return [["Name", cardLine(gpu)]];
  const facts: [string, string][] = [["Name", gpu.name]];
  if (gpu.totalBytes !== undefined) facts.push(["Memory", formatMemory(gpu.totalBytes)]);
  if (gpu.architecture) facts.push(["Compute capability", gpu.architecture]);
  if (gpu.driver) facts.push(["Driver's CUDA", gpu.driver]);
  const reason = reasonOf(gpu);
  if (reason) facts.push(["Not used", reason]);
  return facts;
}

/** The same in one line. */
export function cardLine(gpu: Gpu): string {
  const reason = reasonOf(gpu);
  if (gpu.name === null) return reason ? `none: ${reason}` : "none";
  const parts = [
    gpu.name,
    ...(gpu.totalBytes === undefined ? [] : [formatMemory(gpu.totalBytes)]),
    ...(gpu.architecture ? [`compute capability ${gpu.architecture}`] : []),
    ...(gpu.driver ? [`driver for CUDA ${gpu.driver}`] : []),
  ];
  return parts.join(", ") + (reason ? `; not used: ${reason}` : "");
}

/** Why Rushes does not compute on it and what to do, or "". */
function reasonOf({ reason, advice }: Gpu): string {
  return [reason, advice].filter(Boolean).join(" ");
}
