// Many prompts at once: choices in braces, lists in every form, and text that was made to hurt.
import { describe, expect, test } from "vitest";
import { expandPrompts } from "../../../app/settings/expand-prompts.ts";
import { readWildcards } from "../../../app/settings/wildcards.ts";

const prompts = (text: string) => expandPrompts(text, "lines").drafts.map(({ values }) => values.prompt);

describe("choices", () => {
  test.each([
    ["a ball", ["a ball"]],
    ["{red|blue} ball", ["red ball", "blue ball"]],
    ["{a|b} {c|d}", ["a c", "a d", "b c", "b d"]],
    ["{a|{b|c} d} e", ["a e", "b d e", "c d e"]],
    ["a {red|} ball", ["a red ball", "a ball"]],
    ["a {|} ball", ["a ball", "a ball"]],
    ["{one} ball", ["one ball"]],
    ["a {} ball", ["a ball"]],
    [String.raw`a \{red\|blue\} ball`, ["a {red|blue} ball"]],
    [String.raw`{a\|b|c}`, ["a|b", "c"]],
    [String.raw`back\slash and \\{a|b}`, [String.raw`back\slash and \a`, String.raw`back\slash and \b`]],
    ["either | or", ["either | or"]],
    ["{红|蓝}球", ["红球", "蓝球"]],
    ["two  spaces stay", ["two  spaces stay"]],
    ["one\n\n  {two|three}  \r\nfour", ["one", "two", "three", "four"]],
  ])("%j", (text, expected) => expect(prompts(text)).toEqual(expected));

  test.each([
    ["a {red|blue ball", /^Line 1: A \{ is not closed/],
    ["fine\na red} ball", /^Line 2: A \} has no \{/],
    ["{".repeat(5000), /^Line 1: Choices are nested more than 100 deep/],
    ["{|}", /^Line 1: Prompt is empty/],
  ])("%.20j is told by its line", (text, problem) => {
    const { problems, drafts } = expandPrompts(text, "lines");
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(problem);
    expect(drafts).toHaveLength(text.startsWith("fine") ? 1 : 0);
  });

  test("every combination comes once and in order", () => {
    const read = readWildcards("{0|1|2}{0|1}{0|1|{2|3}}");
    if (!("wildcards" in read)) throw new Error(read.problem);
    const all = Array.from({ length: read.wildcards.count }, (_, index) => read.wildcards.at(index));
    expect(all).toHaveLength(24);
    expect(all).toEqual([...new Set(all)].sort());
  });
});

describe("more than can be looked at", () => {
  test("500 are given and all are counted", () => {
    const { drafts, total, problems } = expandPrompts("{1|2|3|4|5|6|7|8|9|0}".repeat(4), "lines");
    expect([drafts.length, total, problems]).toEqual([500, 10_000, []]);
    expect(drafts[499]?.values.prompt).toBe("1500");
  });
  test("counting is not expanding", () => {
    const hostile = "{a|b}".repeat(3000);
    const start = performance.now();
    const { drafts, total } = expandPrompts(`${hostile}\n${hostile}`, "lines");
    expect([drafts.length, total]).toEqual([500, Number.MAX_SAFE_INTEGER]);
    expect(performance.now() - start).toBeLessThan(30_000);
  });
  test("combinations that are all too long end soon", () => {
    const { drafts, problems } = expandPrompts(`${"x".repeat(4001)}${"{a|b}".repeat(60)}`, "lines");
    expect([drafts.length, problems.length]).toEqual([0, 1]);
    expect(problems[0]).toMatch(/at most 4,000/);
  });
  test("a line may be longer than a prompt while its prompts are not", () => {
    const options = Array.from({ length: 1000 }, (_, index) => `number ${index}`).join("|");
    expect(expandPrompts(`{${options}}`, "lines").total).toBe(1000);
    expect(expandPrompts("x".repeat(20_001), "lines").problems[0]).toMatch(/longer than 20,000/);
  });
  test("very much text and very many problems", () => {
    expect(expandPrompts("x".repeat(8_000_001), "lines").problems).toHaveLength(1);
    const { problems } = expandPrompts("}\n".repeat(200), "lines");
    expect(problems).toHaveLength(51);
    expect(problems.at(-1)).toBe("And 150 more.");
  });
});

describe("lists", () => {
  test("csv with settings and choices", () => {
    const text = "\uFEFFprompt,seed,num_frames\n{red|blue} ball,7,17\nthe moon,,\n,3,\nsun,x,\n";
    expect(expandPrompts(text, "csv")).toEqual({
      drafts: [
        { values: { prompt: "red ball", seed: 7, numFrames: 17 } },
        { values: { prompt: "blue ball", seed: 7, numFrames: 17 } },
        { values: { prompt: "the moon" } },
      ],
      total: 3,
      problems: ['Line 5: Seed is a whole number from 0 to 9007199254740991, not "x".', "Line 4: Prompt is empty."],
    });
  });
  test("json, and what it may not hold", () => {
    const list = ["a ball", { prompt: "a sun", num_steps: 2 }, 1, { prompt: "b", dit_path: "x.pth" }, { seed: 1 }];
    const { drafts, problems } = expandPrompts(JSON.stringify(list), "json");
    expect(drafts.map(({ values }) => values)).toEqual([{ prompt: "a ball" }, { prompt: "a sun", numSteps: 2 }]);
    expect(problems).toEqual([
      "Item 3 is neither a text nor an object.",
      "Item 5 has no prompt.",
      "Item 4: a row cannot have model files of its own.",
    ]);
  });
  test.each([
    ["csv", 'prompt\n"a', "Line 2 has a double quote that is never closed."],
    ["jsonl", '{"prompt": ', "Line 1 is not JSON."],
    ["json", "{", "The text is not JSON."],
    ["json", "{}", "The text is not a list."],
  ] as const)("%s %j", (form, text, problem) => {
    expect(expandPrompts(text, form)).toEqual({ drafts: [], total: 0, problems: [problem] });
  });
  test.each([
    ["lines", "a {red|blue} ball\na \uFFFD\uFFFD ball", "Line 2"],
    ["csv", "prompt,save_path\na red ball,\na blue ball,\na sun,\uFFFD.mp4\n", "Line 4"],
    ["jsonl", '"a red ball"\n"a blue ball"\n"\uFFFD"\n', "Line 3"],
    ["json", '["a red ball", "a blue ball", { "prompt": "\uFFFD" }]', "Item 3"],
  ] as const)("%s: a row that lost its letters makes no video", (form, text, where) => {
    const { drafts, problems } = expandPrompts(text, form);
    expect(drafts).toHaveLength(2);
    expect(problems).toEqual([`${where} has letters that were lost (\uFFFD): the list was not UTF-8 text.`]);
  });
  test("nothing comes of nothing", () => {
    expect(expandPrompts("  \n", "txt")).toEqual({ drafts: [], total: 0, problems: [] });
  });
});
