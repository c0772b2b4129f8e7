// What is said to somebody who sent a file instead of naming its path: a picture is kept, a video tells its settings. The
// server and the shell's app:// protocol share it.
import type { UploadReply } from "../../contract/channels.ts";
import { RushesError } from "../../contract/errors.ts";
import type { Door } from "./door.ts";
import type { Handlers } from "./handlers.ts";
import type { Uploads } from "./uploads.ts";

export interface UploadParts {
  readonly uploads: Uploads;
  readonly handlers: Partial<Handlers>;
  readonly door: Door;
}

/** Takes the request's body as a file. `restoring`: it is read and not kept, whatever it is. Rejects with a RushesError. */
export async function answerUpload(
  request: Request,
  restoring: boolean,
  { uploads, handlers, door }: UploadParts,
): Promise<UploadReply> {
  const file = await uploads.receive(request);
  if (!file.isVideo && !restoring) return { uploadId: file.id };
  try {
    const restore = handlers["studio:restoreVideo"];
    if (!restore) throw new RushesError("capability.missing");
    const restored = await restore({ path: file.path }, { ...door, allowedPath: (path) => Promise.resolve(path) });
    return { ...restored, fileName: fileNameOf(request) ?? restored.fileName };
  } finally {
    await uploads.forget(file);
  }
}

/** The name a sender gives its file, for showing only. */
function fileNameOf({ headers }: Request): string | null {
  try {
    return decodeURIComponent(headers.get("x-file-name") ?? "").slice(0, 255) || null;
  } catch {
    return null;
  }
}
