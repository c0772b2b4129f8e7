// Presets: the built-in ones and the user's own.
import type { Nothing } from "../channels.ts";
import type { Settings } from "../settings/derive.ts";

export interface PresetEntry {
  /** A built-in id, or the file's name without ending. */
  readonly id: string;
  readonly name: string;
  readonly builtIn: boolean;
  readonly settings: Partial<Settings>;
  /** The built-in one that fits this machine's memory. */
  readonly fits: boolean;
  /** Applied when the window starts without a session, and by New. */
  readonly isDefault: boolean;
  /** Why it cannot run here just now (its model is not installed), or null. */
  readonly unavailable: string | null;
  /** The file cannot be read as a preset (`unavailable` says why): it can only be deleted. */
  readonly broken: boolean;
}

export interface PresetChannels {
  /** Built-in ones first, then the user's in their order. */
  "presets:list": { request: Nothing; reply: { presets: PresetEntry[] } };
  /** A new one; the name is made unique where it is taken. */
  "presets:save": { request: { name: string; settings: Partial<Settings> }; reply: { preset: PresetEntry } };
  /** The user's own only. */
  "presets:replace": { request: { id: string; settings: Partial<Settings> }; reply: { preset: PresetEntry } };
  "presets:rename": { request: { id: string; name: string }; reply: { preset: PresetEntry } };
  "presets:duplicate": { request: { id: string }; reply: { preset: PresetEntry } };
  /** The user's presets in their order; ids left out keep their order behind the rest. */
  "presets:reorder": { request: { ids: string[] }; reply: Nothing };
  /** Gives what is needed to bring it back, under its id and in its place, with presets:import and "<id>.json". */
  "presets:delete": { request: { id: string }; reply: { text: string } };
  /** null: none. */
  "presets:setDefault": { request: { id: string | null }; reply: Nothing };
  /** The file's text, JSON. */
  "presets:export": { request: { id: string }; reply: { fileName: string; text: string } };
  /** Our JSON, or TurboDiffusion's config.yaml. What could not be used is said in `notes`. */
  "presets:import": { request: { fileName: string; text: string }; reply: { preset: PresetEntry; notes: string[] } };
}
