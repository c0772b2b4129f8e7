// The addon's surface with no engine behind it, for tests of what happens around the engine: processes, events,
// cancelling, crashes, files. It plays a clip made by ffmpeg (PLUMBING_CLIP) as the result of every job, and behaves as
// the script at PLUMBING_SCRIPT says at that moment (PlumbingScript in plumbing.ts). Loaded by the engine's process in
// place of rushes.node.
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import type { EngineSettings } from "../../../contract/settings/derive.ts";
import type {
  Addon,
  AddonModel,
  EngineEvent,
  GenerateReport,
  GenerateRequest,
  Inspection,
  ModelFiles,
  Plan,
  StageName,
} from "../../../app/engine/addon.ts";
import type { PlumbingScript } from "./plumbing.ts";

type OnEvent = (event: EngineEvent) => void;

const scriptPath = process.env["PLUMBING_SCRIPT"] ?? "";
const stageNames: StageName[] = ["text", "load", "sample", "decode"];

const script = () => JSON.parse(readFileSync(scriptPath, "utf8")) as PlumbingScript;
const note = (line: string) => appendFileSync(process.env["PLUMBING_NOTES"] ?? "", `${line}\n`);
const failure = (code: string, message: string, more: object = {}) => Object.assign(new Error(message), more, { code });
const full = (settings: Partial<EngineSettings>) => ({ ...settings, threads: settings.threads || 2 }) as EngineSettings;
const stagesOf = (peakBytes: number) => stageNames.map((stage) => ({ stage, seconds: 0.1, peakBytes }));

function planOf(settings: EngineSettings): Plan {
  return { stages: stagesOf(1000), peakBytes: 1000, seconds: 0.4, int8: null, settings };
}

class PlumbingModel implements AddonModel {
  #cancelled = false;
  #busy = false;

  constructor(files: ModelFiles) {
    note(`open ${basename(files.dit)}`);
  }

  async plan(settings: Partial<EngineSettings>): Promise<Plan> {
    return Promise.resolve(planOf(full(settings)));
  }

