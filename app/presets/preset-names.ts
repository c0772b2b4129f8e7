// What a preset may be called, and the name of its file: one that every system takes, whatever a person typed.
import { RushesError } from "../../contract/errors.ts";

const longestName = 100;
/** Of a file's name without its ending; the systems' limit is 255 bytes. */
const longestStem = 120;
/** Names that Windows keeps for devices, with any ending. */
const deviceNames = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i;

/** The name as it will be shown. Throws settings.invalid for an empty or overlong one. */
export function checkedName(name: string): string {
  const shown = shownName(name);
  if (shown === "")
    throw new RushesError("settings.invalid", { sentence: "The preset has no name.", advice: "Type one." });
  if ([...shown].length > longestName)
    throw new RushesError("settings.invalid", {
      sentence: `The preset's name is longer than ${longestName} characters.`,
      advice: "Shorten it.",
    });
  return shown;
}

/** Any text as a name that checkedName accepts. */
export function usableName(name: string): string {
  return [...shownName(name)].slice(0, longestName).join("").trim() || "Preset";
}

function shownName(name: string): string {
  // Control and formatting characters (line ends, text that turns its direction) show nothing or something else.
  return name
    .normalize("NFC")
    .replace(/[\p{Cc}\p{Cf}\p{Cs}]/gu, (letter) => (letter === "\u200d" ? letter : " "))
    .replace(/\s+/g, " ")
    .trim();
}

/** The stem of a file for a preset of that name; not yet one that is free. */
export function stemOf(name: string): string {
  const letters = [...name.replace(/[/\\:*?"<>|]/g, "-").replace(/^[.\s]+|[.\s]+$/g, "")];
  let stem = "";
  for (const letter of letters) {
    if (Buffer.byteLength(stem + letter) > longestStem) break;
    stem += letter;
  }
  stem = stem.replace(/[.\s]+$/, "");
  if (stem === "") return "preset";
  return deviceNames.test(stem) ? `${stem.replace(".", "-")}-preset` : stem;
}

/** The text, or with the first number that is not taken: whatever its case, since some systems see none. */
export function freeName(wanted: string, taken: Iterable<string>, separator: string): string {
  const known = new Set([...taken].map((each) => each.toLowerCase()));
  for (let count = 1; ; count++) {
    const candidate = count === 1 ? wanted : `${wanted}${separator}${count}`;
    if (!known.has(candidate.toLowerCase())) return candidate;
  }
}
