// What stands in a menu, whether it opens from a button or at the pointer.
import type { LucideIcon } from "@lucide/svelte";

export interface MenuAction {
  readonly label: string;
  /** Said smaller, behind. */
  readonly note?: string;
  readonly icon?: LucideIcon;
  /** Keys that do the same, shown behind. */
  readonly keys?: string;
  readonly disabled?: boolean;
  readonly dangerous?: boolean;
  readonly run: () => void;
}

/** "line" is a line between groups. */
export type MenuEntry = MenuAction | "line";
