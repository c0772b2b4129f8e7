// English words of the settings view.
export const settings = {
  title: "Settings",
};
