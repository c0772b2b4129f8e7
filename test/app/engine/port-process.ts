// The engine's process with Electron's way of speaking, without Electron: a forked process in which a parent port stands
// where Electron's utility process has one (a copy of each message, wrapped as { data }).
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { EngineProcess } from "../../../app/engine/engine-process.ts";
import type { FromEngine } from "../../../app/engine/messages.ts";

const worker = fileURLToPath(new URL("../../../app/engine/worker.ts", import.meta.url));
const parentPort = `
  import { EventEmitter } from "node:events";
  const port = new EventEmitter();
  const send = process.send.bind(process);
  port.postMessage = (message) => void (process.connected && send(structuredClone(message), () => {}));
  process.on("message", (data) => port.emit("message", { data, ports: [] }));
  process.on("disconnect", () => port.emit("close"));
  process.parentPort = port;
  // The worker must not fall back to Node's channel.
  process.send = undefined;
`;

export function spawnWithParentPort(addonPath: string): EngineProcess {
  const child = fork(worker, [addonPath], {
    serialization: "advanced",
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    execArgv: ["--import", `data:text/javascript,${encodeURIComponent(parentPort)}`],
    env: { ...process.env, NODE_OPTIONS: "" },
  });
  return {
    get processId() {
      return child.pid ?? null;
    },
    send: (message) => void child.send(message, () => {}),
    onMessage: (listener) => void child.on("message", (message) => listener(message as FromEngine)),
    onOutput: (listener) => {
      for (const stream of [child.stdout, child.stderr]) stream?.setEncoding("utf8").on("data", listener);
    },
    onExit: (listener) => void child.on("close", (code, signal) => listener(signal ?? `exit code ${code}`)),
    kill: () => void child.kill("SIGKILL"),
    hold: () => {},
  };
}
