// The native menu. Its entries do nothing of their own: they ask the window for a place, or are the system's roles.
import type { MenuItemConstructorOptions } from "electron";
import type { NativeWords } from "./native-words.ts";

/** Places of the page (renderer/state/window-places.ts). */
export type Place =
  `#/${"generate" | "queue" | "history" | "compare" | "models" | "settings"}${string}` | "#new" | "#shortcuts";

export interface MenuActions {
  /** Brings the window forward and shows a place in it. */
  show(place: Place): void;
  /** Asks for a video and hands it to the window. */
  openVideo(): void;
  openLibrary(): void;
  /** Version, licence, notices. */
  about(): void;
}

/** In the page's own order, which its keys count. */
const views = ["generate", "queue", "history", "compare", "models", "settings"] as const;

export function menuTemplate(
  words: NativeWords,
  platform: NodeJS.Platform,
  { show, openVideo, openLibrary, about }: MenuActions,
): MenuItemConstructorOptions[] {
  const isMac = platform === "darwin";
  const line: MenuItemConstructorOptions = { type: "separator" };
  const file: MenuItemConstructorOptions[] = [
    { id: "new", label: words.newForm, accelerator: "CmdOrCtrl+N", click: () => show("#new") },
    { id: "open-video", label: words.openSettings, accelerator: "CmdOrCtrl+O", click: openVideo },
    { id: "many-prompts", label: words.manyPrompts, click: () => show("#/queue?many=1") },
    line,
    { id: "open-library", label: words.openLibrary, click: openLibrary },
    ...(isMac ? [] : [line, { role: "quit", label: words.quit } satisfies MenuItemConstructorOptions]),
  ];
  const places = views.map((view, index): MenuItemConstructorOptions => ({
    id: `view-${view}`,
    label: words[view],
    accelerator: `Alt+${index + 1}`,
    // Shown here; pressed, they are the page's own.
    registerAccelerator: false,
    click: () => show(`#/${view}`),
  }));
  return [
    ...(isMac ? [{ role: "appMenu" } satisfies MenuItemConstructorOptions] : []),
    { label: words.file, submenu: file },
    {
      label: words.edit,
      submenu: [
        { role: "undo", label: words.undo },
        { role: "redo", label: words.redo },
        line,
        { role: "cut", label: words.cut },
        { role: "copy", label: words.copy },
        { role: "paste", label: words.paste },
        { role: "selectAll", label: words.selectAll },
      ],
    },
    {
      label: words.view,
      submenu: [
        ...places,
        line,
        { role: "reload", label: words.reload },
        { role: "zoomIn", label: words.zoomIn },
        { role: "zoomOut", label: words.zoomOut },
        { role: "resetZoom", label: words.zoomUsual },
        { role: "togglefullscreen", label: words.fullScreen },
      ],
    },
    {
      label: words.window,
      submenu: [
        { role: "minimize", label: words.minimise },
        { role: "close", label: words.close },
      ],
    },
    {
      role: "help",
      label: words.help,
      submenu: [
        { id: "shortcuts", label: words.shortcuts, click: () => show("#shortcuts") },
        { id: "diagnostics", label: words.diagnostics, click: () => show("#/settings/diagnostics") },
        line,
        { id: "about", label: words.about, click: about },
      ],
    },
  ];
}
