// A window's session as far as it can be used: values that the catalogue does not know or accept are dropped, the rest is
// kept. Where it is stored lives in app/history.
import type { Session, SessionChange } from "../../contract/channels/studio.ts";
import { RushesError } from "../../contract/errors.ts";
import { checkSetting, isSettingId, type Settings } from "../../contract/settings/derive.ts";
import { isRecord } from "./config-file.ts";

/** Characters of JSON; what a window wants to find again is far shorter. */
const longestSession = 1_000_000;
const longestPresetId = 300;

/** Any value as a session. A prompt that is being written may still be empty or too long. */
export function soundSession(value: unknown): Session {
  const session = isRecord(value) ? value : {};
  const values = isRecord(session["values"]) ? session["values"] : {};
  const { presetId } = session;
  return {
    ...session,
    values: soundValues(values),
    presetId: typeof presetId === "string" && presetId.length <= longestPresetId ? presetId : null,
    views: isRecord(session["views"]) ? session["views"] : {},
  };
}

/** The session to keep: a window's change over what is kept. Throws request.invalid when it is far too large. */
export function sessionToKeep(kept: Session, change: SessionChange): Session {
  const views = isRecord(change.views) ? change.views : {};
  const sound = soundSession({ ...kept, ...change, views: { ...kept.views, ...views } });
  if (JSON.stringify(sound).length > longestSession)
    throw new RushesError("request.invalid", {
      sentence: "The session is too large to be kept.",
      advice: "Keep less than a million characters.",
    });
  return sound;
}

function soundValues(values: Record<string, unknown>): Partial<Settings> {
  const sound = Object.entries(values).filter(
    ([id, value]) =>
      isSettingId(id) &&
      (checkSetting(id, value) === null || (id === "prompt" && typeof value === "string" && !value.includes("\0"))),
  );
  return Object.fromEntries(sound) as Partial<Settings>;
}
