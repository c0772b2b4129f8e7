// English words of the history view.
export const history = {
  title: "History",
};
