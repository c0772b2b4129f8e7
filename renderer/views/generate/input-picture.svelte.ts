// The picture of an Image to Video as this window can show it. What the draft holds of it is the form's.
import { uploadUrl } from "../../../contract/channels/media.ts";
import { usePicture } from "../../bridge.ts";
import { form } from "../../state/form.svelte.ts";
import { toasts } from "../../state/toasts.svelte.ts";

class InputPicture {
  /** The dropped or chosen file itself, for a path that only the studio can read. */
  #shown = $state.raw<{ readonly key: string; readonly url: string } | null>(null);
  #unseen = $state<string | null>(null);
  #busy = $state(false);

  get busy(): boolean {
    return this.#busy;
  }

  /** Where to load it from, or null where only its path is known or loading failed. */
  get url(): string | null {
    const key = keyOf(form.picture);
    if (key === null || key === this.#unseen) return null;
    if (this.#shown?.key === key) return this.#shown.url;
    return form.picture && "uploadId" in form.picture ? uploadUrl(form.picture.uploadId) : null;
  }

  /** Takes a dropped, pasted or chosen file; the mode becomes Image to Video. */
  async use(file: File): Promise<void> {
    this.#busy = true;
    try {
      const picture = await usePicture(file);
      if (this.#shown) URL.revokeObjectURL(this.#shown.url);
      this.#shown = { key: keyOf(picture) ?? "", url: URL.createObjectURL(file) };
      this.#unseen = null;
      form.setPicture(picture);
    } catch (error) {
      toasts.error(error);
    } finally {
      this.#busy = false;
    }
  }

  /** Takes a picture by its path on this machine. */
  usePath(path: string): void {
    form.setPicture({ path });
  }

  remove(): void {
    form.setPicture(null);
  }

  /** It could not be loaded: an upload of a session long ago. */
  unseen(): void {
    this.#unseen = keyOf(form.picture);
  }
}

function keyOf(picture: typeof form.picture): string | null {
  if (picture === null) return null;
  return "path" in picture ? `path ${picture.path}` : `upload ${picture.uploadId}`;
}

export const inputPicture = new InputPicture();
