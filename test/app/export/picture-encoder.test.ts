// The picture thread as an export sees it, when it is gone.
import { expect, test } from "vitest";
import { PictureEncoder } from "../../../app/export/picture-encoder.ts";

const picture = { rgb: new Uint8Array(12), width: 2, height: 2 };

test("a thread that ended between two tasks fails the next one, and every one after it", async () => {
  const encoder = new PictureEncoder();
  expect((await encoder.run("png", picture)).subarray(1, 4)).toEqual(Uint8Array.from(Buffer.from("PNG")));
  await encoder.close();
  for (let count = 0; count < 2; count++) {
    const answer = Promise.race([
      encoder.run("png", picture),
      new Promise((resolve) => setTimeout(resolve, 5000, "no answer")),
    ]);
    await expect(answer).rejects.toMatchObject({ code: "engine.internal", detail: "The thread ended." });
  }
  const next = new PictureEncoder();
  expect((await next.run("png", picture)).length).toBeGreaterThan(20);
  await next.close();
});

test("closing a thread in the middle of a task fails it, and the ones in line", async () => {
  const encoder = new PictureEncoder();
  const tasks = [encoder.run("png", picture), encoder.run("png", picture)].map((task) =>
    expect(task).rejects.toMatchObject({ code: "engine.internal" }),
  );
  await encoder.close();
  await Promise.all(tasks);
});
