// Writes the JSON schemas of every message from the contract's types (contract/channels.ts): what the border of every
// door checks requests against, and what /api/openapi.json describes. `--check` writes nothing and fails when they are stale.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  AliasType,
  AnyType,
  type BaseType,
  createFormatter,
  createParser,
  createProgram,
  DEFAULT_CONFIG,
  DefinitionType,
  SchemaGenerator,
  type SubNodeParser,
} from "ts-json-schema-generator";
import { allSettings } from "../contract/settings/derive.ts";
import type { Setting } from "../contract/settings/setting.ts";

/** A JSON schema, as far as it is touched here. */
interface Schema {
  type?: string | string[];
  properties?: Record<string, Schema>;
  definitions?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  minimum?: number;
  description?: string;
  [keyword: string]: unknown;
}

interface ChannelSchema {
  /** What the contract says of the channel, or its name where it says nothing. */
  summary: string;
  request: Schema;
  reply: Schema;
}

const root = join(import.meta.dirname, "..");
const contractFile = join(root, "contract/channels.ts");
/** Numbers that count something, whole ones from 1. */
const numberNames = /^(jobId|beforeJobId|stackOf|sourceJobId)$/;
const numberListNames = /^(jobIds|ids)$/;

/** The mapped types over the settings catalogue, by how the contract writes them, and what their schema is called. */
const settingTypes = new Map([
  ["Settings", "Settings"],
  ["ResolvedSettings", "ResolvedSettings"],
  ["Partial<Settings>", "SomeSettings"],
  ["Partial<ResolvedSettings>", "SomeSettings"],
]);

/** Path from the root of the project -> what must be in the file. */
export function generatedFiles(): Map<string, string> {
  return new Map([["app/channels/generated/channels.json", `${JSON.stringify(generate(), null, 1)}\n`]]);
}

function generate() {
  const found = contractSchema(["Channels", "StudioEvent", "UploadReply", "ErrorRecord"]);
  const { Channels: channels, ...definitions } = found;
  const schemas: Record<string, ChannelSchema> = {};
  for (const [name, schema] of Object.entries(channels?.properties ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))) {
    const { request, reply } = schema.properties ?? {};
    if (!request || !reply) throw new Error(`${name}: a channel states a request and a reply.`);
    schemas[name] = { summary: schema.description ?? name, request: withNumbers(request), reply };
  }
  const described = { ...definitions, ...settingSchemas() };
  // Unknown keys of a session are kept as they are: another version of the window may have written them.
  if (described["Session"]) described["Session"]["additionalProperties"] = true;
  const ordered = Object.entries(described).sort(([a], [b]) => (a < b ? -1 : 1));
  return { channels: schemas, definitions: Object.fromEntries(ordered) };
}

function contractSchema(types: readonly string[]): Record<string, Schema> {
  const config = {
    ...DEFAULT_CONFIG,
    path: contractFile,
    tsconfig: join(root, "contract/tsconfig.json"),
    skipTypeCheck: true,
    expose: "export" as const,
    topRef: true,
    jsDoc: "extended" as const,
    sortProps: false,
    additionalProperties: false,
    type: "*",
  };
  const program = createProgram(config);
  const parser = createParser(program, config, (parsers) => parsers.addNodeParser(settingsParser));
  const generator = new SchemaGenerator(program, parser, createFormatter(config), config);
  const found: Record<string, Schema> = {};
  for (const type of types) Object.assign(found, (generator.createSchema(type) as Schema).definitions);
  return found;
}

/** Types over the catalogue are described by the catalogue itself, which knows more than they do. */
const settingsParser: SubNodeParser = {
  supportsNode: (node) => "typeName" in node && settingTypes.has(node.getText()),
  createType: (node): BaseType => {
    const name = settingTypes.get(node.getText())!;
    return new DefinitionType(name, new AliasType(name, new AnyType()));
  },
};

function settingSchemas(): Record<string, Schema> {
  const exact = (known: readonly string[]): Schema => ({
    type: "object",
    properties: Object.fromEntries(allSettings.map((one) => [one.id, valueSchema(one, !known.includes(one.id))])),
    required: allSettings.map(({ id }) => id),
    additionalProperties: false,
  });
  return {
    Settings: {
      ...exact([]),
      description: "Every setting with its value; null where that means something of its own.",
    },
    ResolvedSettings: {
      ...exact(["seed", "width", "height"]),
      description: "Settings as they ran: seed and size are known.",
    },
    SomeSettings: {
      type: "object",
      description:
        "Any of the settings by id. Values are checked by the settings catalogue: a value out of range is answered with " +
        "the sentence that says so, by generate:check without refusing.",
      properties: Object.fromEntries(allSettings.map((one) => [one.id, wordsOf(one)])),
      additionalProperties: true,
    },
  };
}

function wordsOf({ label, help, ...setting }: Setting): Schema {
  return { title: label, description: help, default: setting.default };
}

function valueSchema(setting: Setting, mayBeAbsent: boolean): Schema {
  const nullable = mayBeAbsent && setting.absent !== null;
  const plain = (type: string): Schema => ({ type: nullable ? [type, "null"] : type });
  const words = { title: setting.label, description: setting.help };
  switch (setting.kind) {
    case "text":
    case "resolution":
      return { ...plain("string"), ...words };
    case "integer":
      return { ...plain("integer"), ...words };
    case "real":
      return { ...plain("number"), ...words };
    case "boolean":
      return { ...plain("boolean"), ...words };
    case "choice": {
      const choices: (string | null)[] = setting.choices.map(({ id }) => id);
      return { ...plain("string"), enum: nullable ? [...choices, null] : choices, ...words };
    }
    case "loras":
      return { type: "array", items: loraSchema, ...words };
  }
}

const loraSchema: Schema = {
  type: "object",
  properties: {
    file: { type: "string", description: "A path, or a name in the folder loras of the library or beside the model." },
    strength: { type: "number" },
    expert: { type: "string", enum: ["both", "high", "low"] },
  },
  required: ["file", "strength", "expert"],
};

/** Job numbers are whole numbers from 1; the types cannot say it. */
function withNumbers(schema: Schema): Schema {
  for (const [name, value] of Object.entries(schema.properties ?? {})) {
    const target = numberNames.test(name) ? value : numberListNames.test(name) ? value.items : undefined;
    if (target?.type === "number") Object.assign(target, { type: "integer", minimum: 1 });
    else if (Array.isArray(target?.type) && target.type.includes("number"))
      Object.assign(target, { type: ["integer", "null"], minimum: 1 });
  }
  for (const part of (schema["anyOf"] as Schema[] | undefined) ?? []) withNumbers(part);
  return schema;
}

if (import.meta.main) {
  const stale = [...generatedFiles()].filter(([path, text]) => textOf(join(root, path)) !== text);
  for (const [path, text] of stale) {
    console.log(path);
    if (process.argv.includes("--check")) process.exitCode = 1;
    else {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
  }
}

function textOf(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}
