// The queue view in Chromium: what it shows, what pointer and keyboard do to the order, undo, pause, and many prompts.
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { page, userEvent } from "vitest/browser";
import { render } from "vitest-browser-svelte";
import { RushesError } from "../../../contract/errors.ts";
import { announcer } from "../../../renderer/state/announcer.svelte.ts";
import { form } from "../../../renderer/state/form.svelte.ts";
import { manyPrompts } from "../../../renderer/state/many-prompts.svelte.ts";
import { promptFile } from "../../../renderer/state/prompt-file.svelte.ts";
import { route } from "../../../renderer/state/route.svelte.ts";
import { runShortcut } from "../../../renderer/state/shortcuts.ts";
import { toasts } from "../../../renderer/state/toasts.svelte.ts";
import { text } from "../../../renderer/text/text.svelte.ts";
import QueueView from "../../../renderer/views/queue/QueueView.svelte";
import { axeFindings, settled } from "../accessibility.ts";
import { failedCard, QueueStudio, sampleJob } from "./queue-studio.ts";

let studio: QueueStudio;
beforeEach(() => {
  studio = new QueueStudio();
  route.go("queue");
  for (const { id } of toasts.all) toasts.dismiss(id);
});
afterEach(() => {
  studio.stop();
  removeEventListener("keydown", runShortcut);
  manyPrompts.clear();
});

const running = () =>
  sampleJob(1, {
    state: "running",
    startedAt: Date.now() - 7000,
    progress: { stage: "sample", fraction: 0.5, step: 3, steps: 4, overall: 0.6, etaSeconds: 5 },
  });

/** The view with these jobs waiting. */
async function show(ids: readonly number[], change: (studio: QueueStudio) => void = () => {}) {
  studio.waiting = ids.map((id) => sampleJob(id));
  change(studio);
  studio.start();
  // As the window does it for all views.
  addEventListener("keydown", runShortcut);
  const screen = await render(QueueView);
  if (ids.length > 0) await expect.element(rows().first()).toBeVisible();
  return screen;
}
const rows = () => page.getByRole("list", { name: "Waiting" }).getByRole("group");
const row = (id: number) => page.getByRole("group", { name: new RegExp(`Prompt ${id}:`) });
const shownOrder = () =>
  [...document.querySelectorAll<HTMLElement>("[data-job]")].map((element) => Number(element.dataset["job"]));

describe("what it shows", () => {
  test("the running job: picture's step, noise level, stage, time gone and expected", async () => {
    const screen = await show([2, 3], (studio) => (studio.running = running()));
    const card = screen.getByRole("region", { name: "Running" });
    await expect.element(card).toMatchTextContent(/Step 3 of 4 · noise 0\.\d{3}/);
    await expect.element(card).toMatchTextContent(/Generating/);
    await expect.element(card).toMatchTextContent(/\d(\.\d)? s(ec)? \/ about \d+ s/);
    const progress = screen.getByRole("progressbar", { name: /running job/ });
    await expect.element(progress).toHaveAttribute("aria-valuenow", "60");
    await expect.element(screen.getByText(/2 jobs wait/)).toMatchTextContent(/all done in about 2[4-9] s/);
  });

  test("the time until all is done goes on with the running job, whose own it contains", async () => {
    const screen = await show([2, 3], (studio) => (studio.running = sampleJob(62, { expectedSeconds: 600 })));
    const asked = studio.requests("queue:state").length;
    const head = screen.getByText(/2 jobs wait/);
    await expect.element(head).toMatchTextContent(/all done in about 10 min 24 s/);
    const progress = { stage: "sample", fraction: 0.5, step: 3, steps: 4, overall: 0.6 } as const;
    // Each word is believed in part, so that it takes some.
    for (let word = 0; word < 20; word++)
      studio.say({ kind: "job:progressed", jobId: 62, progress: { ...progress, etaSeconds: 30 } });
    await expect.element(head).toMatchTextContent(/all done in about 5\d s/);
    expect(studio.requests("queue:state")).toHaveLength(asked);
  });

  test("each waiting job with its place, settings and expected time", async () => {
    await show([2, 3]);
    await expect.element(rows().nth(1)).toHaveAccessibleName(/^2\. Prompt 3/);
    await expect.element(rows().nth(1)).toMatchTextContent(/832 × 480 · 5\.1 s(ec)? · 4 steps · demo/);
    await expect.element(rows().nth(1)).toMatchTextContent(/about 12 s/);
  });

  test("an empty queue and the ways out of it", async () => {
    const screen = await show([]);
    await screen.getByRole("button", { name: "New video" }).click();
    expect(route.view).toBe("generate");
  });

  test("changes as they come, without being asked", async () => {
    await show([2]);
    studio.waiting = [sampleJob(5), sampleJob(2)];
    studio.say({ kind: "queue:changed" });
    await expect.poll(shownOrder).toEqual([5, 2]);
  });
});

