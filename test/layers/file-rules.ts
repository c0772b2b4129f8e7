// What holds for every source file whatever its language: its name, its length, its opening comment.
import type { Problem, Source } from "./source.ts";

const bannedNames = [
  "utils",
  "util",
  "helpers",
  "helper",
  "common",
  "misc",
  "manager",
  "fast",
  "optimized",
  "new",
  "v2",
];
const longestFile = 600;

export function fileProblems(sources: readonly Source[]): Problem[] {
  return sources.flatMap(({ path, text }) =>
    [...nameProblems(path), ...lengthProblems(text), ...openingProblems(path, text)].map(
      (problem) => `${path} ${problem}`,
    ),
  );
}

function nameProblems(path: string): Problem[] {
  const words = path.toLowerCase().split(/[/._-]/);
  const typescriptName = /^[a-z0-9]+([.-][a-z0-9]+)*$/;
  const nativeName = /^[a-z0-9]+([._][a-z0-9]+)*$/;
  const name = path.split("/").at(-1)!;
  const form = /\.(ts|js)$/.test(path) ? typescriptName : /\.(cpp|h|cu|cuh)$/.test(path) ? nativeName : /./;
  return [
    ...words.filter((word) => bannedNames.includes(word)).map((word) => `is named "${word}", which says nothing`),
    ...(form.test(name) ? [] : ["is not named in its language's form (kebab-case.ts, snake_case.cpp)"]),
  ];
}

function lengthProblems(text: string): Problem[] {
  const lines = text.split("\n").length - 1;
  return lines > longestFile ? [`has ${lines} lines; ${longestFile} is the most`] : [];
}

/** A .cpp file that begins with its own header may leave the words to it. */
function openingProblems(path: string, text: string): Problem[] {
  const first = text.replace(/^#!.*\n/, "").trimStart();
  const own = path.replace(/^.*\//, "").replace(/\.cpp$/, ".h");
  const leavesToHeader = path.endsWith(".cpp") && first.split("\n")[0]?.endsWith(`${own}"`);
  return leavesToHeader || /^(\/\/|\/\*|<!--)/.test(first)
    ? []
    : ["does not open with a comment saying what lives here"];
}
