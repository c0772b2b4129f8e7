// A real `rushes serve` in a process of its own, on a free port and a library of its own, and ways to speak to it.
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import type { ChannelName, ReplyOf, RequestOf } from "../../../contract/channels.ts";
import { asRushesError } from "../../../contract/errors.ts";
import type { HistoryDetail } from "../../../contract/channels/history.ts";
import { isFinal } from "../../../contract/job.ts";

export const projectRoot = join(import.meta.dirname, "../../..");
/** A loaded machine takes its time to start a program. */
const startMilliseconds = 60_000;

export interface ServeOptions {
  /** Kept when the process ends; absent: a temporary one, removed by `remove`. */
  readonly library?: string;
  /** Further words of the command line. */
  readonly words?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** What `rushes serve --json` prints. */
interface Started {
  readonly link: string;
  readonly address: string;
  readonly port: number;
  readonly tokenFile: string;
  readonly processId: number;
  readonly warnings: readonly string[];
}

export class ServeProcess {
  readonly child: ChildProcessByStdio<null, Readable, Readable>;
  readonly library: string;
  readonly started: Started;
  readonly token: string;
  /** Everything it said on standard error so far. */
  readonly #errors: () => string;

  private constructor(
    child: ChildProcessByStdio<null, Readable, Readable>,
    library: string,
    started: Started,
    errors: () => string,
  ) {
    this.child = child;
    this.library = library;
    this.started = started;
    this.token = readFileSync(started.tokenFile, "utf8").trim();
    this.#errors = errors;
  }

  /** Resolves when the server answers. Throws with what it said when it ends instead. */
  static async start({ library, words = [], environment = {} }: ServeOptions = {}): Promise<ServeProcess> {
    const folder = library ?? join(mkdtempSync(join(tmpdir(), "rushes-serve-")), "library");
    const usual = words.some((word) => word.startsWith("--port")) ? [] : ["--port", "0"];
    const child = spawn(
      process.execPath,
      [join(projectRoot, "app/cli/main.ts"), "serve", "--json", "--library", folder, ...usual, ...words],
      {
        cwd: projectRoot,
        env: { ...process.env, OMP_WAIT_POLICY: "passive", NO_COLOR: "1", ...environment },
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    let [out, errors] = ["", ""];
    child.stderr.on("data", (piece: Buffer) => (errors += piece.toString()));
    const started = await new Promise<Started>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`No server after a minute: ${out}${errors}`)), startMilliseconds);
      child.stdout.on("data", (piece: Buffer) => {
        out += piece.toString();
        const words = parsed(out);
        if (words !== null && "link" in words) resolve(words as Started);
      });
      child.once("exit", (code) => reject(new Error(`The server ended with code ${code}: ${out}${errors}`)));
      child.once("exit", () => clearTimeout(timer));
      child.stdout.once("data", () => clearTimeout(timer));
    });
    return new ServeProcess(child, folder, started, () => errors);
  }

  get address(): string {
    return this.started.address;
  }

  get link(): string {
    return this.started.link;
  }

  get errors(): string {
    return this.#errors();
  }

  /** A request with the token. */
  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    if (!headers.has("authorization")) headers.set("authorization", `Bearer ${this.token}`);
    return fetch(`${this.address}${path}`, { ...init, headers });
  }

  post(path: string, body: NonNullable<RequestInit["body"]>, headers: Record<string, string> = {}): Promise<Response> {
    return this.fetch(path, { method: "POST", body, headers: { "content-type": "application/json", ...headers } });
  }

  /** Asks a channel; rejects with the RushesError that was answered. */
  async request<C extends ChannelName>(channel: C, value: RequestOf<C>): Promise<ReplyOf<C>> {
    const response = await this.post(`/api/${channel.replace(":", "/")}`, JSON.stringify(value));
    const answer = (await response.json()) as ReplyOf<C> & { error?: unknown };
    if (!response.ok) throw asRushesError(answer.error);
    return answer;
  }

  /** Accepts one job of the demo model and gives its number. */
  async add(values: RequestOf<"queue:add">["drafts"][number]["values"] = {}): Promise<number> {
    const prompt = "A red ball bounces on a blue background";
    const drafts = [{ values: { prompt, numSteps: 1, seed: 42, ...values } }];
    const { jobs } = await this.request("queue:add", { drafts });
    return jobs[0]!.id;
  }

  /** Resolves with the job once it is done, failed or cancelled. */
  async finished(jobId: number, milliseconds = 120_000): Promise<HistoryDetail> {
    for (const end = Date.now() + milliseconds; Date.now() < end;) {
      const { detail } = await this.request("history:detail", { jobId });
      if (isFinal(detail.state)) return detail;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`Job ${jobId} did not end. ${this.errors}`);
  }

  /** Ends it as Ctrl+C does (or by the signal) and gives its exit code. */
  async stop(signal: NodeJS.Signals = "SIGINT"): Promise<number | null> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const ended = once(this.child, "exit");
      this.child.kill(signal);
      await ended;
    }
    return this.child.exitCode;
  }

  /** Ends it and removes its library. */
  async remove(): Promise<void> {
    await this.stop("SIGKILL");
    rmSync(this.library, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }
}

function parsed(text: string): object | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" ? value : null;
  } catch {
    return null;
  }
}
