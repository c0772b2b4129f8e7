// The engine in a utility process: the same client, the same answers, and an end that is noticed.
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { EngineClient } from "../../../app/engine/client.ts";
import { forkUtilityEngine } from "../../../app/windows/utility-engine-process.ts";
import { isAlive, Plumbing, plumbingAddon, until } from "../engine/plumbing.ts";
import { utilityProcess } from "./electron-stand-in.ts";

let plumbing: Plumbing;
let client: EngineClient;
beforeAll(() => {
  plumbing = new Plumbing();
  client = new EngineClient(plumbingAddon, { spawn: forkUtilityEngine });
});
afterEach(() => client.close());
afterAll(() => plumbing.remove());

test("answers, and is ended with the client", async () => {
  expect(client.processId).toBeNull();
  await client.call("machine", []);
  const { processId } = client;
  expect(processId).toBe(utilityProcess.started.at(-1)?.pid);
  await client.close();
  await until(() => !isAlive(processId!), "the end of the process");
});

test("that is killed rejects its call with engine.crashed, and the next call starts another", async () => {
  await client.call("machine", []);
  const first = client.processId!;
  const call = client.call("selfTest", [1]).then(
    () => "answered",
    (error: { code: string; detail: string }) => error,
  );
  process.kill(first, "SIGKILL");
  const outcome = await call;
  // The answer may have been under way already.
  if (outcome !== "answered") expect(outcome).toMatchObject({ code: "engine.crashed" });
  await until(() => client.processId === null, "the end to be noticed");
  await client.call("machine", []);
  expect(client.processId).not.toBe(first);
});

test("is ended before it has a number", async () => {
  const engine = forkUtilityEngine(plumbingAddon);
  expect(engine.processId).toBeNull();
  const reason = new Promise<string>((resolve) => engine.onExit(resolve));
  engine.kill();
  expect(await reason).toMatch(/exit code/);
  expect(engine.processId).toBeNull();
  engine.send({ kind: "cancel", id: 1 });
});

test("that V8 ends says where, and nothing is thrown", async () => {
  const engine = forkUtilityEngine(plumbingAddon);
  const reason = new Promise<string>((resolve) => engine.onExit(resolve));
  await until(() => engine.processId !== null, "the process");
  utilityProcess.started.at(-1)!.emit("error", "FatalError", "v8::ToLocalChecked", "{}");
  engine.kill();
  expect(await reason).toMatch(/^exit code \d+, FatalError in v8::ToLocalChecked$/);
});

test("tells what it printed, and its end after that", async () => {
  const engine = forkUtilityEngine("/no/such/addon");
  const said: string[] = [];
  engine.onOutput((text) => said.push(text));
  const end = new Promise<string>((resolve) =>
    engine.onExit((reason) => {
      said.push("ended");
      resolve(reason);
    }),
  );
  const answer = new Promise<{ kind: string }>((resolve) => engine.onMessage(resolve));
  engine.send({ kind: "call", id: 1, method: "machine", arguments: [] });
  expect(await answer).toMatchObject({ kind: "error", error: { code: "engine.missing" } });
  engine.kill();
  await end;
  expect(said.at(-1)).toBe("ended");
});

test("that cannot be started is an end with its reason", async () => {
  utilityProcess.failure = new Error("no more processes");
  try {
    await expect(client.call("machine", [])).rejects.toMatchObject({
      code: "engine.crashed",
      detail: expect.stringContaining("no more processes") as string,
    });
  } finally {
    utilityProcess.failure = null;
  }
});
