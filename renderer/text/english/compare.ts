// English words of the compare view.
export const compare = {
  title: "Compare",
};
