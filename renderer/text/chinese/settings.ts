// Chinese words of the settings view.
import type { settings as english } from "../english/settings.ts";

/** The names of facts, by the studio's own (app/studio/diagnostics.ts). */
export const factNames: Readonly<Record<string, string>> = {
  Node: "Node",
  Electron: "Electron",
  System: "系统",
  Engine: "引擎",
  Name: "名称",
  Cores: "核心数",
  Instructions: "指令集",
  Total: "总量",
  Free: "可用",
  Memory: "显存",
  "Compute capability": "计算能力",
  "Driver's CUDA": "驱动支持的 CUDA",
  "Not used": "未使用",
  OpenH264: "OpenH264",
  libvpx: "libvpx",
  Library: "媒体库",
  Log: "日志",
};

const factValues: Readonly<Record<string, string>> = { ready: "就绪", none: "无", "not found": "未找到" };

/** What a sentence of the studio is about; its other values are figures, names and paths. */
function aboutFact(name: string, value: string): string {
  if (value.startsWith("none: ")) return "没有可用的显卡。";
  if (value.startsWith("not built in: ")) return "未内置。";
  if (name === "Engine") return "引擎无法启动。";
  if (name === "Not used") return "Rushes 不使用这块显卡。";
  return value;
}

export const settings: typeof english = {
  title: "设置",
  appearance: "外观",
  theme: "主题",
  themes: { dark: "深色", light: "浅色", system: "跟随系统" },
  language: "语言",
  languages: { en: "English", zh: "中文", system: "跟随系统" },
  folders: "文件夹",
  library: "媒体库",
  libraryHelp: "视频、历史、预设和 models.json 都在这里。可用 --library 或 RUSHES_LIBRARY 选择其他位置。",
  show: { library: "显示媒体库", videos: "显示视频", logs: "显示日志" },
  modelFolders: "模型文件夹",
  manageModels: "模型…",
  managePresets: "预设…",
  selfTest: "自检",
  selfTestHelp: "在小型用例上运行引擎的每个内核，并与参考实现比较。",
  runSelfTest: "运行自检",
  testRunning: "正在检测…",
  testPassed: (count) => `全部 ${count} 项检测通过`,
  testFailed: (failed, count) => `${count} 项检测中有 ${failed} 项失败`,
  passed: "通过",
  failed: "失败",
  operation: "运算",
  kernel: "内核",
  instructionSet: "指令集",
  case: "用例",
  error: "误差",
  tolerance: "允许",
  result: "结果",
  ofOperation: (passed, count) => `${count} 项中 ${passed} 项通过`,
  machine: "本机",
  groups: { program: "程序", cpu: "处理器", memory: "内存", gpu: "显卡", libraries: "库", folders: "文件夹" },
  factName: (name) => factNames[name] ?? name,
  factValue: (name, value) => factValues[value] ?? aboutFact(name, value),
  good: "正常",
  bad: "有问题",
  log: "日志",
  logLines: "日志内容",
  logHelp: "工作室日志的最后几行。",
  emptyLog: "尚无内容。",
  refresh: "重新读取",
  copyDiagnostics: "复制诊断信息",
  diagnosticsCopied: "已复制诊断信息",
  version: (version) => `Rushes ${version}`,
};
