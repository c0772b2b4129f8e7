// Where the system's Chromium is and how it is started; nothing is downloaded for the tests.
import { existsSync } from "node:fs";

const places = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/usr/bin/google-chrome-stable",
  "/snap/bin/chromium",
];

/** Launch options for Playwright. Without a Chromium the path is absent, and Playwright says so when it is asked to start. */
export function chromiumLaunch(): { executablePath?: string; args: string[] } {
  const executablePath = places.find((place) => existsSync(place));
  // Root, as in a container, has no sandbox of its own.
  const sandbox = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  return {
    ...(executablePath === undefined ? {} : { executablePath }),
    args: [...sandbox, "--autoplay-policy=no-user-gesture-required"],
  };
}
