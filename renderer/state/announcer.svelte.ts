// What a screen reader is told without being asked: stages, the time left, the outcome. Politely, so never often.

/** At least this long between two announcements of the same subject, in milliseconds. */
const pause = 4000;

class Announcer {
  #words = $state("");
  #lastAt = new Map<string, number>();

  get words(): string {
    return this.#words;
  }

  /** Says it now. */
  say(words: string): void {
    this.#words = words;
  }

  /** Says it unless something of that subject was said a moment ago: for progress. */
  sayRarely(subject: string, words: string): void {
    const now = performance.now();
    if (now - (this.#lastAt.get(subject) ?? -pause) < pause) return;
    this.#lastAt.set(subject, now);
    this.say(words);
  }
}

export const announcer = new Announcer();
