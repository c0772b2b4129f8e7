// What happens to a file given to the window, dropped or opened with the program: by what it is.
import type { RestoredVideo } from "../../contract/channels/studio.ts";
import { pathOf, request, restoreVideo } from "../bridge.ts";
import { text } from "../text/text.svelte.ts";
import { useCheckpoint } from "./dropped-checkpoint.ts";
import { form, type Picture } from "./form.svelte.ts";
import { inputPicture } from "./input-picture.svelte.ts";
import { promptFile } from "./prompt-file.svelte.ts";
import { route } from "./route.svelte.ts";
import { toasts } from "./toasts.svelte.ts";
import { clipValuesOf, pictureOf } from "./use-settings.ts";
import { goToPlace } from "./window-places.ts";

export type DropKind = "video" | "picture" | "preset" | "prompts" | "checkpoint" | "unknown";

const endings: readonly (readonly [RegExp, DropKind])[] = [
  [/\.(mp4|m4v|webm|mov)$/i, "video"],
  [/\.(png|jpe?g|webp|gif|bmp|avif)$/i, "picture"],
  [/\.(json|ya?ml)$/i, "preset"],
  [/\.(txt|csv|jsonl)$/i, "prompts"],
  [/\.(safetensors|pth|pt|ckpt)$/i, "checkpoint"],
];

/** Longer files are no presets and no lists anybody wrote, in bytes. */
const longestText = 8 * 1024 * 1024;

/** What a file is by its name, or where that says nothing by its type. null: nothing is known of it. */
export function dropKindOf(type: string, name: string): DropKind | null {
  const byName = endings.find(([ending]) => ending.test(name))?.[1];
  if (byName) return byName;
  if (type.startsWith("video/")) return "video";
  if (type.startsWith("image/")) return "picture";
  if (type === "application/json" || /yaml/.test(type)) return "preset";
  if (type === "text/plain" || type === "text/csv") return "prompts";
  return name === "" && type === "" ? null : "unknown";
}

/** The type of the first file held over the window, or "" where the browser does not tell. */
export function typeOfHeld({ items }: DataTransfer): string {
  return [...items].find(({ kind }) => kind === "file")?.type ?? "";
}

/** Does with a dropped file what its kind asks for; what goes wrong is said. */
export async function takeDroppedFile(file: File): Promise<void> {
  const words = text.words.generate.drop;
  try {
    switch (dropKindOf(file.type, file.name)) {
      case "video":
        return await useRestored(await restoreVideo(file));
      case "picture":
        if (await inputPicture.use(file)) route.show("generate");
        return;
      case "preset":
        return await importPreset(file.name, await file.slice(0, longestText).text());
      case "prompts":
        promptFile.offer(file.name, await file.slice(0, longestText).text());
        return route.go("queue", "", { many: "1" });
      case "checkpoint":
        return await useCheckpoint(pathOf(file));
      default:
        toasts.show(words.unknown, { tone: "bad", advice: words.unknownAdvice });
    }
  } catch (error) {
    toasts.error(error);
  }
}

/** Does with a file of this machine what its kind asks for: it was opened with the program. A place ("#...") is gone to: the
 * desktop's menu asks for it. */
export async function usePath(path: string): Promise<void> {
  if (path.startsWith("#")) return goToPlace(path);
  const words = text.words.generate.drop;
  try {
    const kind = dropKindOf("", path);
    if (kind === "video") await useRestored(await request("studio:restoreVideo", { path }));
    else if (kind === "picture") {
      inputPicture.usePath(path);
      route.show("generate");
    } else if (kind === "checkpoint") await useCheckpoint(path);
    else toasts.show(words.unknown, { tone: "bad", advice: words.unknownAdvice });
  } catch (error) {
    toasts.error(error);
  }
}

async function useRestored({ fileName, settings, jobId, notes }: RestoredVideo): Promise<void> {
  const picture = await keptPicture(jobId);
  const values = await clipValuesOf(settings, picture);
  const pictureMissing = settings.mode === "i2v" && picture === null;
  route.show("generate");
  await form.apply({ kind: "video", fileName }, { values, picture, pictureMissing, notes });
}

/** What the library kept of the picture that a video began with; a path inside the video would be another machine's. */
async function keptPicture(jobId: number | null): Promise<Picture | null> {
  if (jobId === null) return null;
  const { detail } = await request("history:detail", { jobId });
  return pictureOf(detail);
}

function notesOf(notes: readonly string[]): { advice: string; exact: string } {
  const { words, exact } = text.said(text.words.parts.said.notes, notes);
  return { advice: words, exact };
}

async function importPreset(fileName: string, content: string): Promise<void> {
  const words = text.words.generate.drop;
  const { preset, notes } = await request("presets:import", { fileName, text: content });
  toasts.show(words.presetAdded(preset.name), {
    tone: "good",
    ...(notes.length === 0 ? {} : notesOf(notes)),
    action: {
      label: words.apply,
      run: () => {
        route.show("generate");
        void form.applyPreset(preset);
      },
    },
  });
}
