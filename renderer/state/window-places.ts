// Places that the desktop's menu and notifications ask the window for: views by their address, an empty form, the list of
// shortcuts.
import { startNewForm } from "./empty-form.ts";
import { placeOf, route } from "./route.svelte.ts";
import { performShortcut } from "./shortcuts.ts";

export function goToPlace(place: string): void {
  if (place === "#new") {
    route.go("generate");
    void startNewForm();
  } else if (place === "#shortcuts") {
    performShortcut("show-shortcuts");
  } else {
    const { view, detail, query } = placeOf(place);
    route.go(view, detail, Object.fromEntries(query));
  }
}
