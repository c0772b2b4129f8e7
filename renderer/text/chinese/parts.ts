// Chinese words inside the reusable parts.
import type { parts as english } from "../english/parts.ts";

export const parts: typeof english = {
  close: "关闭",
  cancel: "取消",
  ok: "确定",
  undo: "撤销",
  retry: "重试",
  copy: "复制",
  copied: "已复制",
  clear: "清除",
  search: "搜索",
  more: "更多",
  dismiss: "忽略",
  details: "技术细节",
  notifications: "通知",
  decrease: (label) => `减小${label}`,
  increase: (label) => `增大${label}`,
  exactValue: (label) => `${label}的精确值`,
  copyLabel: (label) => `复制${label}`,
  stageState: { waiting: "未开始", running: "进行中", done: "已完成" },
  loading: "正在加载…",
  then: "然后",
  said: {
    warnings: (count) => `有 ${count} 条提示。`,
    notes: "有些内容未能采用。",
    model: "此模型目前无法使用。",
    preset: "此预设目前无法在这里运行。",
    file: "关于此文件的说明",
    job: "此任务失败了。",
    prompts: "有些行无法使用。",
  },
};
