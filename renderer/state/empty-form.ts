// A new form: nothing of the last one, and the default preset beneath it.
import { request } from "../bridge.ts";
import { type AppliedChange, form } from "./form.svelte.ts";

/** One step of undo, like every change of many values. A form that holds a waiting job is given back first: after the studio
 * has answered, as who edits the job keeps its changes when the address has left it. */
export async function startNewForm(): Promise<AppliedChange> {
  const { presets } = await request("presets:list", {}).catch(() => ({ presets: [] }));
  const standard = presets.find(({ isDefault, broken }) => isDefault && !broken);
  form.putBack();
  return form.apply({ kind: "new" }, { values: {}, presetId: standard?.id ?? null, picture: null });
}
