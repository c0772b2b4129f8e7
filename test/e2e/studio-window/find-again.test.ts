// What was made is found by its words, its settings are used again, and deleting can be taken back, in the window.
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { StudioWindow } from "./studio-window.ts";

const made = [
  { prompt: "A red ball bounces on a blue background", seed: 1 },
  { prompt: "A red ball bounces on a blue background", seed: 2 },
  { prompt: "A green cube turns on a white background", seed: 3, sigmaMax: 150 },
];
let studio: StudioWindow;
beforeAll(async () => {
  studio = await StudioWindow.open();
  for (const values of made) await studio.server.finished(await studio.server.add(values));
});
afterAll(() => studio?.close());
afterEach(() => expect(studio.complaints.splice(0)).toEqual([]));

const results = () => studio.page.getByRole("group", { name: /^Results/ });
const result = (jobId: number) => results().getByRole("link", { name: new RegExp(`^Result ${jobId}:`) });
const search = () => studio.page.getByRole("textbox", { name: "Search the prompts" });

test("a result is found by beginnings of words, in any order", async () => {
  await studio.go("History");
  await result(3).waitFor();
  // Two results of one sentence are one stack, its newest on top.
  await result(2).waitFor();
  expect(await result(1).count()).toBe(0);
  await search().fill("cub gre");
  await result(2).waitFor({ state: "hidden" });
  await result(3).waitFor();
  await search().fill("nothing has these words");
  await result(3).waitFor({ state: "hidden" });
  await search().fill("");
  await result(2).waitFor();
});

test("it opens with its video, and its settings go back into the form", async () => {
  const { page } = studio;
  await search().fill("green");
  await result(2).waitFor({ state: "hidden" });
  await result(3).click();
  await studio.shown(3);
  await studio.seek(3, 0.5);
  const brightness = async () => {
    const { rgb } = await studio.pixels(3);
    return rgb.reduce((sum, value) => sum + value, 0) / rgb.length;
  };
  await studio.until(async () => (await brightness()) > 20, "a picture that is not black");
  await studio.button("Use settings").click();
  await page.getByText("The settings of result 3 were taken over").waitFor();
  expect(await studio.prompt.inputValue()).toBe(made[2]!.prompt);
  await studio.unfold();
  const sigma = page.getByRole("spinbutton", { name: "Sigma Max: exact value" });
  expect(await sigma.inputValue()).toBe("150");
  // Nothing that was automatic became fixed by it.
  const fixed = ["quantLinear", "attentionType", "textEncoderFormat", "device", "precision", "threads", "vaeTiling"];
  const kept = async () => Object.keys((await studio.request("studio:session", {})).values);
  await studio.until(async () => (await kept()).includes("sigmaMax"), "the session to be kept");
  expect((await kept()).filter((id) => fixed.includes(id))).toEqual([]);
  // New seed: nothing is set. Undo brings the empty form back.
  expect(await page.getByRole("spinbutton", { name: "Seed", exact: true }).inputValue()).toBe("");
  await studio.button("Undo").click();
  await studio.until(async () => (await studio.prompt.inputValue()) === "", "the form as it was");
});

test("the form is as it was after loading the page again, and after the server was started again", async () => {
  await studio.prompt.fill("A yellow kite in the wind");
  await studio.type("Sigma Max", 90);
  const kept = async () => (await studio.request("studio:session", {})).values;
  await studio.until(async () => (await kept()).prompt === "A yellow kite in the wind", "the session to be kept");
  await studio.until(async () => (await kept()).sigmaMax === 90, "the session to be kept");
  await studio.restart("SIGINT");
  await studio.page.reload();
  await studio.until(async () => (await studio.prompt.inputValue()) === "A yellow kite in the wind", "the prompt");
  expect(await studio.page.getByRole("spinbutton", { name: "Sigma Max: exact value" }).inputValue()).toBe("90");
});

test("a second window hears at once what the first one does", async () => {
  const second = await studio.context.newPage();
  await second.goto(`${studio.server.address}/#/history`);
  await second.getByRole("link", { name: /^Result 3:/ }).waitFor();
  await studio.server.finished(await studio.server.add({ prompt: "A white swan on a lake", seed: 4 }));
  await second.getByRole("link", { name: /^Result 4: A white swan/ }).waitFor();
  await studio.request("history:delete", { jobIds: [4] });
  await second.getByRole("link", { name: /^Result 4:/ }).waitFor({ state: "hidden" });
  await studio.request("history:restore", { jobIds: [4] });
  await second.getByRole("link", { name: /^Result 4:/ }).waitFor();
  await second.close();
});
