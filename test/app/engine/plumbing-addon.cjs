// An object with the addon's surface and no engine behind it, for tests of what happens around the engine: processes,
// events, cancelling, crashes, files. It plays a clip made by ffmpeg (PLUMBING_CLIP) as the result of every job and
// behaves as the JSON file PLUMBING_SCRIPT says at that moment:
//   stepMs           time of one step
//   crashInStep      SIGKILL itself in this step, once (it then removes the entry from the script)
//   crashAlways      SIGKILL itself in this step, always
//   failInStep       reject with the error `failure`
//   ignoreCancel     never end a cancelled call
//   frameLoss        give one packet less
const { existsSync, readFileSync, writeFileSync, appendFileSync } = require("node:fs");
const { basename } = require("node:path");

const script = () => JSON.parse(readFileSync(process.env.PLUMBING_SCRIPT, "utf8"));
const note = (line) => process.env.PLUMBING_NOTES && appendFileSync(process.env.PLUMBING_NOTES, `${line}\n`);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const failure = (code, message, more = {}) => Object.assign(new Error(message), { code, ...more });
const stages = ["text", "load", "sample", "decode"];

function planOf(settings) {
  return {
    stages: stages.map((stage) => ({ stage, seconds: 0.1, peakBytes: 1000 })),
    peakBytes: 1000,
    seconds: 0.4,
    int8: null,
    settings: full(settings),
  };
}

const full = (settings) => ({ threads: 2, memoryBudget: 0, ...settings });

class Model {
  constructor(files) {
    note(`open ${basename(files.dit)}`);
    this.cancelled = false;
    this.busy = false;
  }

  async plan(settings) {
    return planOf(settings);
  }

  async generate(request, onEvent) {
    const settings = full(request.settings);
    const steps = settings.numSteps;
    note(`generate from ${request.startStep ?? 0}`);
    if (request.resumePath && !existsSync(request.resumePath)) throw failure("checkpoint.missing", "No step file.");
    return this.call(settings, onEvent, async () => {
      onEvent({ kind: "progress", stage: "text", fraction: 1, step: 0, steps });
      if (request.embeddingPath && !existsSync(request.embeddingPath))
        writeFileSync(request.embeddingPath, "embedding");
      onEvent({ kind: "log", level: "debug", line: "Int8 linear: blocks.0.self_attn.q [256x256]" });
      onEvent({ kind: "log", level: "info", line: "int8 on 80 linear layers" });
      onEvent({ kind: "progress", stage: "load", fraction: 1, step: 0, steps });
      for (let step = (request.startStep ?? 0) + 1; step <= steps; step++) {
        for (const fraction of [0, 0.5]) {
          onEvent({ kind: "progress", stage: "sample", fraction: (step - 1 + fraction) / steps, step, steps });
          await this.pause(script().stepMs / 2);
        }
        this.misbehave(step);
        if (request.stepLatentsPrefix && step < steps)
          writeFileSync(`${request.stepLatentsPrefix}-step${step}.safetensors`, "state");
        if (request.preview)
          onEvent({
            kind: "preview",
            step,
            rgb: Buffer.alloc(settings.width * settings.height * 3, step),
            width: settings.width,
            height: settings.height,
          });
      }
      if (request.latentsPath) writeFileSync(request.latentsPath, "latents");
    });
  }

  async decode(latentsPath, settings, onEvent) {
    note("decode");
    if (!existsSync(latentsPath)) throw failure("checkpoint.missing", "No latents.");
    return this.call(full(settings), onEvent, async () => {});
  }

  async call(settings, onEvent, work) {
    if (this.busy) throw failure("engine.busy", "Busy.");
    this.busy = true;
    this.cancelled = false;
    try {
      await work();
      onEvent({ kind: "progress", stage: "decode", fraction: 0, step: 0, steps: settings.numSteps });
      await this.pause(script().decodeMs ?? 0);
      const packets = JSON.parse(readFileSync(process.env.PLUMBING_CLIP, "utf8"));
      if (script().frameLoss) packets.pop();
      packets.forEach(({ data, keyFrame }, frame) =>
        onEvent({ kind: "packet", data: Buffer.from(data, "base64"), keyFrame, frame }),
      );
      onEvent({
        kind: "poster",
        rgb: Buffer.alloc(settings.width * settings.height * 3, 90),
        width: settings.width,
        height: settings.height,
      });
      onEvent({ kind: "progress", stage: "decode", fraction: 1, step: 0, steps: settings.numSteps });
      return {
        settings,
        stages: stages.map((stage) => ({ stage, seconds: 0.1, peakBytes: 900 })),
        int8: { layers: 80, bytes16: 200, bytes: 100, names: [] },
        plan: planOf(settings),
        warnings: ["The engine warns."],
        frames: settings.numFrames,
        width: settings.width,
        height: settings.height,
      };
    } finally {
      this.busy = false;
    }
  }

  misbehave(step) {
    const now = script();
    if (now.crashInStep === step) {
      writeFileSync(process.env.PLUMBING_SCRIPT, JSON.stringify({ ...now, crashInStep: 0 }));
      process.stderr.write("the plumbing gives way\n");
      crash();
    }
    if (now.crashAlways === step) crash();
    if (now.failInStep === step) throw failure(now.failure.code, now.failure.message, now.failure);
  }

  async pause(ms) {
    for (const end = Date.now() + ms; Date.now() < end;) {
      if (this.cancelled && !script().ignoreCancel) throw failure("job.cancelled", "The job was cancelled.");
      await sleep(10);
    }
  }

  cancel() {
    this.cancelled = true;
  }

  close() {
    note("close");
  }
}

function crash() {
  process.kill(process.pid, "SIGKILL");
  for (;;); // until the signal arrives
}

const families = { vae: "wan-vae", umt5: "umt5" };

module.exports = {
  openModel: async (files) => new Model(files),
  inspect: async (path) => {
    const name = basename(path);
    if (name.startsWith("corrupt")) throw failure("checkpoint.corrupt", `${name} is damaged.`);
    const quantized = name.includes("quant");
    return {
      path,
      container: "pth",
      bytes: 1,
      family: families[/vae|umt5/.exec(name)?.[0]] ?? "wan-dit",
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
      missing: name.includes("partial") ? ["a.weight", "b.weight", "c.weight"] : [],
      unexpected: [],
      wrongShape: [],
      complete: !name.includes("partial"),
      uses: [],
      refused: name.includes("refused") ? "it is of another kind" : "",
      summary: name,
    };
  },
  machine: () => ({
    cpu: { model: "c", cores: 2, isa: [] },
    memory: { totalBytes: 1, freeBytes: 1 },
    gpu: { name: null, reason: "none" },
    libraries: {},
  }),
  selfTest: async () => ({ checks: [], passed: 0, failed: 0 }),
  bench: async (_options, line) => (line("one"), line("two"), { operations: [] }),
  echo: full,
};
