// English words of the models view.
export const models = {
  title: "Models",
};
