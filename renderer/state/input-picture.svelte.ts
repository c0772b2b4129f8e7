// The picture of an Image to Video as this window takes and shows it. What the draft holds of it is the form's.
import { pictureUrl, uploadUrl } from "../../contract/channels/media.ts";
import { usePicture } from "../bridge.ts";
import { form, type Picture } from "./form.svelte.ts";
import { toasts } from "./toasts.svelte.ts";

class InputPicture {
  /** The file that was given last: it need not come back from the studio to be shown. */
  #given = $state.raw<{ readonly picture: Picture; readonly url: string } | null>(null);
  #unseen = $state.raw<Picture | null>(null);
  /** The file that is being sent. What was given before it no longer counts. */
  #awaited = $state.raw<File | null>(null);
  /** How often a picture was chosen by its path. */
  #chosen = $state(0);

  get busy(): boolean {
    return this.#awaited !== null;
  }

  /** Where to load it from, or null where there is none or loading it failed. */
  get url(): string | null {
    const { picture } = form;
    if (picture === null || picture === this.#unseen) return null;
    if (picture === this.#given?.picture) return this.#given.url;
    return "path" in picture ? pictureUrl(picture.path, this.#chosen) : uploadUrl(picture.uploadId);
  }

  /** Takes a dropped, pasted or chosen file; the mode becomes Image to Video. False where it did not become the form's
   * picture: it was refused, which is said, or the user has chosen otherwise meanwhile. */
  async use(file: File): Promise<boolean> {
    const before = form.picture;
    this.#awaited = file;
    try {
      const picture = await usePicture(file);
      if (this.#awaited !== file || form.picture !== before) return false;
      if (this.#given) URL.revokeObjectURL(this.#given.url);
      this.#given = { picture, url: URL.createObjectURL(file) };
      form.setPicture(picture);
      return true;
    } catch (error) {
      toasts.error(error);
      return false;
    } finally {
      if (this.#awaited === file) this.#awaited = null;
    }
  }

  /** Takes a picture by its path on this machine. */
  usePath(path: string): void {
    this.#awaited = null;
    this.#chosen++;
    form.setPicture({ path });
  }

  remove(): void {
    this.#awaited = null;
    form.setPicture(null);
  }

  /** It could not be loaded: an upload of long ago, a file that is gone or that this door may not read. */
  unseen(): void {
    this.#unseen = form.picture;
  }
}

export const inputPicture = new InputPicture();
