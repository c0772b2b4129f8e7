// Chinese words of the keyboard shortcuts.
import type { shortcuts as english } from "../english/shortcuts.ts";

export const shortcuts: typeof english = {
  groups: { everywhere: "任何位置", generate: "生成", queue: "队列", history: "历史", player: "播放器" },
  "show-shortcuts": "显示此列表",
  "go-generate": "转到生成",
  "go-queue": "转到队列",
  "go-history": "转到历史",
  "go-compare": "转到对比",
  "go-models": "转到模型",
  "go-settings": "转到设置",
  undo: "撤销表单的上一次更改",
  generate: "生成",
  "generate-next": "排在所有等待任务之前生成",
  "cancel-job": "取消正在运行的任务",
  search: "搜索",
  find: "搜索（输入时也可用）",
  "previous-result": "较新的结果",
  "next-result": "较旧的结果",
  favourite: "标记为收藏",
  delete: "删除",
  open: "打开",
  "move-up": "上移任务",
  "move-down": "下移任务",
  play: "播放或暂停",
  "previous-frame": "后退一帧",
  "next-frame": "前进一帧",
};
