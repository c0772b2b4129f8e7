// A checkpoint given to the window: a LoRA joins the form's, everything else joins the models. Used where it lies, so only
// a window that knows the file's path can take it.
import { loraName } from "../../contract/settings/derive.ts";
import { request } from "../bridge.ts";
import { text } from "../text/text.svelte.ts";
import { form } from "./form.svelte.ts";
import { route } from "./route.svelte.ts";
import { toasts } from "./toasts.svelte.ts";

/** `path`: null where the door does not tell it. Rejects with a RushesError for a file that is of no use here. */
export async function useCheckpoint(path: string | null): Promise<void> {
  const words = text.words.models;
  if (path === null) return void toasts.show(words.noDroppedPath);
  const { report } = await request("models:inspect", { path });
  if (report.family === "lora" && report.refused === "") return useLora(path);
  const { models } = await request("models:add", { path });
  toasts.show(models.length > 0 ? words.added(models.length) : words.nothingNew, { tone: "good" });
  route.go("models");
}

function useLora(file: string): void {
  const loras = form.value("loras") ?? [];
  if (!loras.some((lora) => lora.file === file))
    form.set("loras", [...loras, { file, strength: 1, expert: "both" as const }]);
  toasts.show(text.words.generate.drop.loraUsed(loraName({ file })), { tone: "good" });
  route.show("generate");
}
