// Whether the studio answers, what it says of itself, and its events, handed to whoever asked for their kind. What the
// events mean is for the classes that listen.
import type { StudioEvent, StudioEventKind } from "../../contract/channels/events.ts";
import type { Hello } from "../../contract/channels/studio.ts";
import { asRushesError, RushesError } from "../../contract/errors.ts";
import { listen, request } from "../bridge.ts";

type EventOf<K extends StudioEventKind> = Extract<StudioEvent, { kind: K }>;

/** Wait before the studio is asked again where its events flow and its answer failed, milliseconds. */
const askAgainAfter = 1000;

class Connection {
  #connected = $state(false);
  #wasConnected = $state(false);
  #refused = $state(false);
  #hello = $state.raw<Hello | null>(null);
  #lastNumber: number | null = null;
  #stop: (() => void) | null = null;
  /** Counts what is heard of the connection: an answer that comes after the next word of it is too late. */
  #heard = 0;
  readonly #listeners = new Map<StudioEventKind, Set<(event: never) => void>>();
  readonly #refreshers = new Set<() => void>();

  /** Events flow. While false, what is shown may be old. */
  get connected(): boolean {
    return this.#connected;
  }

  /** True once the studio has answered; then a missing connection is a lost one. */
  get wasConnected(): boolean {
    return this.#wasConnected;
  }

  /** The studio answers, but not to this page: it was started anew, and its new link is to be opened. */
  get refused(): boolean {
    return this.#refused;
  }

  /** Version, library and abilities of this door; null until the studio has answered. */
  get hello(): Hello | null {
    return this.#hello;
  }

  /** Begins to listen; called once, before the window is drawn. */
  start(): void {
    this.#stop ??= listen({
      onEvent: (event) => this.#take(event),
      onConnected: (connected) => void this.#connect(connected),
    });
  }

  /** Ends listening: for tests, where one page sees many windows. */
  stop(): void {
    this.#stop?.();
    this.#stop = null;
    this.#heard++;
    this.#connected = false;
    this.#wasConnected = false;
    this.#refused = false;
    this.#hello = null;
    this.#lastNumber = null;
  }

  /** Calls back for every event of a kind until the returned function is called. */
  on<K extends StudioEventKind>(kind: K, callback: (event: EventOf<K>) => void): () => void {
    const callbacks = this.#listeners.get(kind) ?? new Set();
    this.#listeners.set(kind, callbacks);
    callbacks.add(callback);
    return () => void callbacks.delete(callback);
  }

  /** Calls back when everything shown should be asked for again: at the first connection, after a lost one, and where
   * events are missing. Called at once when there is a connection already. */
  onRefresh(callback: () => void): () => void {
    this.#refreshers.add(callback);
    if (this.#connected) callback();
    return () => void this.#refreshers.delete(callback);
  }

  async #connect(connected: boolean): Promise<void> {
    const heard = ++this.#heard;
    if (!connected) this.#connected = false;
    const answer = await request("studio:hello", {}).catch((error: unknown) => asRushesError(error));
    if (heard !== this.#heard) return;
    this.#refused = answer instanceof RushesError && answer.code === "request.unauthorised";
    if (!connected) return;
    if (answer instanceof RushesError) {
      // Events flow, so nobody will say once more that there is a connection.
      setTimeout(() => heard === this.#heard && void this.#connect(true), askAgainAfter);
      return;
    }
    this.#hello = answer;
    this.#connected = true;
    this.#wasConnected = true;
    this.#lastNumber = null;
    this.#refresh();
  }

  #take(event: StudioEvent): void {
    const gap = this.#lastNumber !== null && event.number !== this.#lastNumber + 1;
    this.#lastNumber = event.number;
    for (const callback of this.#listeners.get(event.kind) ?? []) callback(event as never);
    if (gap) this.#refresh();
  }

  #refresh(): void {
    for (const callback of this.#refreshers) callback();
  }
}

/** The one connection of this window. */
export const connection = new Connection();