describe("ending the running job", () => {
  test("cancel and stop and keep ask the studio", async () => {
    const screen = await show([], (studio) => (studio.running = running()));
    await screen.getByRole("button", { name: "Stop and keep" }).click();
    expect(studio.requests("queue:keep")).toEqual([{ jobId: 1 }]);
    await expect.element(screen.getByRole("button", { name: "Stop and keep" })).toBeDisabled();
    await screen.getByRole("button", { name: "Cancel" }).click();
    expect(studio.requests("queue:cancel")).toEqual([{ jobId: 1 }]);
  });

  test("once it is done nothing runs, however the video comes to be shown elsewhere", async () => {
    const screen = await show([], (studio) => (studio.running = { ...running(), id: 61 }));
    await expect.element(screen.getByRole("button", { name: "Cancel" })).toBeEnabled();
    studio.running = null;
    studio.say({ kind: "job:changed", jobId: 61, state: "done", note: "" });
    await expect.element(screen.getByText("Nothing runs", { exact: true })).toBeVisible();
    await expect.element(screen.getByRole("button", { name: "Cancel" })).not.toBeInTheDocument();
  });

  test("nothing can be kept before a step is finished", async () => {
    const first = { ...running().progress!, step: 1 };
    const screen = await show([], (studio) => (studio.running = { ...running(), progress: first }));
    await expect.element(screen.getByRole("button", { name: "Stop and keep" })).toBeDisabled();
  });
});

describe("order", () => {
  test("Alt and the arrow keys move the focused job, which keeps the focus, and say its place", async () => {
    await show([2, 3, 4]);
    const button = row(2).getByRole("button", { name: "Edit" });
    (button.element() as HTMLElement).focus();
    await pressAlt("ArrowDown");
    await expect.poll(shownOrder).toEqual([3, 2, 4]);
    expect(studio.requests("queue:move")).toEqual([{ jobId: 2, beforeJobId: 4 }]);
    await expect.element(button).toHaveFocus();
    await expect.poll(() => announcer.words).toBe("Moved to place 2 of 3");
    await pressAlt("ArrowDown");
    await expect.poll(() => studio.order).toEqual([3, 4, 2]);
    expect(studio.requests("queue:move").at(-1)).toEqual({ jobId: 2, beforeJobId: null });
    await pressAlt("ArrowUp");
    await expect.poll(() => studio.order).toEqual([3, 2, 4]);
    await expect.element(button).toHaveFocus();
  });

  test("a dragged job lands where it is dropped", async () => {
    await show([2, 3, 4]);
    await dragToEnd(row(2).element(), row(4).element());
    await expect.poll(() => studio.order).toEqual([3, 4, 2]);
    await expect.poll(shownOrder).toEqual([3, 4, 2]);
  });

  test("run next puts a job before all others", async () => {
    await show([2, 3, 4]);
    await row(4).getByRole("button", { name: "Run next" }).click();
    await expect.poll(shownOrder).toEqual([4, 2, 3]);
    await expect.element(row(4).getByRole("button", { name: "Run next" })).toBeDisabled();
  });

  test("what is refused is said, and the order stays", async () => {
    await show([2, 3]);
    studio.refusal = new RushesError("job.started", { sentence: "Job 3 has begun." });
    await row(3).getByRole("button", { name: "Run next" }).click();
    await expect.poll(() => toasts.all.at(-1)?.text).toBe("Job 3 has begun.");
    await expect.poll(shownOrder).toEqual([2, 3]);
  });
});

describe("changing", () => {
  test("edit opens the form with the job", async () => {
    await show([2]);
    await row(2).getByRole("button", { name: "Edit" }).click();
    expect([route.view, route.query.get("edit")]).toEqual(["generate", "2"]);
  });

  test("remove takes a job out; undo puts it back to its place", async () => {
    await show([2, 3, 4]);
    await row(3).getByRole("button", { name: "Remove" }).click();
    await expect.poll(shownOrder).toEqual([2, 4]);
    toasts.all.at(-1)?.action?.run();
    await expect.poll(() => studio.order).toEqual([2, 3, 4]);
    await expect.poll(shownOrder).toEqual([2, 3, 4]);
  });

  test("pause and resume, in words that say what happens to the memory", async () => {
    const screen = await show([2]);
    await screen.getByRole("button", { name: "Pause" }).click();
    await expect.element(screen.getByText("Paused: model memory released")).toBeVisible();
    await expect.element(screen.getByText("The queue is paused. Press Resume, and it goes on.")).toBeVisible();
    await screen.getByRole("button", { name: "Resume" }).click();
    await expect.element(screen.getByRole("button", { name: "Pause" })).toBeVisible();
    expect(studio.asked.map(({ channel }) => channel)).toContain("queue:resume");
  });

  test("while the running job finishes its step, the pause says so", async () => {
    const screen = await show([], (studio) => {
      studio.running = running();
      studio.paused = true;
    });
    await expect.element(screen.getByText("Pausing after the current step")).toBeVisible();
  });

  test("a job that failed lately says why and can be tried again", async () => {
    const screen = await show([2], (studio) => (studio.failed = [failedCard(9, "There is not enough memory.")]));
    await expect.element(screen.getByText("There is not enough memory.")).toBeVisible();
    await screen.getByRole("button", { name: "Retry" }).click();
    await expect.poll(shownOrder).toEqual([2, 9]);
    expect(screen.getByText("There is not enough memory.").query()).toBeNull();
  });
});

