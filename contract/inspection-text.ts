// What a checkpoint's header says, as lines of plain text: the inspector's Copy and `rushes inspect` say the same.

/** The engine's inspection, as far as it is shown. */
export interface InspectionFacts {
  readonly path: string;
  readonly container: string;
  readonly bytes: number;
  readonly family: string | null;
  readonly architecture: string;
  readonly layout: string;
  readonly prefix?: string;
  readonly sizes: Readonly<Record<string, number>>;
  readonly tensors: number;
  readonly parameters: number;
  readonly dtypes: Readonly<Record<string, number>>;
  readonly quantization: string;
  readonly quantizedLayers: number;
  readonly sla: boolean;
  readonly missing: readonly string[];
  readonly unexpected: readonly string[];
  readonly wrongShape: readonly string[];
  readonly complete: boolean;
  readonly uses: readonly string[];
  readonly refused: string;
  readonly summary: string;
}

const namesShown = 10;

/** What is worth saying of a transformer of which nothing shows that it was distilled; "" of other files. Distilled ones
 * without SLA exist, so that this is no reason to refuse it. */
export function undistilledRemark(
  { family, sla, complete, refused }: Pick<InspectionFacts, "family" | "sla" | "complete" | "refused">,
  file: string,
): string {
  if (family !== "wan-dit" || sla || !complete || refused) return "";
  return (
    `${file} has no sparse attention weights. If it is a base model rather than a distilled one, it needs about 50 ` +
    "guided steps, which Rushes does not do: its video will be blurred."
  );
}

/** Label and value of each line; what there is nothing to say of is left out. */
export function inspectionLines(facts: InspectionFacts): [label: string, value: string][] {
  const { container, family, architecture, layout, prefix, tensors, parameters } = facts;
  const lines: [string, string][] = [
    ["Container", container],
    ["Family", [family, architecture].filter(Boolean).join(", ")],
    ["Layout", prefix ? `${layout}, prefix ${prefix}` : layout],
    ["Sizes", pairs(facts.sizes)],
    ["Tensors", `${tensors}, ${parameters.toLocaleString("en-US")} parameters`],
    ["Types", pairs(facts.dtypes)],
    ["Quantization", quantization(facts)],
    ["SLA weights", facts.sla ? "yes" : "no"],
    ["Missing", names(facts.missing)],
    ["Unexpected", names(facts.unexpected)],
    ["Wrong shape", names(facts.wrongShape)],
    ["Complete", facts.complete ? "yes" : "no"],
    ["Can be used for", facts.uses.join(", ") || "nothing here"],
    ["Refused", facts.refused],
    ["Good to know", undistilledRemark(facts, "This file")],
  ];
  return lines.filter(([, value]) => value !== "");
}

/** The whole report. */
export function inspectionText(facts: InspectionFacts): string {
  const head = [`${facts.path} (${facts.bytes.toLocaleString("en-US")} bytes)`, facts.summary].filter(Boolean);
  const lines = inspectionLines(facts).map(([label, value]) => `  ${label.padEnd(16)}${value}`);
  return `${[...head, ...lines].join("\n")}\n`;
}

function quantization({ quantization: form, quantizedLayers }: InspectionFacts): string {
  return quantizedLayers > 0 ? `${form}, ${quantizedLayers} layers` : form;
}

function pairs(values: Readonly<Record<string, number>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name} ${value}`)
    .join(", ");
}

function names(list: readonly string[]): string {
  if (list.length === 0) return "";
  const more = list.length > namesShown ? `, and ${list.length - namesShown} more` : "";
  return `${list.length}: ${list.slice(0, namesShown).join(", ")}${more}`;
}
