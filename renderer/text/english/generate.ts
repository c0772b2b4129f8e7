// English words of the generate view.
export const generate = {
  title: "Generate",
};
