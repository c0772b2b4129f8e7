// The border's measure: JSON schemas of every message, generated from the contract's types (tools/generate-channels.ts),
// and the check of a request or reply against them. Every transport asks here before a handler sees a request.
import { Ajv, type ErrorObject, type ValidateFunction } from "ajv";
import type { ChannelName, ReplyOf, RequestOf } from "../../contract/channels.ts";
import { RushesError } from "../../contract/errors.ts";
import generated from "./generated/channels.json" with { type: "json" };

/** A JSON schema; references are of the form "#/definitions/NAME". */
export type Schema = Readonly<Record<string, unknown>>;

export interface ChannelSchema {
  /** What the channel does, in the contract's words. */
  readonly summary: string;
  readonly request: Schema;
  readonly reply: Schema;
}

export const channelSchemas = generated.channels as Readonly<Record<ChannelName, ChannelSchema>>;
/** Shapes that the channels' schemas refer to by name. */
export const schemaDefinitions: Readonly<Record<string, Schema>> = generated.definitions;
export const channelNames = Object.keys(generated.channels).sort() as ChannelName[];

export function isChannelName(name: string): name is ChannelName {
  return Object.hasOwn(generated.channels, name);
}

/** The value as the channel's request. Throws request.invalid with the field's name in its sentence. */
export function checkRequest<C extends ChannelName>(channel: C, value: unknown): RequestOf<C> {
  const problem = problemOf(checkerOf(`${channel} request`, channelSchemas[channel].request), value, "The request");
  if (problem !== null) throw new RushesError("request.invalid", { sentence: problem, detail: channel });
  return value as RequestOf<C>;
}

/** What is wrong with a reply, in one sentence, or null. For tests: a handler's own types are the first guard. */
export function replyProblem<C extends ChannelName>(channel: C, reply: ReplyOf<C>): string | null {
  // As it travels: fields that are undefined are not sent.
  const sent: unknown = JSON.parse(JSON.stringify(reply));
  return problemOf(checkerOf(`${channel} reply`, channelSchemas[channel].reply), sent, `The reply of ${channel}`);
}

/** What is wrong with a value that claims to be the named shape (StudioEvent, UploadReply, ...), or null. */
export function shapeProblem(name: string, value: unknown): string | null {
  return problemOf(checkerOf(name, { $ref: `#/definitions/${name}` }), value, name);
}

const ajv = new Ajv({ strict: true, allowUnionTypes: true, strictRequired: false });
const checkers = new Map<string, ValidateFunction>();

/** Compiled when it is first needed: a start pays for none of them. */
function checkerOf(name: string, schema: Schema): ValidateFunction {
  let checker = checkers.get(name);
  if (!checker) checkers.set(name, (checker = ajv.compile({ ...schema, definitions: schemaDefinitions })));
  return checker;
}

function problemOf(checker: ValidateFunction, value: unknown, whole: string): string | null {
  if (checker(value)) return null;
  const errors = checker.errors ?? [];
  return sentenceOf(tellingError(errors), whole);
}

/** Of the errors of a value that fits no form of a union, the one that lies deepest says most. */
function tellingError(errors: readonly ErrorObject[]): ErrorObject | undefined {
  const depth = ({ instancePath }: ErrorObject) => instancePath.split("/").length;
  const deepest = Math.max(...errors.map(depth));
  const candidates = errors.filter((error) => depth(error) === deepest);
  // The union's own error comes last and is the best word when its forms fail in the same place.
  return candidates.length > 1
    ? (candidates.find(({ keyword }) => keyword === "anyOf") ?? candidates[0])
    : candidates[0];
}

function sentenceOf(error: ErrorObject | undefined, whole: string): string {
  if (!error) return `${whole} cannot be understood.`;
  const { keyword, instancePath, params, message } = error;
  const place = fieldOf(instancePath);
  const subject = place === "" ? whole : `"${place}"`;
  const name = (key: string) => String((params as Record<string, unknown>)[key]);
  switch (keyword) {
    case "required":
      return `${subject} lacks "${name("missingProperty")}".`;
    case "additionalProperties":
      return `${subject} has "${name("additionalProperty").slice(0, 60)}", which is not known there.`;
    case "not":
    case "false schema":
      return `${subject} is not known there.`;
    case "type":
      return `${subject} is to be ${typeWords(params["type"] as string | string[])}.`;
    case "enum":
      return `${subject} is to be one of ${(params["allowedValues"] as unknown[]).map(String).join(", ")}.`;
    case "const":
      return `${subject} is to be ${String(params["allowedValue"])}.`;
    case "minimum":
      return `${subject} is to be at least ${name("limit")}.`;
    case "anyOf":
      return `${subject} has none of the forms that are accepted there.`;
    default:
      return `${subject} ${message ?? "cannot be used"}.`;
  }
}

const typeNames: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  integer: "a whole number",
  boolean: "true or false",
  object: "an object",
  array: "a list",
  null: "null",
};

function typeWords(types: string | readonly string[]): string {
  const list = typeof types === "string" ? types.split(",") : types;
  return list.map((type) => typeNames[type] ?? type).join(" or ");
}

/** "/drafts/0/values" -> "drafts[0].values" */
function fieldOf(pointer: string): string {
  const parts = pointer.split("/").slice(1);
  return parts
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~").slice(0, 60))
    .map((part, index) => (/^\d+$/.test(part) ? `[${part}]` : `${index === 0 ? "" : "."}${part}`))
    .join("");
}
