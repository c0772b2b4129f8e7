// Chinese label, help and choices of every setting of the catalogue, by setting id.
import type { SettingId } from "../../../contract/settings/derive.ts";
import type { SettingWords } from "../text.svelte.ts";

const none = {};
const autoOffOn = { auto: "自动", off: "关", on: "开" };

export const settings: Readonly<Record<SettingId, SettingWords>> = {
  prompt: { label: "提示词", help: "视频的内容，用英文或中文描述。", choices: none },
  mode: {
    label: "模式",
    help: "仅由一句话生成，或由一句话加一张图片生成。放入图片会切换到图生视频。",
    choices: { t2v: "文生视频", i2v: "图生视频" },
  },
  image: { label: "图片", help: "视频开头的图片文件。", choices: none },
  model: { label: "模型", help: "模型名称；auto 会选用已安装且适合本机的最佳模型。", choices: none },
  resolution: {
    label: "分辨率",
    help: "480p 或 720p，或以 16 的倍数写成 宽x高。",
    choices: { "480p": "480p", "720p": "720p" },
  },
  aspectRatio: {
    label: "画幅",
    help: "宽高比，用于 480p、720p 和模型自有的尺寸。",
    choices: { "16:9": "16:9", "4:3": "4:3", "1:1": "1:1", "3:4": "3:4", "9:16": "9:16" },
  },
  width: { label: "宽度", help: "视频的宽度；优先于分辨率。", choices: none },
  height: { label: "高度", help: "视频的高度；优先于分辨率。", choices: none },
  adaptiveResolution: { label: "匹配图片形状", help: "保持分辨率的面积，采用图片的形状。", choices: none },
  imageFit: {
    label: "图片适配",
    help: "形状不同的图片如何填入画面。",
    choices: { fit: "完整显示", fill: "填满", stretch: "拉伸" },
  },
  numFrames: { label: "帧数", help: "视频长度：4n+1 帧，每秒 16 帧。", choices: none },
  numSteps: { label: "步数", help: "采样步数：蒸馏模型为 1 到 4。", choices: none },
  seed: { label: "种子", help: "噪声的起点；相同的种子和设置得到相同的视频。", choices: none },
  numSamples: { label: "数量", help: "生成多少个视频，种子依次为 种子、种子+1……", choices: none },
  quantLinear: {
    label: "线性层量化",
    help: "线性层的权重格式；自动会从检查点和内存计划判断。",
    choices: { auto: "自动", off: "关", int8: "Int8" },
  },
  attentionType: {
    label: "注意力",
    help: "自注意力；检查点含 SLA 权重时，自动为 sagesla，否则为 original。",
    choices: { auto: "自动", original: "原始", sla: "SLA", sagesla: "SageSLA" },
  },
  slaTopk: { label: "SLA Top-K", help: "得到精确注意力的键块比例；追求质量时推荐 0.15。", choices: none },
  sigmaMax: { label: "最大 Sigma", help: "第一步的噪声水平；越高则多样性越低，画面可能更好。", choices: none },
  ode: { label: "ODE 采样", help: "比默认的 SDE 采样更锐利，但不如它稳健。", choices: none },
  boundary: { label: "专家分界", help: "低噪声专家接手时的噪声水平。", choices: none },
  defaultNorm: { label: "原始归一化", help: "在 Wan 原始代码舍入的位置舍入归一化结果。", choices: none },
  textEncoderFormat: {
    label: "文本编码器",
    help: "文本编码器的权重格式，与变换器分开设置。",
    choices: { auto: "自动", "16-bit": "16 位", int8: "Int8" },
  },
  loras: {
    label: "LoRA",
    help: "为模型增添风格的文件，可用媒体库 loras 文件夹中的名称或路径，各有强度（-2 到 2）和所属专家。",
    choices: none,
  },
  negativePrompt: { label: "负面提示词", help: "视频中不应出现的内容。", choices: none },
  guidanceScale: { label: "引导强度", help: "视频遵循提示词的程度。", choices: none },
  flowShift: { label: "流偏移", help: "将各噪声水平移向高噪声一端。", choices: none },
  scheduler: {
    label: "调度器",
    help: "基础模型从噪声走到视频的方式。",
    choices: { unipc: "UniPC", euler: "Euler" },
  },
  device: {
    label: "设备",
    help: "模型运行的位置：本机处理器，或 NVIDIA 显卡；参考实现缓慢而精确。",
    choices: { auto: "自动", cpu: "CPU", cuda: "GPU(CUDA)", reference: "参考实现" },
  },
  precision: {
    label: "精度",
    help: "计算所用的数值类型；CPU 支持时自动选用 bf16。",
    choices: { auto: "自动", fp32: "fp32", bf16: "bf16" },
  },
  threads: { label: "线程", help: "CPU 线程数；0 表示使用全部核心。", choices: none },
  memoryBudget: { label: "内存预算", help: "运行可占用的内存；0 表示使用空闲内存。", choices: none },
  offload: { label: "卸载权重", help: "将权重留在主内存，按需传到 GPU。", choices: autoOffOn },
  vaeTiling: { label: "VAE 分块", help: "分块解码以节省内存；自动由内存计划决定。", choices: autoOffOn },
  fps: { label: "帧率", help: "文件每秒的帧数；模型的运动按每秒 16 帧。", choices: none },
  codec: { label: "编码", help: "文件的格式。", choices: { h264: "H.264 MP4" } },
  quality: { label: "画质", help: "文件的画面质量；越高文件越大。", choices: none },
};
