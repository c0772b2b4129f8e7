// The studio as a whole: who is there, what this door can do, the window's last session, dropped files.
import type { Nothing } from "../channels.ts";
import type { ResolvedSettings, Settings } from "../settings/derive.ts";

/** What a door can do beyond the rest; controls for what it cannot are not shown. */
export interface DoorCapabilities {
  /** "Show in folder", "open the library folder". */
  readonly showInFolder: boolean;
  /** Native dialogs for choosing files and folders. */
  readonly chooseFiles: boolean;
  /** Paths typed by the user are accepted anywhere; otherwise only inside `roots`. */
  readonly anyPath: boolean;
  /** Notifications and taskbar progress are the shell's own. */
  readonly notifications: boolean;
  /** Deleted results go to the system's trash once they are purged. */
  readonly systemTrash: boolean;
}

export interface Hello {
  readonly version: string;
  readonly libraryFolder: string;
  readonly door: "window" | "browser";
  readonly capabilities: DoorCapabilities;
  /** Folders inside which paths are accepted; empty where anyPath holds. */
  readonly roots: readonly string[];
  /** The operating system's language tag where the door knows it. */
  readonly language: string | null;
}

export type LanguageChoice = "en" | "zh" | "system";

/** What the window keeps between starts. Unknown keys are kept as they are. */
export interface Session {
  /** Values the user set in the form, by mode; what is absent is inherited. */
  readonly values: Partial<Settings>;
  /** The preset that was applied last. */
  readonly presetId: string | null;
  /** Whatever a view wants to find again (folded sections, filters, sizes): plain JSON by key. */
  readonly views: Readonly<Record<string, unknown>>;
}

/** What a window changed of its session: parts that are absent stay as they are kept, and so does every key of `views` that is
 * not named. */
export type SessionChange = Partial<Session>;

/** What a dropped or opened video says of itself. */
export interface RestoredVideo {
  readonly fileName: string;
  readonly settings: Partial<ResolvedSettings>;
  /** The job in this library that made it. */
  readonly jobId: number | null;
  /** Settings of other versions or of models that are not here, one sentence each. */
  readonly notes: readonly string[];
}

/** What sending a file's bytes gives (POST /api/studio/upload over HTTP): a picture is kept for a draft's `image`, a video
 * made by Rushes tells its settings and is not kept. */
export type UploadReply = { readonly uploadId: string } | RestoredVideo;

export interface StudioChannels {
  "studio:hello": { request: Nothing; reply: Hello };
  "studio:session": { request: Nothing; reply: Session };
  /** Only what this window changed, over what others keep; of the same part the last one to write wins. */
  "studio:keepSession": { request: { session: SessionChange }; reply: Nothing };
  /** Reads the settings in a video made by Rushes: a path (any door that may read it). Bytes are sent as an upload
   * instead (UploadReply). */
  "studio:restoreVideo": { request: { path: string }; reply: RestoredVideo };
  /** Native dialogs; refused with capability.missing where there are none. null: the user chose nothing. */
  "studio:choosePath": {
    request: { what: "modelFile" | "modelFolder" | "lora" | "image" | "video" | "folder" | "text" };
    reply: { path: string | null };
  };
  /** The language chosen in the page, for what the door itself draws around it: menu, dialogs, notifications. "system" is the
   * operating system's. Doors that draw nothing take no notice. */
  "studio:chooseLanguage": { request: { language: LanguageChoice }; reply: Nothing };
  "studio:showInFolder": { request: { jobId: number } | { folder: "library" | "logs" | "videos" }; reply: Nothing };
}
