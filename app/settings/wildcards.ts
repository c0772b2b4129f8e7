// `{red|blue} ball`: a prompt with choices, read into a tree whose combinations can be counted and taken one by one without
// making all of them. Choices nest and may be empty; `\{`, `\|`, `\}` and `\\` are the characters themselves.

/** A run of letters, parts one after the other, or one of several. `count` is exact up to 2^53-1 and stays there. */
type Part =
  | { readonly kind: "text"; readonly text: string; readonly count: 1 }
  | { readonly kind: "row"; readonly parts: readonly Part[]; readonly count: number }
  | { readonly kind: "choice"; readonly options: readonly Part[]; readonly count: number };

export interface Wildcards {
  /** How many prompts there are; 2^53-1 stands for that many or more. */
  readonly count: number;
  /** The prompt of that place, 0 to count - 1: the leftmost choice changes last. */
  at(index: number): string;
}

export type ReadWildcards = { readonly wildcards: Wildcards } | { readonly problem: string };

const most = Number.MAX_SAFE_INTEGER;
/** Deeper nesting than anybody writes; it also bounds the recursion of count and at. */
const deepest = 100;

/** Reads one prompt. A problem is one sentence without the place. */
export function readWildcards(text: string): ReadWildcards {
  // One entry for each brace that is open: the options that are complete and the one being read.
  const open: { options: Part[]; row: Part[]; text: string }[] = [{ options: [], row: [], text: "" }];
  let current = open[0]!;
  const endOption = () => {
    current.options.push(rowOf([...current.row, textOf(current.text)]));
    current.row = [];
    current.text = "";
  };
  for (let index = 0; index < text.length; index++) {
    const letter = text[index]!;
    if (letter === "\\" && "{|}\\".includes(text[index + 1] ?? " ")) {
      current.text += text[++index]!;
    } else if (letter === "{") {
      if (open.length > deepest) return { problem: `Choices are nested more than ${deepest} deep.` };
      current.row.push(textOf(current.text));
      current.text = "";
      current = { options: [], row: [], text: "" };
      open.push(current);
    } else if (letter === "|" && open.length > 1) {
      endOption();
    } else if (letter === "}") {
      if (open.length === 1) return { problem: "A } has no { before it. Write \\} for the character itself." };
      endOption();
      const choice = choiceOf(current.options);
      open.pop();
      current = open.at(-1)!;
      current.row.push(choice);
    } else current.text += letter;
  }
  if (open.length > 1) return { problem: "A { is not closed. Write \\{ for the character itself." };
  const isPlain = current.row.length === 0;
  const root = rowOf([...current.row, textOf(current.text)]);
  // An empty choice leaves two spaces behind.
  const tidy = (prompt: string) => (isPlain ? prompt : prompt.replace(/ {2,}/g, " ").trim());
  return { wildcards: { count: root.count, at: (index) => tidy(textAt(root, index)) } };
}

function textOf(text: string): Part {
  return { kind: "text", text, count: 1 };
}

function rowOf(parts: readonly Part[]): Part {
  const kept = parts.filter((part) => part.kind !== "text" || part.text !== "");
  if (kept.length === 1) return kept[0]!;
  return { kind: "row", parts: kept, count: kept.reduce((product, { count }) => times(product, count), 1) };
}

function choiceOf(options: readonly Part[]): Part {
  if (options.length === 1) return options[0]!;
  return { kind: "choice", options, count: options.reduce((sum, { count }) => Math.min(most, sum + count), 0) };
}

function times(left: number, right: number): number {
  return left > most / right ? most : left * right;
}

function textAt(part: Part, index: number): string {
  switch (part.kind) {
    case "text":
      return part.text;
    case "choice": {
      let rest = index;
      for (const option of part.options) {
        if (rest < option.count) return textAt(option, rest);
        rest -= option.count;
      }
      return "";
    }
    case "row": {
      const texts: string[] = [];
      let rest = index;
      for (const each of part.parts.toReversed()) {
        texts.push(textAt(each, rest % each.count));
        rest = Math.floor(rest / each.count);
      }
      return texts.reverse().join("");
    }
  }
}
