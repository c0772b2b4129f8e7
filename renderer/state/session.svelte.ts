// What the window keeps between starts: the form's values, and whatever a view wants to find again. Kept in the studio, so
// that every door finds the same.
import type { Session, SessionChange } from "../../contract/channels/studio.ts";
import { request } from "../bridge.ts";

/** Changes are written this long after the last one, in milliseconds. */
const keepDelay = 400;

class WindowSession {
  #session = $state.raw<Session>({ values: {}, presetId: null, views: {} });
  #loaded = $state(false);
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** What was changed here and is not written yet: nothing else is, since other windows keep theirs in the same place. */
  #unwritten: SessionChange | null = null;

  get values(): Session["values"] {
    return this.#session.values;
  }

  get presetId(): string | null {
    return this.#session.presetId;
  }

  /** False until the last session has been read; until then nothing is written over it. */
  get loaded(): boolean {
    return this.#loaded;
  }

  /** What a view kept under a key, or `otherwise` where that is nothing or of another type. */
  view<T>(key: string, otherwise: T): T {
    const kept = this.#session.views[key];
    return typeof kept === typeof otherwise && Array.isArray(kept) === Array.isArray(otherwise)
      ? (kept as T)
      : otherwise;
  }

  keepView(key: string, value: unknown): void {
    this.keep({ views: { [key]: value } });
  }

  /** `views`: the keys that changed. */
  keep(change: SessionChange): void {
    this.#session = { ...this.#session, ...changed(this.#session, change) };
    this.#unwritten = changed(this.#unwritten ?? {}, change);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.write(), keepDelay);
  }

  /** Reads the last session once; true where it did so now. */
  async load(): Promise<boolean> {
    if (this.#loaded) return false;
    try {
      const { values, presetId, views } = await request("studio:session", {});
      // What was changed before the answer came is newer than the answer.
      const ours = this.#session;
      const merged = { values: { ...values, ...ours.values }, presetId: ours.presetId ?? presetId };
      this.#session = { ...merged, views: { ...views, ...ours.views } };
      if (this.#unwritten?.values) this.#unwritten = { ...this.#unwritten, ...merged };
      this.#loaded = true;
      return true;
    } catch {
      return false;
    }
  }

  /** Writes what is unwritten now: before the window closes. */
  write(): void {
    clearTimeout(this.#timer);
    const writing = this.#unwritten;
    if (writing === null || !this.#loaded) return;
    this.#unwritten = null;
    // A lost write is made good by the next one.
    void request("studio:keepSession", { session: writing }).catch(
      () => (this.#unwritten = changed(writing, this.#unwritten ?? {})),
    );
  }
}

function changed(before: SessionChange, change: SessionChange): SessionChange {
  const views = before.views || change.views ? { views: { ...before.views, ...change.views } } : {};
  return { ...before, ...change, ...views };
}

export const session = new WindowSession();
