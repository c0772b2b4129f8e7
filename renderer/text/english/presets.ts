// English words of the presets.
export const presets = {
  title: "Presets",
};
