// The picture a draft names by its path, as the answer to pictureUrl of contract/channels/media.ts: the one address that holds
// a path, so that the door is asked as for every path a client names. The server and the shell's app:// protocol share it.
import { readPictureFile } from "../media/input-picture.ts";
import { pictureTypes } from "../media/picture-type.ts";
import type { Door } from "./door.ts";
import { bytesResponse } from "./file-response.ts";

/** Answers GET and HEAD. The kind is told by the bytes that are sent, and none are kept: the file may change under its name.
 * Throws path.refused, and file.unreadable for whatever is no picture. */
export async function pictureResponse(request: Request, door: Pick<Door, "allowedPath">): Promise<Response> {
  const path = await door.allowedPath(new URL(request.url).searchParams.get("path") ?? "");
  const { bytes, ending } = await readPictureFile(path);
  return bytesResponse(request, bytes, pictureTypes[ending], "private, no-store");
}
