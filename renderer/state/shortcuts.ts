// Every keyboard shortcut of the window, in one list: what the keys do is registered by the view that does it, what they
// are called is in text/, and the dialog of Shift+? shows them all.

export interface Shortcut {
  readonly id: string;
  readonly group: "everywhere" | "generate" | "queue" | "history" | "player";
  /** As on the keys: "Ctrl+Enter". Ctrl is the command key on a Mac. */
  readonly keys: string;
  /** Works while the user types in a text field too. */
  readonly whileTyping?: boolean;
}

export const shortcuts = [
  { id: "show-shortcuts", group: "everywhere", keys: "Shift+?" },
  { id: "go-generate", group: "everywhere", keys: "Alt+1", whileTyping: true },
  { id: "go-queue", group: "everywhere", keys: "Alt+2", whileTyping: true },
  { id: "go-history", group: "everywhere", keys: "Alt+3", whileTyping: true },
  { id: "go-compare", group: "everywhere", keys: "Alt+4", whileTyping: true },
  { id: "go-models", group: "everywhere", keys: "Alt+5", whileTyping: true },
  { id: "go-settings", group: "everywhere", keys: "Alt+6", whileTyping: true },
  { id: "generate", group: "generate", keys: "Ctrl+Enter", whileTyping: true },
  { id: "generate-next", group: "generate", keys: "Ctrl+Shift+Enter", whileTyping: true },
  { id: "new", group: "generate", keys: "Alt+N", whileTyping: true },
  { id: "undo", group: "generate", keys: "Ctrl+Z" },
  { id: "cancel-job", group: "generate", keys: "Ctrl+.", whileTyping: true },
  { id: "move-up", group: "queue", keys: "Alt+ArrowUp" },
  { id: "move-down", group: "queue", keys: "Alt+ArrowDown" },
  { id: "search", group: "history", keys: "/" },
  { id: "find", group: "history", keys: "Ctrl+F", whileTyping: true },
  { id: "open", group: "history", keys: "Enter" },
  { id: "favourite", group: "history", keys: "F" },
  { id: "delete", group: "history", keys: "Delete" },
  { id: "previous-result", group: "history", keys: "ArrowLeft" },
  { id: "next-result", group: "history", keys: "ArrowRight" },
  { id: "play", group: "player", keys: "Space" },
  { id: "previous-frame", group: "player", keys: "," },
  { id: "next-frame", group: "player", keys: "." },
] as const satisfies readonly Shortcut[];

export type ShortcutId = (typeof shortcuts)[number]["id"];

const handlers = new Map<ShortcutId, (() => void)[]>();

/** Does `run` when the keys are pressed, until the returned function is called. The latest registration wins. */
export function onShortcut(id: ShortcutId, run: () => void): () => void {
  const stack = handlers.get(id) ?? [];
  handlers.set(id, stack);
  stack.push(run);
  return () => {
    const place = stack.lastIndexOf(run);
    if (place >= 0) stack.splice(place, 1);
  };
}

/** Runs the shortcut an event stands for, if any view has registered one. Called once, by the window. What is done behind a
 * modal dialog would not be seen. */
export function runShortcut(event: KeyboardEvent): void {
  if (document.querySelector('[aria-modal="true"]')) return;
  if (event.defaultPrevented || event.isComposing) return;
  const typing = isTyping(event.target);
  for (const shortcut of shortcuts as readonly (Shortcut & { id: ShortcutId })[]) {
    const run = handlers.get(shortcut.id)?.at(-1);
    if (!run || (typing && !shortcut.whileTyping) || !pressed(event, shortcut.keys)) continue;
    // Keys that a focused control needs for itself stay its own.
    if (plainKeys.has(shortcut.keys) && isControl(event.target)) continue;
    event.preventDefault();
    run();
    return;
  }
}

/** Does what a shortcut does, without its keys: a menu asks for it. */
export function performShortcut(id: ShortcutId): void {
  handlers.get(id)?.at(-1)?.();
}

/** True when the event is exactly these keys. */
export function pressed(event: KeyboardEvent, keys: string): boolean {
  const parts = keys.split("+");
  const key = parts.at(-1)!;
  const has = (name: string) => parts.includes(name);
  if (has("Ctrl") !== (event.ctrlKey || event.metaKey) || has("Alt") !== event.altKey) return false;
  // Where a letter or sign lies differs; with Shift only signs are compared by what they give.
  if (key !== "?" && has("Shift") !== event.shiftKey) return false;
  const given = event.key === " " ? "Space" : event.key;
  return given.toLowerCase() === key.toLowerCase() || (has("Alt") && altCodes(key).includes(event.code));
}

/** With Alt some systems give another sign than the one on the key. */
function altCodes(key: string): string[] {
  return [`Digit${key}`, `Key${key}`];
}

const plainKeys = new Set(["Space", "Enter", "Delete"]);

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target instanceof HTMLTextAreaElement) return true;
  return target instanceof HTMLInputElement && !["checkbox", "radio", "range", "button"].includes(target.type);
}

function isControl(target: EventTarget | null): boolean {
  const roles =
    "button, a[href], input, select, [role=slider], [role=radio], [role=tab], [role=menuitem], [role=option]";
  return target instanceof Element && target.closest(roles) !== null;
}
