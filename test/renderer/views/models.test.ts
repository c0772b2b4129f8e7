// The models view: what it shows, adding and forgetting, the inspector, choosing a path without a native dialog.
import { beforeEach, expect, test } from "vitest";
import { page, userEvent } from "vitest/browser";
import { render } from "vitest-browser-svelte";
import type { InspectionReport, ModelEntry } from "../../../contract/channels/models.ts";
import { RushesError } from "../../../contract/errors.ts";
import { toasts } from "../../../renderer/state/toasts.svelte.ts";
import ModelsView from "../../../renderer/views/models/ModelsView.svelte";
import { axeFindings, settled } from "../accessibility.ts";
import { ScriptedBridge } from "./scripted-bridge.ts";

const demo: ModelEntry = {
  id: "demo",
  name: "Demo",
  architecture: "Wan DiT, 8 layers of width 256",
  state: "ready",
  problem: null,
  builtIn: true,
  quantization: "int8 (TurboDiffusion) + 16-bit",
  files: [
    { role: "transformer", path: "/rushes/models/demo/demo-t2v-quant.pth", bytes: 10_265_330 },
    { role: "transformer16", path: "/rushes/models/demo/demo-t2v.pth", bytes: 18_626_380 },
    { role: "vae", path: "/rushes/models/demo/demo-vae.pth", bytes: 7_265_153 },
    { role: "textEncoder", path: "/rushes/models/demo/demo-umt5.pth", bytes: 5_350_591 },
    { role: "tokenizer", path: "/rushes/models/demo/tokenizer.json", bytes: 7358 },
  ],
  bytes: 41_514_812,
  capabilities: ["distilled", "sla"],
  sizes: [{ width: 128, height: 128 }],
  defaults: {},
  limits: {},
  peakBytes: 35_825_408,
  fits: true,
};
const incomplete: ModelEntry = {
  ...demo,
  id: "turbowan2.1-t2v-14b-720p",
  name: "TurboWan2.1-T2V-14B-720P",
  architecture: "Wan DiT, 40 layers of width 5120",
  state: "incomplete",
  problem: "A Wan VAE that fits this model has not been found. Add the file, or the folder it lies in, under Models.",
  builtIn: false,
  files: [
    { role: "transformer", path: "/models/TurboWan2.1-T2V-14B-720P-quant.pth", bytes: 14_300_000_000 },
    { role: "vae", path: "", bytes: null },
  ],
  bytes: 14_300_000_000,
  peakBytes: null,
  fits: null,
};
const report: InspectionReport = {
  path: "/models/x.pth",
  container: "PyTorch (zip)",
  bytes: 14_300_000_000,
  family: "wan-dit",
  architecture: "Wan DiT, 40 layers of width 5120",
  layout: "original",
  sizes: { dim: 5120, layers: 40 },
  tensors: 1725,
  parameters: 14_288_491_584,
  dtypes: { i8: 400, bf16: 1325 },
  quantization: "int8 (TurboDiffusion)",
  quantizedLayers: 400,
  sla: true,
  missing: [],
  unexpected: [],
  wrongShape: [],
  complete: true,
  uses: ["text to video"],
  refused: "",
  summary: "Wan DiT, 40 layers of width 5120, original layout. For text to video.",
  text: "/models/x.pth (14,300,000,000 bytes)\n  Container       PyTorch (zip)\n",
};

let list: ModelEntry[];
let bridge: ScriptedBridge;
beforeEach(() => {
  for (const { id } of toasts.all) toasts.dismiss(id);
  list = [demo, incomplete];
  bridge = new ScriptedBridge({
    "models:list": () => ({ models: list, folders: ["/models"] }),
    "models:loras": () => ({
      loras: [
        { name: "night.safetensors", path: "/videos/loras/night.safetensors", bytes: 445_000, rank: 4, problem: null },
        {
          name: "cut.safetensors",
          path: "/videos/loras/cut.safetensors",
          bytes: 9,
          rank: null,
          problem: "cut.safetensors is damaged.",
        },
      ],
      folder: "/videos/loras",
    }),
    "models:forget": () => {
      list = [demo];
      return {};
    },
    "models:add": ({ path }) => ({ models: [demo], notes: [{ path, note: report.summary }] }),
    "models:inspect": () => ({ report }),
    "models:browse": ({ folder }) =>
      folder === null
        ? { folder: null, parent: null, entries: [{ name: "models", path: "/models", isFolder: true, bytes: 0 }] }
        : {
            folder,
            parent: null,
            entries: [
              { name: "x.pth", path: "/models/x.pth", isFolder: false, bytes: 14_300_000_000 },
              { name: "notes.txt", path: "/models/notes.txt", isFolder: false, bytes: 5 },
            ],
          },
  });
});

