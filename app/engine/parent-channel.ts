// How the engine's process speaks with the process that started it: over Electron's parent port in a utility process,
// over Node's channel in a forked one. Used by worker.ts only.
import type { FromEngine, ToEngine } from "./messages.ts";

export interface ParentChannel {
  /** Copies the message; one that the parent can no longer hear is dropped. */
  send(message: FromEngine): void;
  onMessage(listener: (message: ToEngine) => void): void;
  /** The parent is gone. */
  onGone(listener: () => void): void;
}

/** Electron's process.parentPort, as far as it is used here. */
interface ParentPort {
  postMessage(message: unknown): void;
  on(event: "message", listener: (event: { data: unknown }) => void): void;
  on(event: "close", listener: () => void): void;
}

export function parentChannel(): ParentChannel {
  // Electron's own types know a part of the port only.
  const { parentPort } = process as unknown as { parentPort?: ParentPort | null };
  return parentPort ? portChannel(parentPort) : forkChannel();
}

/** A utility process is ended by Electron when its parent ends; "close" is there for a parent that lets go earlier. */
function portChannel(port: ParentPort): ParentChannel {
  return {
    send: (message) => port.postMessage(message),
    onMessage: (listener) => port.on("message", ({ data }) => listener(data as ToEngine)),
    onGone: (listener) => port.on("close", listener),
  };
}

function forkChannel(): ParentChannel {
  return {
    send: (message) => {
      // The parent may be gone already; "disconnect" then ends this process.
      if (process.connected) process.send?.(message, () => {});
    },
    onMessage: (listener) => process.on("message", (message) => listener(message as ToEngine)),
    onGone: (listener) => process.on("disconnect", listener),
  };
}
