// The lines of an inspection.
import { expect, test } from "vitest";
import { type InspectionFacts, inspectionLines, inspectionText } from "../../contract/inspection-text.ts";

const facts: InspectionFacts = {
  path: "/models/wan.pth",
  container: "pth",
  bytes: 1234,
  family: "wan-dit",
  architecture: "Wan 2.1 T2V 1.3B",
  layout: "original",
  sizes: { dim: 1536 },
  tensors: 825,
  parameters: 1_400_000_000,
  dtypes: { bf16: 825 },
  quantization: "none",
  quantizedLayers: 0,
  sla: true,
  missing: [],
  unexpected: [],
  wrongShape: [],
  complete: true,
  uses: ["text to video"],
  refused: "",
  summary: "",
};
const remark = (changes: Partial<InspectionFacts>) =>
  new Map(inspectionLines({ ...facts, ...changes })).get("Good to know");

test("a transformer without SLA weights may be a base model, and its video blurred", () => {
  expect(remark({ sla: false })).toBe(
    "This file has no sparse attention weights. If it is a base model rather than a distilled one, it needs about 50 " +
      "guided steps, which Rushes does not do: its video will be blurred.",
  );
  expect(inspectionText({ ...facts, sla: false })).toContain("its video will be blurred.");
});

test("nothing is said of one with them, of other files, and of what cannot run anyway", () => {
  expect(remark({})).toBeUndefined();
  for (const family of ["wan-vae", "umt5", "lora", null]) expect(remark({ family, sla: false })).toBeUndefined();
  expect(remark({ sla: false, complete: false })).toBeUndefined();
  expect(remark({ sla: false, refused: "VACE is not supported" })).toBeUndefined();
});
