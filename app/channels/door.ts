// What a handler may ask of the door a request came through: which paths it may touch, and what only a desktop can do.
import type { DoorCapabilities, LanguageChoice, StudioChannels } from "../../contract/channels/studio.ts";

export interface Door {
  readonly kind: "window" | "browser";
  readonly capabilities: DoorCapabilities;
  /** Folders inside which paths are accepted; empty where any path is. */
  readonly roots: readonly string[];
  /** The operating system's language tag, where known. */
  readonly language: string | null;
  /** The path made absolute with its links followed. Throws path.refused when this door may not use it. */
  allowedPath(path: string): Promise<string>;
  /** A native dialog; throws capability.missing where there is none. */
  choosePath(what: StudioChannels["studio:choosePath"]["request"]["what"]): Promise<string | null>;
  /** The language of what the door itself draws around the page, if it draws anything. */
  chooseLanguage(choice: LanguageChoice): void;
  /** Opens the file's folder in the system's file browser; throws capability.missing where there is none. */
  showInFolder(path: string): Promise<void>;
  /** Removes a purged file: into the system's trash where there is one, for good otherwise. */
  discardFile(path: string): Promise<void>;
}
