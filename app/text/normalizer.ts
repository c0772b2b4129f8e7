// The normalizers of tokenizer.json as functions. Those that are no more than one of JavaScript's own string methods are
// written here; the character map has a file of its own. Which types may occur is tokenizer-file.ts.
import { Charsmap } from "./charsmap.ts";
import type { NormalizerConfig } from "./tokenizer-file.ts";

export type Normalize = (text: string) => string;

/** Throws when the configuration holds a broken character map or pattern. */
export function normalizerOf(config: NormalizerConfig): Normalize {
  switch (config.type) {
    case "Sequence": {
      const links = config.normalizers.map(normalizerOf);
      return (text) => links.reduce((current, link) => link(current), text);
    }
    case "Precompiled": {
      const charsmap = Charsmap.fromBase64(config.precompiled_charsmap);
      return (text) => charsmap.normalize(text);
    }
    case "Replace": {
      const { pattern, content } = config;
      if (pattern.Regex === undefined) return (text) => text.replaceAll(pattern.String, () => content);
      const regex = new RegExp(pattern.Regex, "gu");
      return (text) => text.replace(regex, () => content);
    }
    case "Strip": {
      const { strip_left: left, strip_right: right } = config;
      return (text) => {
        const begun = left ? text.trimStart() : text;
        return right ? begun.trimEnd() : begun;
      };
    }
    case "Lowercase":
      return (text) => text.toLowerCase();
    default:
      return (text) => text.normalize(config.type);
  }
}
