// Which view is shown, read from and written to the address's hash: #/generate, #/history/123, #/compare?ids=1,2.

export const viewNames = ["generate", "queue", "history", "compare", "models", "settings"] as const;
export type ViewName = (typeof viewNames)[number];

export interface Place {
  readonly view: ViewName;
  /** What follows the view's name: "123" of #/history/123, else "". */
  readonly detail: string;
  readonly query: URLSearchParams;
}

class Route {
  #place = $state.raw<Place>(placeOf(location.hash));

  get view(): ViewName {
    return this.#place.view;
  }

  get detail(): string {
    return this.#place.detail;
  }

  /** A number in the detail, such as a job's; null where there is none. */
  get detailNumber(): number | null {
    const number = Number(this.#place.detail);
    return this.#place.detail !== "" && Number.isSafeInteger(number) ? number : null;
  }

  get query(): URLSearchParams {
    return this.#place.query;
  }

  /** Whole numbers of a query field: ids=1,2. What is not a number is left out. */
  numbers(field: string): number[] {
    const parts = (this.#place.query.get(field) ?? "").split(",");
    return parts.filter((part) => /^\d+$/.test(part)).map(Number);
  }

  /** Follows the address; called once. Returns the way to stop. */
  start(): () => void {
    const follow = () => (this.#place = placeOf(location.hash));
    follow();
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }

  /** Goes to a view, unless it is shown already: then what it shows stays, such as a waiting job that is edited. */
  show(view: ViewName): void {
    if (this.view !== view) this.go(view);
  }

  /** Goes there; the way back is the browser's. With `replace`, the present place leaves no trace. */
  go(view: ViewName, detail: string | number = "", query: Record<string, string> = {}, replace = false): void {
    const address = addressOf(view, detail, query);
    if (replace) history.replaceState(null, "", address);
    else if (location.hash !== address) history.pushState(null, "", address);
    this.#place = placeOf(address);
  }
}

/** The hash of a place, for links. */
export function addressOf(view: ViewName, detail: string | number = "", query: Record<string, string> = {}): string {
  const words = new URLSearchParams(query).toString();
  return `#/${view}${detail === "" ? "" : `/${encodeURIComponent(detail)}`}${words === "" ? "" : `?${words}`}`;
}

/** What cannot be understood is the Generate view. */
export function placeOf(hash: string): Place {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?");
  const [name = "", detail = ""] = path.split("/");
  const view = viewNames.find((known) => known === name) ?? "generate";
  return { view, detail: readable(detail), query: new URLSearchParams(query) };
}

function readable(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export const route = new Route();