  generate(request: GenerateRequest, onEvent: OnEvent): Promise<GenerateReport> {
    const settings = full(request.settings);
    const { numSteps: steps, width, height } = settings;
    const start = request.startStep ?? 0;
    note(`generate from ${start}`);
    if (request.resumePath && !existsSync(request.resumePath)) throw failure("checkpoint.missing", "No step file.");
    return this.#call(settings, onEvent, async () => {
      onEvent({ kind: "progress", stage: "text", fraction: 1, step: 0, steps });
      if (request.embeddingPath && !existsSync(request.embeddingPath))
        writeFileSync(request.embeddingPath, "embedding");
      onEvent({ kind: "log", level: "debug", line: "Int8 linear: blocks.0.self_attn.q [256x256]" });
      onEvent({ kind: "log", level: "info", line: "int8 on 80 linear layers" });
      onEvent({ kind: "progress", stage: "load", fraction: 1, step: 0, steps });
      for (let step = start + 1; step <= steps; step++) {
        for (const fraction of [0, 0.5]) {
          onEvent({ kind: "progress", stage: "sample", fraction: (step - 1 + fraction) / steps, step, steps });
          await this.#pause(script().stepMs / 2);
        }
        misbehave(step);
        if (request.stepLatentsPrefix && step < steps)
          writeFileSync(`${request.stepLatentsPrefix}-step${step}.safetensors`, "state");
        if (request.preview) onEvent({ kind: "preview", step, rgb: Buffer.alloc(width * height * 3), width, height });
      }
      if (request.latentsPath) writeFileSync(request.latentsPath, "latents");
    });
  }

  decode(latentsPath: string, settings: Partial<EngineSettings>, onEvent: OnEvent): Promise<GenerateReport> {
    note("decode");
    if (!existsSync(latentsPath)) throw failure("checkpoint.missing", "No latents.");
    return this.#call(full(settings), onEvent, async () => {});
  }

  async #call(settings: EngineSettings, onEvent: OnEvent, work: () => Promise<void>): Promise<GenerateReport> {
    if (this.#busy) throw failure("engine.busy", "Busy.");
    this.#busy = true;
    this.#cancelled = false;
    const { width, height, numFrames: frames, numSteps: steps } = settings;
    try {
      await work();
      onEvent({ kind: "progress", stage: "decode", fraction: 0, step: 0, steps });
      await this.#pause(script().decodeMs ?? 0);
      const clip = JSON.parse(readFileSync(process.env["PLUMBING_CLIP"] ?? "", "utf8")) as PlumbingPacket[];
      if (script().frameLoss) clip.pop();
      for (const [frame, { data, keyFrame }] of clip.entries())
        onEvent({ kind: "packet", data: Buffer.from(data, "base64"), keyFrame, frame });
      onEvent({ kind: "poster", rgb: Buffer.alloc(width * height * 3, 90), width, height });
      onEvent({ kind: "progress", stage: "decode", fraction: 1, step: 0, steps });
      const int8 = { layers: 80, bytes16: 200, bytes: 100, names: [] };
      const warnings = ["The engine warns."];
      return { settings, stages: stagesOf(900), int8, plan: planOf(settings), warnings, frames, width, height };
    } finally {
      this.#busy = false;
    }
  }

  async #pause(milliseconds: number): Promise<void> {
    for (const end = Date.now() + milliseconds; Date.now() < end;) {
      if (this.#cancelled && !script().ignoreCancel) throw failure("job.cancelled", "The job was cancelled.");
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  cancel(): void {
    this.#cancelled = true;
  }

  close(): void {
    note("close");
  }
}

interface PlumbingPacket {
  /** Base64. */
  data: string;
  keyFrame: boolean;
}

function misbehave(step: number): void {
  const now = script();
  if (now.crashInStep === step) {
    writeFileSync(scriptPath, JSON.stringify({ ...now, crashInStep: 0 }));
    process.stderr.write("the plumbing gives way\n");
    crash();
  }
  if (now.crashAlways === step) crash();
  if (now.failInStep === step && now.failure) throw failure(now.failure.code, now.failure.message, now.failure);
}

function crash(): void {
  process.kill(process.pid, "SIGKILL");
  // The signal arrives a moment later.
  for (;;);
}

function inspectionOf(path: string): Inspection {
  const name = basename(path);
  if (name.startsWith("corrupt")) throw failure("checkpoint.corrupt", `${name} is damaged.`);
  const quantized = name.includes("quant");
  const partial = name.includes("partial");
  return {
    path,
    container: "pth",
    bytes: 1,
    family: name.includes("vae") ? "wan-vae" : name.includes("umt5") ? "umt5" : "wan-dit",
    architecture: "wan2.1-t2v",
    layout: "original",
    prefix: "",
    sizes: {},
    tensors: 1,
    parameters: 1,
    dtypes: {},
    quantization: quantized ? "int8 (TurboDiffusion)" : "none",
    quantizedLayers: quantized ? 80 : 0,
    sla: !name.includes("plain"),
    missing: partial ? ["a.weight", "b.weight", "c.weight"] : [],
    unexpected: [],
    wrongShape: [],
    complete: !partial,
    uses: [],
    refused: name.includes("refused") ? "it is of another kind" : "",
    summary: name,
  };
}

const noCodecs = () => {
  throw failure("engine.unavailable", "This addon has no codecs.");
};

const addon: Addon = {
  decodeClip: noCodecs,
  encodeVp9: noCodecs,
  openModel: (files) => Promise.resolve(new PlumbingModel(files)),
  // Errors come as rejections, as the addon gives them.
  inspect: async (path) => Promise.resolve(inspectionOf(path)),
  machine: () => ({
    cpu: { model: "plumbing", cores: 2, isa: [] },
    memory: { totalBytes: 1, freeBytes: 1 },
    gpu: { name: null, reason: "none" },
    libraries: {},
  }),
  selfTest: () => Promise.resolve({ checks: [], passed: 0, failed: 0 }),
  bench: (_options, line) => {
    line("one");
    line("two");
    return Promise.resolve({ operations: [] });
  },
  echo: full,
};

export const { openModel, inspect, machine, selfTest, bench, decodeClip, encodeVp9, echo } = addon;
