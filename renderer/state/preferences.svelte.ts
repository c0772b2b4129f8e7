// How this window looks to its user. Kept by the browser, since it must be known before anything is drawn.

export const themes = ["dark", "light", "system"] as const;
export type Theme = (typeof themes)[number];

const storageKey = "rushes.theme";

class Preferences {
  #theme = $state<Theme>(storedTheme());

  get theme(): Theme {
    return this.#theme;
  }

  set theme(theme: Theme) {
    this.#theme = theme;
    localStorage.setItem(storageKey, theme);
    this.apply();
  }

  apply(): void {
    document.documentElement.dataset.theme = this.#theme;
    tellGround();
    systemTheme ??= matchMedia("(prefers-color-scheme: dark)");
    systemTheme.onchange = tellGround;
  }
}

let systemTheme: MediaQueryList | null = null;

/** Whoever draws the frame around the page (the desktop window) may follow its ground. */
function tellGround(): void {
  const meta = document.querySelector<HTMLMetaElement>('meta[name="theme-color"]');
  if (meta) meta.content = getComputedStyle(document.body).backgroundColor;
}

function storedTheme(): Theme {
  const stored = localStorage.getItem(storageKey);
  return themes.find((theme) => theme === stored) ?? "dark";
}

export const preferences = new Preferences();
