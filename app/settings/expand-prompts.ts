// Many prompts at once: a pasted list or the text of a file, each line with its `{red|blue}` choices, becomes drafts to look
// at before any is accepted. Nothing here makes more prompts than it gives.
import type { Draft, PromptForm } from "../../contract/channels/generate.ts";
import { checkSetting } from "../../contract/settings/derive.ts";
import { readPromptRows } from "./prompts-file.ts";
import { readWildcards } from "./wildcards.ts";

export interface ExpandedPrompts {
  /** In order, at most `limit`. */
  readonly drafts: Draft[];
  /** How many there would be; 2^53-1 stands for that many or more. */
  readonly total: number;
  /** One sentence each, in the order of the text; at most `mostProblems`, then how many more there are. */
  readonly problems: string[];
}

const mostProblems = 50;
/** With all its choices; each prompt that comes of it may have 4,000. */
const longestLine = 20_000;
/** More letters than 500 of the longest prompts have. */
const longestText = 8_000_000;

/** Never throws: what cannot be used is told in `problems`, and the rest is given. */
export function expandPrompts(text: string, form: PromptForm, limit = 500): ExpandedPrompts {
  if (text.length > longestText)
    return { drafts: [], total: 0, problems: ["The text is too long; take it in parts of a few thousand prompts."] };
  const { rows, problems: errors } = readPromptRows(text.replace(/^\uFEFF/, ""), form, "", false);
  const problems = errors.map(({ message }) => message);
  const drafts: Draft[] = [];
  let total = 0;
  for (const { prompt, values, files, savePath, origin } of rows) {
    if (Object.keys(files).length > 0) {
      problems.push(`${origin}: a row cannot have model files of its own.`);
      continue;
    }
    if (savePath !== undefined) problems.push(`${origin}: the place for a copy is not used here.`);
    if (prompt.length > longestLine) {
      problems.push(`${origin}: the line is longer than ${longestLine.toLocaleString("en-US")} characters.`);
      continue;
    }
    const read = readWildcards(prompt);
    if ("problem" in read) {
      problems.push(`${origin}: ${read.problem}`);
      continue;
    }
    const { wildcards } = read;
    total = Math.min(Number.MAX_SAFE_INTEGER, total + wildcards.count);
    let told = false;
    for (let index = 0; index < wildcards.count && drafts.length < limit; index++) {
      const each = wildcards.at(index);
      const problem = checkSetting("prompt", each);
      if (!problem) drafts.push({ values: { ...values, prompt: each } });
      else {
        total--;
        if (!told) problems.push(`${origin}: ${problem.sentence}`);
        told = true;
        // Every further combination may be as bad: look at as many as could be given, not at all of them.
        if (index > limit) break;
      }
    }
  }
  const more = problems.length - mostProblems;
  return {
    drafts,
    total,
    problems: more > 0 ? [...problems.slice(0, mostProblems), `And ${more} more.`] : problems,
  };
}
