// English words of the queue view.
export const queue = {
  title: "Queue",
};
