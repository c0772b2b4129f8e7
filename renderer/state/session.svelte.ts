// What the window keeps between starts: the form's values, and whatever a view wants to find again. Kept in the studio, so
// that every door finds the same.
import type { Session, SessionChange } from "../../contract/channels/studio.ts";
import { request } from "../bridge.ts";

/** Changes are written this long after the last one, in milliseconds. */
const keepDelay = 400;

const nothing: Session = { values: {}, presetId: null, views: {} };

class WindowSession {
  #session = $state.raw<Session>(nothing);
  /** False until the last session has been read; until then nothing is written over it. */
  #loaded = false;
  #reading: Promise<boolean> | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** What was changed here and is not written yet: nothing else is, since other windows keep theirs in the same place. */
  #unwritten: SessionChange | null = null;

  get values(): Session["values"] {
    return this.#session.values;
  }

  get presetId(): string | null {
    return this.#session.presetId;
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

  /** Reads the last session once, for all who ask. False where it could not be read: the next one who asks tries again. */
  load(): Promise<boolean> {
    this.#reading ??= this.#read();
    return this.#reading;
  }

  /** As at the first start: for tests. */
  reset(): void {
    clearTimeout(this.#timer);
    this.#session = nothing;
    this.#loaded = false;
    this.#reading = null;
    this.#unwritten = null;
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

  async #read(): Promise<boolean> {
    try {
      const { values, presetId, views } = await request("studio:session", {});
      // What was changed before the answer came is newer than the answer.
      const ours = this.#session;
      const merged = { values: { ...values, ...ours.values }, presetId: ours.presetId ?? presetId };
      this.#session = { ...merged, views: { ...views, ...ours.views } };
      if (this.#unwritten?.values) this.#unwritten = { ...this.#unwritten, ...merged };
      this.#loaded = true;
    } catch {
      this.#reading = null;
    }
    return this.#loaded;
  }
}

function changed(before: SessionChange, change: SessionChange): SessionChange {
  const views = before.views || change.views ? { views: { ...before.views, ...change.views } } : {};
  return { ...before, ...change, ...views };
}

export const session = new WindowSession();
