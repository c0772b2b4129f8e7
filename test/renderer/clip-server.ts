// Serves /media/ to the renderer's tests: small real videos whose every frame is a grey of its own, and their posters. The
// number of the result says which: see greyOf in clips.ts. A picture is there unless its path says that it is gone.
import { execFileSync } from "node:child_process";
import { createReadStream, existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Plugin } from "vite";
import { pictureAddress } from "../../contract/channels/media.ts";
import { clipFps, clipFrames, clipHeight, clipKind, clipWidth, firstGrey, greyStep } from "./clips.ts";

const address = /^\/media\/(video|poster)\/(\d+)$/;

export function clipServer(): Plugin {
  const folder = mkdtempSync(join(tmpdir(), "rushes-clips-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  return {
    name: "clip-server",
    configureServer(server) {
      server.middlewares.use((request, response, next) => {
        const { pathname, searchParams } = new URL(request.url ?? "/", "http://localhost");
        const asked = searchParams.get("path");
        const [, what, id] = address.exec(pathname) ?? [];
        if (what === undefined && pathname !== pictureAddress) return next();
        const kind = what !== undefined ? clipKind(Number(id)) : asked?.includes("gone") ? "missing" : 1;
        if (kind === "missing") {
          response.statusCode = 404;
          return void response.end();
        }
        const path = what === "video" ? video(folder, kind) : poster(folder, kind);
        const { size } = statSync(path);
        const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") ?? [];
        const start = Number(from ?? 0);
        const end = to ? Math.min(Number(to), size - 1) : size - 1;
        response.statusCode = from === undefined ? 200 : 206;
        response.setHeader("Content-Type", what === "video" ? "video/mp4" : "image/png");
        if (what === undefined) response.setHeader("Cache-Control", "private, no-store");
        response.setHeader("Accept-Ranges", "bytes");
        response.setHeader("Content-Length", end - start + 1);
        if (from !== undefined) response.setHeader("Content-Range", `bytes ${start}-${end}/${size}`);
        createReadStream(path, { start, end }).pipe(response);
      });
    },
  };
}

function video(folder: string, kind: number): string {
  const path = join(folder, `${kind}.mp4`);
  if (existsSync(path)) return path;
  const grey = `${firstGrey(kind)}+${greyStep}*N`;
  ffmpeg(
    ["-f", "lavfi", "-i", `color=black:s=${clipWidth}x${clipHeight}:r=${clipFps}:d=${clipFrames / clipFps}`],
    ["-vf", `format=yuv420p,geq=lum='${grey}':cb=128:cr=128`, "-frames:v", String(clipFrames), "-bf", "0"],
    ["-c:v", "libx264", "-qp", "4", "-color_range", "tv", "-colorspace", "bt709", "-movflags", "+faststart", path],
  );
  return path;
}

function poster(folder: string, kind: number): string {
  const path = join(folder, `${kind}.png`);
  if (existsSync(path)) return path;
  const hue = kind * 70;
  ffmpeg(
    ["-f", "lavfi", "-i", `gradients=s=320x240:c0=0x${colour(hue)}:c1=0x101418:n=2:duration=1:x0=0:y0=0:x1=320:y1=240`],
    ["-frames:v", "1", path],
  );
  return path;
}

function colour(hue: number): string {
  return ((0xd07040 + hue * 0x0a1735) & 0xffffff).toString(16).padStart(6, "0");
}

function ffmpeg(...parts: string[][]): void {
  execFileSync("ffmpeg", ["-y", "-loglevel", "error", ...parts.flat()]);
}
