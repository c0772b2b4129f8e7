// Starts the system's Chromium.
import { type Browser, chromium } from "playwright-core";
import { chromiumLaunch } from "../chromium-launch.ts";

export function startChromium(): Promise<Browser> {
  const options = chromiumLaunch();
  if (options.executablePath === undefined) throw new Error("There is no Chromium on this machine");
  return chromium.launch(options);
}
