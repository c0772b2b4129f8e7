// What cleaning does to prompts, and what it leaves alone.
import { expect, test } from "vitest";
import { cleanPrompt } from "../../../app/text/clean-prompt.ts";

test.each([
  ["  a   red\n\tball  ", "a red ball"],
  ["line one\r\nline two\u2028three", "line one line two three"],
  ["a\u00a0non-breaking\u3000space", "a non-breaking space"],
  ["Tom &amp; Jerry", "Tom & Jerry"],
  ["escaped twice: &amp;lt;b&amp;gt;", "escaped twice: <b>"],
  ["three times: &amp;amp;lt;", "three times: &lt;"],
  ["&eacute;t&#233; &#x2603;", "été ☃"],
  ["“curly” and ‘curly’", "\"curly\" and 'curly'"],
  ["ﬁne ﬂow", "fine flow"],
  ["ＦＵＬＬ　ｗｉｄｔｈ！", "FULL width!"],
  ["红色的球，蓝色背景。", "红色的球,蓝色背景。"],
  ["cafe\u0301", "café"],
  ["Ã©tÃ©", "été"],
  ["ä¸­æ–‡", "中文"],
  ["\x1b[31mred\x1b[0m ball\x07", "red ball"],
  ["\ufeffmark", "mark"],
  ["lone \ud800 surrogate", "lone \ufffd surrogate"],
  ["\x1c\x1d between \x85", "between"],
  ["", ""],
  [" \n ", ""],
])("%j becomes %j", (prompt, clean) => expect(cleanPrompt(prompt)).toBe(clean));

test.each([
  "A red ball bounces on a blue background",
  "Ärger mit Größe",
  "Émile Ã",
  "MiXeD CaSe",
  "日本語の文",
  "👍🏽",
  "50 % < 100 %",
])("%j stays as it is", (prompt) => expect(cleanPrompt(prompt)).toBe(prompt));
