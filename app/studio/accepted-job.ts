// From a checked request to the job that is committed: its samples, where its extra copies go.
import { randomUUID } from "node:crypto";
import type { AcceptedJob } from "../history/writes/jobs.ts";
import { checkFileName, checkSavePath, copyTarget } from "../jobs/save-path.ts";
import { withSuffix } from "../media/whole-file.ts";
import { type PlannedRequest, samplesOf } from "./accept.ts";

export interface WantedVideo {
  checked: PlannedRequest;
  /** Where an extra copy goes, as it was given. */
  savePath: string | undefined;
}

/** Jobs of several requests, one for each sample; `expected` gives the seconds one is expected to take here. Throws
 * settings.invalid or file.unwritable. */
export async function acceptedJobs(
  requests: readonly WantedVideo[],
  expected: (checked: PlannedRequest) => number,
): Promise<AcceptedJob[]> {
  const targets: (string | null)[] = [];
  for (const { savePath } of requests) targets.push(savePath === undefined ? null : await checkSavePath(savePath));
  const accepted: AcceptedJob[] = [];
  for (const [index, { checked }] of requests.entries()) {
    const target = targets[index] ?? null;
    const samples = samplesOf(checked.settings);
    const expectedSeconds = expected(checked);
    for (const settings of samples) {
      const wanted = target && ownSavePath(target, accepted);
      accepted.push({ ...acceptedJob({ ...checked, settings }, wanted), expectedSeconds });
    }
  }
  return accepted;
}

function acceptedJob(checked: PlannedRequest, savePath: string | null): AcceptedJob {
  const { model, files, settings, ids, warnings } = checked;
  return {
    uid: randomUUID(),
    kind: "generate",
    mode: settings.mode,
    model: model.id,
    files: { ...files, tokenizer: model.files.tokenizer },
    settings,
    ids,
    warnings,
    latentsPath: null,
    savePath,
    sourceJobId: null,
  };
}

/** Several videos for one named file become name.mp4, name-2.mp4, ... */
function ownSavePath(savePath: string, others: readonly AcceptedJob[]): string {
  const { path, replace } = copyTarget(savePath, "");
  if (!replace) return savePath;
  const taken = new Set(others.map((other) => other.savePath));
  for (let count = 1; ; count++) {
    const candidate = count === 1 ? path : withSuffix(path, `-${count}`);
    if (taken.has(candidate)) continue;
    checkFileName(candidate);
    return candidate;
  }
}