test("what takes a moment is not said to take none", async () => {
  const screen = await show([2], (studio) => {
    studio.waiting = [sampleJob(2, { expectedSeconds: 0.2 })];
  });
  await expect.element(row(2)).toMatchTextContent(/about 0\.2 s/);
  await expect.element(screen.getByText(/1 job waits/)).toMatchTextContent(/all done in about 0\.2 s/);
});

describe("many prompts", () => {
  const dialog = () => page.getByRole("dialog", { name: "Many prompts" });

  test("shows what a list expands to, how many videos and how long, before adding", async () => {
    await show([2]);
    await page.getByRole("button", { name: "Many prompts" }).click();
    await dialog().getByRole("textbox", { name: "Prompts" }).fill("A {red|blue} ball\nRain");
    const list = dialog().getByRole("list", { name: "What it comes to" });
    await expect.element(list).toMatchTextContent(/A red ball.*A blue ball.*Rain/);
    await expect.element(dialog()).toMatchTextContent(/3 videos · about 36 s(ec)? in all/);
    await dialog().getByRole("button", { name: "Add 3 to queue" }).click();
    await expect.poll(() => studio.requests("queue:add")).toHaveLength(1);
    expect(studio.requests("queue:add")[0]).toMatchObject({
      drafts: [
        { values: { prompt: "A red ball" } },
        { values: { prompt: "A blue ball" } },
        { values: { prompt: "Rain" } },
      ],
    });
    await expect.poll(() => route.query.has("many")).toBe(false);
    expect(toasts.all.at(-1)?.text).toBe("3 videos were added to the queue");
  });

  test("begins in the list; Escape and Cancel give the focus back to the button", async () => {
    await show([2]);
    const opener = page.getByRole("button", { name: "Many prompts" });
    for (const leave of [
      () => userEvent.keyboard("{Escape}"),
      () => dialog().getByRole("button", { name: "Cancel" }).click(),
    ]) {
      await opener.click();
      await expect.element(dialog().getByRole("textbox", { name: "Prompts" })).toHaveFocus();
      await leave();
      await expect.element(dialog()).not.toBeInTheDocument();
      await expect.element(opener).toHaveFocus();
    }
  });

  test("a list that the form refused is asked for again when the dialog opens, and after a lost connection", async () => {
    const unfit = new RushesError("memory.exhausted", {
      sentence: "There is not enough memory for this run.",
    }).toJSON();
    const add = () => dialog().getByRole("button", { name: "Add 1 to queue" });
    await show([2], (studio) => (studio.unfit = unfit));
    const open = () => page.getByRole("button", { name: "Many prompts" }).click();
    await open();
    await dialog().getByRole("textbox", { name: "Prompts" }).fill("Rain");
    await expect.element(dialog().getByText(unfit.sentence)).toBeVisible();
    await expect.element(add()).toBeDisabled();
    await dialog().getByRole("button", { name: "Cancel" }).click();
    studio.unfit = null;
    await open();
    await expect.element(add()).toBeEnabled();
    expect(dialog().getByText(unfit.sentence).elements()).toEqual([]);
    studio.unfit = unfit;
    studio.say({ kind: "models:changed" });
    studio.lose();
    studio.say({ kind: "models:changed" });
    await expect.element(dialog().getByText(unfit.sentence)).toBeVisible();
  });

  test("a row's own picture counts, and the form's where a row has none", async () => {
    const ofForm = { path: "/pictures/form.png" };
    form.replace({ mode: "i2v" }, null, ofForm);
    onTestFinished(() => form.replace({}, null, null));
    studio.rows = [{ values: { prompt: "A", image: "/pictures/row.png" } }, { values: { prompt: "B" } }];
    route.go("queue", "", { many: "1" });
    await show([]);
    manyPrompts.write("two rows");
    await dialog().getByRole("button", { name: "Add 2 to queue" }).click();
    await expect.poll(() => studio.requests("queue:add")).toHaveLength(1);
    expect(studio.requests("queue:add")[0]).toEqual({
      drafts: [
        { values: { mode: "i2v", prompt: "A", image: "/pictures/row.png" } },
        { values: { mode: "i2v", prompt: "B" }, image: ofForm },
      ],
    });
  });

  test("takes up a file that was dropped on the window, in the form its name says", async () => {
    promptFile.offer("shots.csv", "prompt,seed\nA red ball,1");
    route.go("queue", "", { many: "1" });
    await show([]);
    await expect.element(dialog()).toMatchTextContent(/From shots\.csv/);
    await expect.poll(() => studio.requests("generate:expand").at(-1)).toMatchObject({ form: "csv" });
  });

  test("reads a chosen file, says what cannot be used, and keeps a refused list", async () => {
    route.go("queue", "", { many: "1" });
    await show([]);
    const file = new File(['["A ball }{"]'], "list.json", { type: "application/json" });
    await userEvent.upload(dialog().getByLabelText("Choose a file", { exact: true }).last(), file);
    await expect.element(dialog()).toMatchTextContent(/a brace is not closed/);
    await expect.poll(() => studio.requests("generate:expand").at(-1)).toMatchObject({ form: "json" });
    studio.refusal = new RushesError("checkpoint.missing", { sentence: "The model is gone." });
    await dialog().getByRole("button", { name: "Add 1 to queue" }).click();
    await expect.element(dialog().getByRole("alert")).toMatchTextContent(/The model is gone\./);
    await expect.element(dialog().getByRole("textbox", { name: "Prompts" })).toHaveValue('["A ball }{"]');
    // What was in the way may be gone: the same list can be tried again.
    await dialog().getByRole("button", { name: "Add 1 to queue" }).click();
    await expect.poll(() => route.query.has("many")).toBe(false);
  });
});

