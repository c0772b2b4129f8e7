// Shows the page one object, window.rushes, and nothing else of Electron. Built into preload.cjs (vite.preload.config.ts): a
// sandboxed preload is one CommonJS file.
import { contextBridge, ipcRenderer, webUtils } from "electron";
import { preloadBridge } from "./ipc/preload-bridge.ts";

contextBridge.exposeInMainWorld("rushes", preloadBridge(ipcRenderer, webUtils.getPathForFile));
