// What `import ... from "rushes"` gives: a model to open, videos that come out of it, and the types they speak.
export { open, type OpenOptions } from "./open.ts";
export type { GenerateAllOptions, GenerateOptions, Model, Outcome, PromptRequest } from "./model.ts";
export type { Video } from "./video.ts";
export { RushesError, type ErrorCode } from "../../contract/errors.ts";
export type { JobProgress, JobStage, JobStageRecord } from "../../contract/job.ts";
export type { Settings, SettingId } from "../../contract/settings/derive.ts";
export type { ModelFileChoice } from "../settings/sources.ts";