describe("in Chinese", () => {
  beforeEach(() => text.choose("zh"));
  afterEach(() => text.choose("en"));
  const hidden = (sentence: RegExp) => expect.element(page.getByText(sentence)).not.toBeInTheDocument();

  test("why a job failed stands folded under its own words", async () => {
    await show([], (studio) => (studio.failed = [failedCard(9, "There is not enough memory.")]));
    await expect.element(page.getByText(/此任务失败了。/)).toBeVisible();
    await hidden(/not enough memory/);
    await page.getByRole("button", { name: "技术细节" }).click();
    await expect.element(page.getByText(/not enough memory/)).toBeVisible();
  });

  test("what cannot be used of a list of prompts does so too", async () => {
    route.go("queue", "", { many: "1" });
    await show([]);
    manyPrompts.write("A ball }{");
    await expect.element(page.getByText(/有些行无法使用。/)).toBeVisible();
    await hidden(/a brace is not closed/);
  });
});

describe.each(["dark", "light"])("axe finds nothing in the %s theme", (theme) => {
  const full = (studio: QueueStudio) => {
    studio.running = running();
    studio.failed = [failedCard(9, "There is not enough memory for this run.")];
  };

  test.each([
    ["a full queue", () => show([2, 3, 4], full)],
    ["an empty queue", () => show([])],
    ["a paused queue", () => show([2, 3], (studio) => (studio.paused = true))],
    [
      "the many prompts dialog",
      async () => {
        route.go("queue", "", { many: "1" });
        manyPrompts.write("A {red|blue} ball\nRain");
        await show([2, 3], full);
        await expect.element(page.getByRole("dialog")).toMatchTextContent(/3 videos/);
      },
    ],
  ])("%s", async (_what, open) => {
    document.documentElement.dataset["theme"] = theme;
    await open();
    await settled();
    expect(await axeFindings()).toEqual([]);
  });
});

async function pressAlt(key: string): Promise<void> {
  await userEvent.keyboard(`{Alt>}{${key}}{/Alt}`);
}

/** A pointer that takes hold of an element and lets it go over the last one, once the list has made room there. */
async function dragToEnd(from: Element, last: Element): Promise<void> {
  const middle = (element: Element) => {
    const { x, y, width, height } = element.getBoundingClientRect();
    return { clientX: x + width / 3, clientY: y + height / 2 };
  };
  const start = middle(from);
  const end = middle(last);
  const say = (target: EventTarget, type: string, at: typeof start) => {
    const buttons = { button: 0, buttons: 1 };
    target.dispatchEvent(new MouseEvent(type, { ...at, ...buttons, bubbles: true, cancelable: true, view: window }));
  };
  const hasRoom = () => document.querySelector("ol li.shadow ~ li:not(#dnd-action-dragged-el)") === null;
  say(from, "mousedown", start);
  for (let move = 1; move <= 10 || (move < 200 && !hasRoom()); move++) {
    const share = Math.min(1, move / 10);
    const tremble = move % 2;
    say(window, "mousemove", {
      clientX: start.clientX + tremble,
      clientY: start.clientY + share * (end.clientY + 10 - start.clientY) + tremble,
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  say(window, "mouseup", end);
}
