// The addon's surface with no engine behind it, for tests of what happens around the engine: processes, events,
// cancelling, crashes, files. It plays a clip made by ffmpeg (PLUMBING_CLIP) as the result of every job, and behaves as
// the script at PLUMBING_SCRIPT says at that moment (PlumbingScript in plumbing.ts). Loaded by the engine's process in
// place of rushes.node.
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { basename, isAbsolute } from "node:path";
import type { EngineSettings } from "../../../contract/settings/derive.ts";
import type {
  Addon,
  AddonModel,
  EngineEvent,
  EngineLora,
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
const stageNames: StageName[] = ["text", "image", "load", "sample", "decode"];

const script = () => JSON.parse(readFileSync(scriptPath, "utf8")) as PlumbingScript;
const note = (line: string) => appendFileSync(process.env["PLUMBING_NOTES"] ?? "", `${line}\n`);
const failure = (code: string, message: string, more: object = {}) => Object.assign(new Error(message), more, { code });
const full = (settings: Partial<EngineSettings>) =>
  ({
    ...settings,
    threads: settings.threads || 2,
    ...(script().card !== undefined && settings.device === "auto" ? { device: "cuda" } : {}),
  }) as EngineSettings;
const cardOf = ({ device }: Partial<EngineSettings>) => (device === "cuda" ? (script().card ?? null) : null);
const stagesOf = (settings: EngineSettings, peakBytes: number, picture: boolean) =>
  stageNames
    .filter((stage) => stage !== "image" || picture)
    .map((stage) => ({
      stage,
      seconds: 0.1,
      peakBytes,
      ...(cardOf(settings) === null ? {} : { deviceBytes: peakBytes - 300 }),
    }));
/** A file whose name says so is a transformer that begins with a picture. */
const takesPicture = (path: string) => basename(path).includes("i2v");

/** Refuses what the engine refuses: a file that is gone, is no LoRA, or by its name one for another model. */
function lookAt(loras: readonly EngineLora[] = []): void {
  for (const { path, strength, expert } of loras) {
    const name = basename(path);
    if (!isAbsolute(path) || !["both", "high", "low"].includes(expert)) throw new TypeError("loras are not as agreed.");
    if (!(Math.abs(strength) <= 2)) throw failure("settings.invalid", "A LoRA's strength is from -2 to 2.");
    if (!existsSync(path)) throw failure("checkpoint.missing", `There is no file ${path}.`);
    if (!isLora(name)) throw failure("checkpoint.unsupported", `${name} is not a LoRA.`);
    if (name.includes("foreign"))
      throw failure("checkpoint.unsupported", `${name} is a LoRA for another model: width.`);
  }
}

const isLora = (name: string) => name.includes("lora");

/** A budget in the script decides whether a job fits. `encoded`: its prompt is, so that no plan is against its format. */
function planOf(settings: EngineSettings, picture: boolean, encoded = false): Plan {
  const { plans = [{ peakBytes: 1000 }], budgetBytes = 10_000 } = script();
  const budget = settings.memoryBudget > 0 ? Math.round(settings.memoryBudget * 2 ** 30) : budgetBytes;
  const within = plans.filter(({ peakBytes }) => peakBytes <= budget);
  const asked = settings.textEncoderFormat;
  const allowed = ({ textEncoderFormat: format = asked }) => encoded || asked === "auto" || asked === format;
  const chosen = within.find(allowed);
  const {
    peakBytes,
    resident = true,
    streamed = false,
    vaeTiling,
    textEncoderFormat,
  } = chosen ?? plans.findLast(allowed) ?? plans.at(-1)!;
  const fits = chosen !== undefined;
  const int8Text = { id: "int8TextEncoder", settings: { textEncoderFormat: "int8" }, peakBytes: budget } as const;
  const fewerFrames = { id: "fewerFrames", settings: { numFrames: 5 }, peakBytes: budget } as const;
  const card = cardOf(settings);
  return {
    stages: stagesOf(settings, peakBytes, picture),
    peakBytes,
    ...(card === null
      ? {}
      : { device: { name: card, peakBytes: peakBytes === 1000 ? 700 : peakBytes, freeBytes: 5000, streamed } }),
    freeBytes: budget,
    fits,
    advice: fits ? "" : "Choose 5 frames or fewer: that fits.",
    fixes: fits ? [] : [within.some((plan) => plan.textEncoderFormat === "int8") ? int8Text : fewerFrames],
    seconds: 0.4,
    resident,
    int8: null,
    settings: {
      ...settings,
      ...(vaeTiling ? { vaeTiling } : {}),
      ...(textEncoderFormat && asked === "auto" ? { textEncoderFormat } : {}),
    },
  };
}

/** Thrown where a call is cancelled or told to keep what it has. */
class Stopped extends Error {}

class PlumbingModel implements AddonModel {
  #cancelled = false;
  #kept = false;
  #mayStop = false;
  #busy = false;

  readonly #picture: boolean;

  constructor({ dit, ditLow }: ModelFiles) {
    this.#picture = takesPicture(dit);
    note(`open ${[dit, ...(ditLow === undefined ? [] : [ditLow])].map((path) => basename(path)).join(" and ")}`);
  }

  generate(request: GenerateRequest, onEvent: OnEvent): Promise<GenerateReport> {
    const settings = full(request.settings);
    const steps = settings.numSteps;
    const start = request.startStep ?? 0;
    note(`generate from ${start}`);
    lookAt(request.loras);
    for (const { path, strength, expert } of request.loras ?? []) note(`lora ${basename(path)} ${strength} ${expert}`);
    if (request.image) note(`picture of ${request.image.length} bytes, ${[...request.image.subarray(0, 3)].join(" ")}`);
    if ((request.image !== undefined) !== this.#picture)
      throw failure("settings.invalid", "A picture too many or few.");
    if (request.resumePath && !existsSync(request.resumePath)) throw failure("checkpoint.missing", "No step file.");
    return this.#call(settings, onEvent, async () => {
      const plan = planOf(
        settings,
        this.#picture,
        request.embeddingPath !== undefined && existsSync(request.embeddingPath),
      );
      onEvent({ kind: "plan", plan });
      if (!plan.fits)
        throw failure("memory.exhausted", "Too little memory.", { neededBytes: 1000, freeBytes: script().budgetBytes });
      onEvent({ kind: "progress", stage: "text", fraction: 1, step: 0, steps });
      if (request.embeddingPath && !existsSync(request.embeddingPath))
        writeFileSync(request.embeddingPath, `encoded in ${settings.textEncoderFormat}`);
      onEvent(stageEnd("text", settings));
      if (this.#picture) {
        onEvent({ kind: "progress", stage: "image", fraction: 1, step: 0, steps });
        onEvent(stageEnd("image", settings));
      }
      onEvent({ kind: "log", level: "debug", line: "Int8 linear: blocks.0.self_attn.q [256x256]" });
      onEvent({ kind: "log", level: "info", line: "int8 on 80 linear layers" });
      onEvent({ kind: "progress", stage: "load", fraction: 1, step: 0, steps });
      onEvent(stageEnd("load", settings));
      let keptStep: number | null;
      try {
        keptStep = await this.#sample({ ...request, settings }, start, steps, onEvent);
      } catch (error) {
        onEvent(stageEnd("sample", settings, false));
        throw error;
      }
      onEvent(stageEnd("sample", settings));
      if (request.latentsPath) writeFileSync(request.latentsPath, "latents");
      return keptStep;
    });
  }

  /** Runs the steps; the number of those finished, when they were stopped early. */
  async #sample(request: GenerateRequest, start: number, steps: number, onEvent: OnEvent): Promise<number | null> {
    for (let step = start + 1; step <= steps; step++) {
      this.#mayStop = step > start + 1;
      try {
        for (const fraction of [0, 0.5]) {
          onEvent({ kind: "progress", stage: "sample", fraction: (step - 1 + fraction) / steps, step, steps });
          await this.#pause(script().stepMs / 2);
        }
      } catch (error) {
        if (error instanceof Stopped) return step - 1;
        throw error;
      }
      misbehave(step, request.settings);
      if (step === steps) break;
      if (request.stepLatentsPrefix) writeFileSync(`${request.stepLatentsPrefix}-step${step}.safetensors`, "state");
      if (request.preview)
        onEvent({ kind: "preview", step, rgb: Buffer.alloc(16 * 16 * 3), width: 16, height: 16, approximate: true });
    }
    return null;
  }

  decode(latentsPath: string, settings: Partial<EngineSettings>, onEvent: OnEvent): Promise<GenerateReport> {
    note("decode");
    if (!existsSync(latentsPath)) throw failure("checkpoint.missing", "No latents.");
    return this.#call(full(settings), onEvent, () => Promise.resolve(null));
  }

  /** `work` gives the step that was kept, if sampling was stopped early. */
  async #call(settings: EngineSettings, onEvent: OnEvent, work: () => Promise<number | null>): Promise<GenerateReport> {
    if (this.#busy) throw failure("engine.busy", "Busy.");
    this.#busy = true;
    this.#cancelled = this.#kept = this.#mayStop = false;
    const { width, height, numFrames: frames, numSteps: steps } = settings;
    try {
      const keptStep = await work();
      this.#mayStop = false;
      onEvent({ kind: "progress", stage: "decode", fraction: 0, step: 0, steps });
      await this.#pause(script().decodeMs ?? 0);
      const clip = JSON.parse(readFileSync(process.env["PLUMBING_CLIP"] ?? "", "utf8")) as PlumbingPacket[];
      if (script().frameLoss) clip.pop();
      for (const [frame, { data, keyFrame }] of clip.entries())
        onEvent({ kind: "packet", data: Buffer.from(data, "base64"), keyFrame, frame });
      onEvent({ kind: "poster", rgb: Buffer.alloc(width * height * 3, 90), width, height });
      onEvent({ kind: "progress", stage: "decode", fraction: 1, step: 0, steps });
      onEvent(stageEnd("decode", settings));
      const int8 = { layers: 80, bytes16: 200, bytes: 100, names: ["blocks.0.self_attn.q [256x256]"] };
      const warnings = ["The engine warns."];
      if (keptStep !== null) warnings.push(`Sampling was stopped after step ${keptStep} of ${steps}.`);
      const stages = stagesOf(settings, 900, this.#picture);
      return {
        settings,
        stages,
        int8,
        plan: planOf(settings, this.#picture),
        warnings,
        frames,
        width,
        height,
        keptStep,
      };
    } finally {
      this.#busy = false;
    }
  }

  async #pause(milliseconds: number): Promise<void> {
    for (const end = Date.now() + milliseconds; Date.now() < end;) {
      if (this.#cancelled && !script().ignoreCancel) throw failure("job.cancelled", "The job was cancelled.");
      if (this.#kept && this.#mayStop) throw new Stopped();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  cancel(): void {
    this.#cancelled = true;
  }

  keep(): void {
    this.#kept = true;
  }

  heldBytes(): number {
    return this.#busy ? 900 : 500;
  }

  close(): void {
    note("close");
  }
}

function stageEnd(stage: StageName, settings: EngineSettings, finished = true): EngineEvent {
  return { kind: "stage", finished, ...stagesOf(settings, 900, true).find((each) => each.stage === stage)! };
}

interface PlumbingPacket {
  /** Base64. */
  data: string;
  keyFrame: boolean;
}

function misbehave(step: number, settings: Partial<EngineSettings>): void {
  const now = script();
  if (now.card !== undefined && cardOf(settings) === null) return;
  if (now.crashInStep === step) {
    writeFileSync(scriptPath, JSON.stringify({ ...now, crashInStep: 0 }));
    process.stderr.write("the plumbing gives way\n");
    crash();
  }
  if (now.crashAlways === step) crash();
  const { peakBytes } = planOf(full(settings), false);
  if (now.full && step >= now.full.step && peakBytes > now.full.freeBytes)
    throw failure("memory.exhausted", `This job needs ${peakBytes} and may use ${now.full.freeBytes}.`, {
      neededBytes: peakBytes,
      freeBytes: now.full.freeBytes,
    });
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
    family: isLora(name) ? "lora" : name.includes("vae") ? "wan-vae" : name.includes("umt5") ? "umt5" : "wan-dit",
    architecture: isLora(name) ? "LoRA of rank 4 on 80 layers" : takesPicture(name) ? "wan2.2-i2v" : "wan2.1-t2v",
    layout: "original",
    prefix: "",
    sizes: isLora(name)
      ? { rank: 4, layers: 80 }
      : takesPicture(name)
        ? { dim: 128, layers: 1, inChannels: 36, outChannels: 16, textDim: 256 }
        : {},
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
  if (script().crashInCodec) crash();
  throw failure("engine.unavailable", "This addon has no codecs.");
};

const addon: Addon = {
  decodeClip: noCodecs,
  encodeVp9: noCodecs,
  openModel: (files) => Promise.resolve(new PlumbingModel(files)),
  // Errors come as rejections, as the addon gives them.
  inspect: async (path) => Promise.resolve(inspectionOf(path)),
  plan: async ({ dit }, settings, _idCount, _warm, loras) => {
    await Promise.resolve();
    if (loras?.length)
      note(`plan with ${loras.map(({ path, strength }) => `${basename(path)} ${strength}`).join(" and ")}`);
    lookAt(loras);
    return planOf(full(settings), takesPicture(dit));
  },
  release: () => note("release"),
  memory: () => ({ totalBytes: 1, freeBytes: 1, residentBytes: 1 }),
  machine: () => ({
    cpu: { model: "plumbing", cores: 2, isa: [] },
    memory: { totalBytes: 1, freeBytes: 1 },
    residentBytes: 1,
    gpu: script().gpu ?? { name: null, reason: "none" },
    libraries: {},
  }),
  selfTest: () => Promise.resolve({ checks: [], passed: 0, failed: 0 }),
  bench: (_options, line) => {
    line("one");
    line("two");
    return Promise.resolve({ operations: [] });
  },
  benchEndToEnd: (_options, line) => {
    line("one");
    return Promise.resolve({ stages: [] });
  },
  keepRates: () => {},
  echo: full,
};

export const {
  openModel,
  inspect,
  plan,
  release,
  memory,
  machine,
  selfTest,
  bench,
  benchEndToEnd,
  keepRates,
  decodeClip,
  encodeVp9,
  echo,
} = addon;
