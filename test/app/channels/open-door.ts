// A door for tests of handlers: it lets every path through, and remembers what it was asked to discard.
import { rm } from "node:fs/promises";
import type { Door } from "../../../app/channels/door.ts";

/** Paths in the order in which they were discarded. */
export const discarded: string[] = [];
export const openDoor: Door = {
  kind: "browser",
  capabilities: {
    showInFolder: false,
    chooseFiles: false,
    anyPath: true,
    notifications: false,
    systemTrash: false,
  },
  roots: [],
  language: null,
  allowedPath: (path) => Promise.resolve(path),
  choosePath: () => Promise.resolve(null),
  showInFolder: () => Promise.resolve(),
  chooseLanguage: () => {},
  discardFile: async (path) => {
    discarded.push(path);
    await rm(path);
  },
};
