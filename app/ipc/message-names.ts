// The names under which window and program speak over Electron's IPC. Preload and main both read them here; what is said
// is contract/channels.ts.

/** A request: the channel's name and its value; answered with an IpcReply. */
export const requestMessage = "rushes:request";
/** From the window: events are wanted from now on (true) or no more (false). */
export const listenMessage = "rushes:listen";
/** From the program: one event. */
export const eventMessage = "rushes:event";
