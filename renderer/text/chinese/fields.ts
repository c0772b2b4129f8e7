// Chinese words of the settings form's fields.
import type { fields as english } from "../english/fields.ts";

export const fields: typeof english = {
  reset: (label, value) => `将${label}重置为 ${value}`,
  sources: {
    default: "默认值",
    model: "模型自带的值",
    config: "来自配置文件",
    preset: "来自预设",
    form: "在此设置",
  },
  absent: (what) =>
    what === "random"
      ? "随机"
      : what === "model's own"
        ? "模型自带"
        : what === "no image"
          ? "无图片"
          : what === "from the resolution"
            ? "由分辨率决定"
            : what,
  on: "开",
  off: "关",
  auto: "自动",
  custom: "自定义",
  width: "宽",
  height: "高",
  sizeRule: "16 的倍数，最大 4096 × 2304",
  pixels: "像素",
  secondsAt: (seconds, fps) => `${seconds}（${fps} 帧/秒）`,
  random: "随机",
  fixed: "固定",
  newSeed: "抽取一个种子",
  lastSeed: "使用上次的种子",
  addLora: "添加 LoRA",
  chooseLora: "选择文件…",
  loraFacts: (rank, size) => (rank === null ? size : `秩 ${rank}，${size}`),
  loraUnusable: "无法使用",
  loraPlace: (folder) => `放入 ${folder} 的文件可按名称选择。`,
  removeLora: (file) => `移除 ${file}`,
  loraStrength: "强度",
  loraExpert: "专家",
  experts: { both: "两者", high: "高噪声", low: "低噪声" },
  noLoras: "无",
  notANumber: "请输入数字。",
  outOfRange: (min, max) => `范围 ${min} 到 ${max}。`,
};
