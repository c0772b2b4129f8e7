// Both languages are whole: every word, every setting, every error. And what numbers, sizes and times look like in each.
import { afterEach, describe, expect, test } from "vitest";
import type { LoweredPlan } from "../../../contract/lowered-plan.ts";
import { errorTexts } from "../../../contract/errors.ts";
import { allSettings } from "../../../contract/settings/derive.ts";
import { errors } from "../../../renderer/text/chinese/errors.ts";
import { settings } from "../../../renderer/text/chinese/settings-catalogue.ts";
import { chinese } from "../../../renderer/text/chinese.ts";
import { english } from "../../../renderer/text/english.ts";
import { text } from "../../../renderer/text/text.svelte.ts";
import { shortcuts } from "../../../renderer/state/shortcuts.ts";

const hanSign = /[\u4e00-\u9fff]/;

afterEach(() => text.choose("en"));

/** Every sentence below an object, with signs in the places of what is told. */
function sentences(words: object): string[] {
  return Object.values(words).flatMap((value: unknown) => {
    if (typeof value === "string") return [value];
    if (typeof value === "function") return [String((value as (...told: unknown[]) => unknown)("甲", "乙", "丙"))];
    return typeof value === "object" && value !== null ? sentences(value) : [];
  });
}

/** Paths of all words below an object: "app.generate". */
function paths(words: object, path = ""): string[] {
  return Object.entries(words).flatMap(([key, value]: [string, unknown]) =>
    typeof value === "object" && value !== null ? paths(value, `${path}${key}.`) : [`${path}${key}`],
  );
}

describe("Chinese", () => {
  test("has the words English has", () => {
    expect(paths(chinese).sort()).toEqual(paths(english).sort());
  });

  test.each(allSettings.map((setting) => [setting.id, setting] as const))(
    "names %s with help and choices",
    (id, setting) => {
      const words = settings[id];
      expect(words.label).not.toBe("");
      expect(words.help).toMatch(hanSign);
      const choices = "choices" in setting ? setting.choices.map((choice) => choice.id) : [];
      expect(Object.keys(words.choices).sort()).toEqual([...choices].sort());
    },
  );

  test("says every error, with advice where English has some", () => {
    const incomplete = Object.entries(errorTexts).filter(([code, { advice }]) => {
      const words = errors[code as keyof typeof errorTexts];
      return !words || !hanSign.test(words.text) || (advice !== "" && words.advice === "");
    });
    expect(incomplete.map(([code]) => code)).toEqual([]);
  });

  test("has the punctuation of Chinese, and one word for the library", () => {
    const change: LoweredPlan = {
      changes: ["tileDecode"],
      limitBytes: 1,
      neededBytes: 1,
      freeBytes: 1,
      deviceName: null,
      values: {},
    };
    const { lowered, ...generate } = chinese.generate;
    const said = [
      ...sentences({ ...chinese, generate }),
      ...sentences(settings),
      ...sentences(errors),
      lowered(change, () => "丁"),
    ].filter((sentence) => hanSign.test(sentence));
    expect(said.length).toBeGreaterThan(500);
    expect(said.filter((sentence) => /[,:;!?()]/.test(sentence))).toEqual([]);
    expect(said.filter((sentence) => /资料库|此库/.test(sentence))).toEqual([]);
  });

  test("is what the window speaks once it is chosen, and is remembered", async () => {
    await text.choose("zh");
    expect(text.language).toBe("zh");
    expect(document.documentElement.lang).toBe("zh-CN");
    expect(text.words.app.generate).toBe("生成");
    expect(text.setting("sigmaMax").label).toBe("最大 Sigma");
    expect(text.seconds(200)).toBe("3 分 20 秒");
    expect(text.seconds(0.01)).toBe("< 0.1 秒");
    expect(localStorage.getItem("rushes.language")).toBe("zh");
    const shown = text.error({ code: "disk.full", sentence: "The disk has 3 MB left.", advice: "Free 2 GB." });
    expect(shown).toEqual({
      sentence: "磁盘已满。",
      advice: expect.stringMatching(hanSign),
      exact: "The disk has 3 MB left. Free 2 GB.",
    });
  });
});

test("sentences of the studio stand as they are in English, and folded under what they are about in Chinese", async () => {
  const problem = { id: "numFrames", sentence: "Frames must be 4n+1.", advice: "Choose 81." } as const;
  expect(text.problem(problem)).toEqual({ words: "Frames must be 4n+1. Choose 81.", exact: "" });
  expect(text.said("Notes", ["One.", "Two."])).toEqual({ words: "One. Two.", exact: "" });
  await text.choose("zh");
  const { words, exact } = text.problem(problem);
  expect(words).toContain(`${text.setting("numFrames").label}：`);
  expect(words).not.toMatch(/Frames must/);
  expect(exact).toBe("Frames must be 4n+1.\nChoose 81.");
  expect(text.said("有 2 条提示。", ["One.", "Two."])).toEqual({ words: "有 2 条提示。", exact: "One.\nTwo." });
});

test("the window advises what can be done in the window", () => {
  const commands = Object.entries(errorTexts).filter(([code, { text: sentence, advice }]) =>
    /`rushes|--\w/.test(text.error({ code: code as keyof typeof errorTexts, sentence, advice }).advice),
  );
  // How a server is started is said to whoever may start it.
  expect(
    commands.map(([code]) => code).filter((code) => !["path.refused", "request.unauthorised"].includes(code)),
  ).toEqual([]);
  // An advice for one case stands as it is.
  const exact = { code: "memory.exhausted", sentence: "It needs 21 GB.", advice: "Choose 480p." } as const;
  expect(text.error(exact)).toEqual({ sentence: "It needs 21 GB.", advice: "Choose 480p.", exact: "" });
});

test("every shortcut has its words in both", () => {
  for (const { id, group } of shortcuts)
    for (const words of [english.shortcuts, chinese.shortcuts]) {
      expect(words[id], id).toBeTruthy();
      expect(words.groups[group], group).toBeTruthy();
    }
});

describe("forms of values", () => {
  test.each([
    [0, "0 B"],
    [1023, "1,023 B"],
    [1024, "1.0 kB"],
    [5.9 * 2 ** 30, "5.9 GB"],
    [14.3 * 2 ** 30, "14.3 GB"],
    [850 * 2 ** 20, "850 MB"],
    [3 * 2 ** 50, "3,072 TB"],
  ])("%d bytes", (bytes, words) => expect(text.bytes(bytes)).toBe(words));

  test.each([
    [-1, "< 0.1 s"],
    [0.049, "< 0.1 s"],
    [0.05, "0.1 s"],
    [0.44, "0.4 s"],
    [9.96, "10 s"],
    [59.6, "1 min"],
    [200, "3 min 20 s"],
    [3599.9, "1 h"],
    [7500, "2 h 5 min"],
    [7200, "2 h"],
  ])("%d seconds", (seconds, words) => expect(text.seconds(seconds)).toBe(words));

  test("today is a time, another day a date", () => {
    const now = new Date(2026, 10, 21, 15, 4).getTime();
    expect(text.date(now, now)).toMatch(/^\d{1,2}:04/);
    expect(text.date(now - 7 * 86_400_000, now)).toMatch(/2026/);
  });
});
