// The description of the interface for scripts: OpenAPI 3.1, made from the schemas that requests are checked against.
import { channelNames, channelSchemas, schemaDefinitions } from "../channels/schemas.ts";
import { errorStatuses } from "./http-status.ts";

const errorReference = { $ref: "#/components/responses/Refused" };
const jsonOf = (schema: unknown) => ({ "application/json": { schema } });
const ranges = {
  "200": { description: "The file." },
  "206": { description: "The range that was asked for." },
  "304": { description: "What If-None-Match names is still right." },
  "404": { description: "There is no such file." },
  "416": { description: "The file is shorter." },
};

/** The whole description, as JSON text. `address`: where this server is reached. */
export function openapi(version: string, address: string): string {
  const description = {
    openapi: "3.1.0",
    info: {
      title: "Rushes",
      version,
      license: { name: "MIT", identifier: "MIT" },
      description:
        "Everything the window of Rushes can do, for scripts. Every request needs the token that was printed when the " +
        "server started: `Authorization: Bearer TOKEN`. docs/API.md has a script that makes a video.",
    },
    servers: [{ url: address }],
    security: [{ token: [] }, { cookie: [] }],
    tags: [...new Set(channelNames.map(subjectOf))].map((name) => ({ name })),
    paths: { ...channelPaths(), ...otherPaths() },
    components: {
      securitySchemes: {
        token: { type: "http", scheme: "bearer", description: "For scripts." },
        cookie: { type: "apiKey", in: "cookie", name: "rushes-PORT", description: "For browsers, set by the link." },
      },
      responses: {
        Refused: { description: "Why not, in one sentence, and what to do.", content: jsonOf(refusedSchema) },
      },
      schemas: schemaDefinitions,
    },
  };
  return JSON.stringify(description).replaceAll('"#/definitions/', '"#/components/schemas/');
}

const refusedSchema = {
  type: "object",
  properties: { error: { $ref: "#/components/schemas/ErrorRecord" } },
  required: ["error"],
  additionalProperties: false,
};

function channelPaths(): Record<string, unknown> {
  const paths = channelNames.map((name) => {
    const { summary, request, reply } = channelSchemas[name];
    const [first = "", ...rest] = summary.split(/(?<=\.)\s+/);
    const operation = {
      operationId: name.replace(":", "_"),
      tags: [subjectOf(name)],
      summary: first,
      ...(rest.length > 0 ? { description: summary } : {}),
      requestBody: { required: true, content: jsonOf(request) },
      responses: { "200": { description: "Done.", content: jsonOf(reply) }, ...refusals() },
    };
    return [`/api/${name.replace(":", "/")}`, { post: operation }];
  });
  return Object.fromEntries(paths) as Record<string, unknown>;
}

function refusals(): Record<string, unknown> {
  return Object.fromEntries(errorStatuses.map((status) => [String(status), errorReference]));
}

function otherPaths(): Record<string, unknown> {
  const id = (name: string, schema: unknown) => [{ name, in: "path", required: true, schema }];
  const job = id("jobId", { type: "integer", minimum: 1 });
  const text = id("id", { type: "string" });
  const media = (summary: string, parameters: unknown, type: string) => ({
    get: {
      tags: ["media"],
      summary,
      parameters,
      responses: { ...ranges, "200": { ...ranges["200"], content: { [type]: {} } } },
    },
  });
  const path = { name: "path", in: "query", required: true, schema: { type: "string" } };
  const step = { name: "step", in: "query", schema: { type: "integer" } };
  return {
    "/api/studio/upload": {
      post: {
        operationId: "studio_upload",
        tags: ["studio"],
        summary: "Sends a picture for a draft, or a video made by Rushes to read its settings.",
        requestBody: { required: true, content: { "application/octet-stream": {} } },
        responses: {
          "200": { description: "Done.", content: jsonOf({ $ref: "#/components/schemas/UploadReply" }) },
          ...refusals(),
        },
      },
    },
    "/api/studio/restore": {
      post: {
        operationId: "studio_restore",
        tags: ["studio"],
        summary: "Sends a video or picture made by Rushes to read its settings; it is not kept.",
        requestBody: { required: true, content: { "application/octet-stream": {} } },
        responses: {
          "200": { description: "Done.", content: jsonOf({ $ref: "#/components/schemas/RestoredVideo" }) },
          ...refusals(),
        },
      },
    },
    "/api/events": {
      get: {
        operationId: "events",
        tags: ["events"],
        summary: "What the studio says by itself, as server-sent events; each `data` is a StudioEvent.",
        description:
          "With Last-Event-ID (or `after`) the stream continues without a gap, or begins with an event `resync` when too " +
          "much was missed.",
        parameters: [
          { name: "Last-Event-ID", in: "header", schema: { type: "string" } },
          { name: "after", in: "query", schema: { type: "string" } },
        ],
        responses: {
          "200": {
            description: "An endless stream.",
            content: { "text/event-stream": { schema: { $ref: "#/components/schemas/StudioEvent" } } },
          },
          "503": { description: "Too many listeners." },
        },
      },
    },
    "/api/openapi.json": {
      get: { tags: ["studio"], summary: "This description.", responses: { "200": { description: "OpenAPI 3.1." } } },
    },
    "/media/video/{jobId}": media("The finished video; answers byte ranges.", job, "video/mp4"),
    "/media/poster/{jobId}": media("The first good frame.", job, "image/png"),
    "/media/preview/{jobId}": media("The latest preview of a running job.", [...job, step], "image/png"),
    "/media/input/{jobId}": media("The job's input picture.", job, "image/*"),
    "/media/upload/{id}": media("A picture that was uploaded.", text, "image/*"),
    "/media/picture": {
      get: {
        tags: ["media"],
        summary: "A picture by its path, inside the roots.",
        parameters: [path],
        responses: { "200": { description: "The picture.", content: { "image/*": {} } }, ...refusals() },
      },
    },
    "/media/export/{id}": media("A finished export, as a download.", text, "application/octet-stream"),
  };
}

function subjectOf(name: string): string {
  return name.split(":")[0] ?? name;
}
