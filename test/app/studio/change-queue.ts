// A program that holds a library's queue and changes it without rest, as people do in a hurry: killed-queue.test.ts ends
// it by force and looks at what is left. Before each change it prints what the queue will be, after it what it is.
import { openStudio } from "../../../app/studio/open-studio.ts";
import { randomNumbers } from "../../random-numbers.ts";

const [library = "", seed = "1", paused = "paused"] = process.argv.slice(2);
const random = randomNumbers(Number(seed));
const pick = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)];
const studio = await openStudio({ libraryFolder: library });
const { queue } = studio;
const order = () => queue.state().waiting.map(({ id }) => id);
const say = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`);

if (paused === "paused") queue.pause();
else queue.resume();
studio.run();
say({ order: order() });
for (;;) {
  const now = order();
  const id = pick(now);
  const others = now.filter((each) => each !== id);
  const action = random();
  if (id === undefined || now.length < 4 || (action < 0.2 && now.length < 12)) {
    const next = random() < 0.3;
    say({ intent: now, added: next ? "next" : "end" });
    await queue.add([{ values: { prompt: "one ball" } }, { values: { prompt: "two balls" } }], next ? "next" : "end");
  } else if (action < 0.5) {
    const before = pick(others) ?? null;
    const place = before === null ? others.length : others.indexOf(before);
    say({ intent: others.toSpliced(place, 0, id) });
    await allowed(() => queue.move(id, before));
  } else if (action < 0.7) {
    say({ intent: [id, ...others] });
    await allowed(() => queue.runNext(id));
  } else if (action < 0.8) {
    say({ intent: others });
    await allowed(() => queue.remove([id]));
  } else {
    say({ intent: now });
    await allowed(() => queue.edit(id, { values: { prompt: `edited ${random()}` } }));
  }
  say({ order: order() });
}

/** A job that begins at this very moment may be changed no more. */
async function allowed(change: () => unknown): Promise<void> {
  try {
    await change();
  } catch (error) {
    if ((error as { code?: string }).code !== "job.started") throw error;
  }
}