test("shows each model with its state, what it needs and what is wrong", async () => {
  const screen = await render(ModelsView);
  const card = screen.getByRole("region", { name: "Demo" });
  await expect.element(card).toBeVisible();
  await expect.element(card.getByText("Fits this machine")).toBeVisible();
  await expect.element(card.getByText("--model demo")).toBeVisible();
  await expect.element(card.getByText(/needs 34\.2 MB/)).toBeVisible();
  await expect.element(screen.getByText(/A Wan VAE that fits this model/)).toBeVisible();
  await card.getByRole("button", { name: "Files" }).click();
  await expect.element(card.getByText("Text encoder")).toBeVisible();
  expect(card.getByRole("button", { name: /Forget/ }).elements()).toEqual([]);
});

test("shows the LoRAs that have names, where to put more, and what each is", async () => {
  const screen = await render(ModelsView);
  const list = screen.getByRole("region", { name: "LoRAs" });
  await expect.element(list.getByText("rank 4, 435 kB")).toBeVisible();
  await expect.element(list.getByText("cut.safetensors is damaged.")).toBeVisible();
  await expect.element(list.getByText("/videos/loras", { exact: true })).toBeVisible();
  await list.getByRole("button", { name: "Inspect: night.safetensors" }).click();
  await expect.element(screen.getByRole("dialog", { name: "What this file is" })).toBeVisible();
  expect(bridge.requests("models:inspect")).toEqual([{ path: "/videos/loras/night.safetensors" }]);
});

test("adds a file that is chosen among the roots, and says what was found", async () => {
  const screen = await render(ModelsView);
  await screen.getByRole("button", { name: "Add a file …" }).click();
  await screen.getByRole("button", { name: "models", exact: true }).click();
  expect(screen.getByText("notes.txt").elements()).toEqual([]);
  await screen.getByRole("button", { name: /x\.pth/ }).click();
  await screen.getByRole("button", { name: "Use this file" }).click();
  await expect.element(screen.getByRole("region", { name: "What was found" }).getByText("/models/x.pth")).toBeVisible();
  expect(bridge.requests("models:add")).toEqual([{ path: "/models/x.pth" }]);
});

test("takes a dropped checkpoint by its path", async () => {
  const screen = await render(ModelsView);
  await expect.element(screen.getByRole("heading", { name: "Models", level: 1 })).toBeVisible();
  const transfer = new DataTransfer();
  transfer.items.add(new File(["x"], "wan.pth"));
  const target = document.querySelector(".zone")!;
  target.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: transfer }));
  await expect.poll(() => bridge.requests("models:add")).toEqual([{ path: "/dropped/wan.pth" }]);
});

test("says why nothing was added", async () => {
  bridge.script["models:add"] = () => {
    throw new RushesError("checkpoint.unsupported", { sentence: "x.pth is no part of a model Rushes knows." });
  };
  const screen = await render(ModelsView);
  await screen.getByRole("button", { name: "Look again" }).click();
  await expect.poll(() => toasts.all.map((toast) => toast.text)).toEqual(["x.pth is no part of a model Rushes knows."]);
});

test("forgets with a way back", async () => {
  const screen = await render(ModelsView);
  await screen.getByRole("button", { name: `Forget ${incomplete.name}` }).click();
  await expect.element(screen.getByRole("region", { name: incomplete.name })).not.toBeInTheDocument();
  expect(bridge.requests("models:forget")).toEqual([{ id: incomplete.id }]);
  toasts.all.at(-1)?.action?.run();
  await expect.poll(() => bridge.requests("models:add")).toEqual([{ path: incomplete.files[0]?.path }]);
});

test("the inspector says what a file is and gives the report for copying", async () => {
  const screen = await render(ModelsView);
  await screen.getByRole("button", { name: "Inspect a file …" }).click();
  await screen.getByRole("textbox", { name: "Path" }).fill("/models/x.pth");
  await userEvent.keyboard("{Enter}");
  const dialog = screen.getByRole("dialog", { name: "What this file is" });
  await expect.element(dialog.getByText("1725, 14,288,491,584 parameters")).toBeVisible();
  await dialog.getByRole("button", { name: "The report as text" }).click();
  await expect.element(dialog.getByRole("button", { name: "Copy Report" })).toBeVisible();
  expect(bridge.requests("models:inspect")).toEqual([{ path: "/models/x.pth" }]);
});

test.each(["dark", "light"])("axe finds nothing in the %s theme", async (theme) => {
  document.documentElement.dataset["theme"] = theme;
  const screen = await render(ModelsView);
  await screen.getByRole("region", { name: "Demo" }).getByRole("button", { name: "Files" }).click();
  await settled();
  expect(await axeFindings()).toEqual([]);
  for (const [width, height] of [
    [1024, 700],
    [1440, 900],
  ] as const) {
    await page.viewport(width, height);
    expect(document.documentElement.scrollWidth).toBeLessThanOrEqual(width);
  }
  await screen.getByRole("button", { name: "Inspect a file …" }).click();
  await expect.element(screen.getByRole("dialog")).toBeVisible();
  await settled();
  expect(await axeFindings()).toEqual([]);
});
