// The commands of the command line by name. What each one takes is in program.ts; the desktop program, which has none of
// them, knows by this list when it is mistaken for the command line.

/** In the order of the help. */
export const commandNames = [
  "generate",
  "settings",
  "history",
  "queue",
  "inspect",
  "decode",
  "doctor",
  "bench",
  "serve",
  "test",
] as const;

export type CommandName = (typeof commandNames)[number];
