// What axe finds on the page, as lines to read in a failed test.
import axe from "axe-core";

/** Rule, element and what is wrong, one line each. Contrast, names, roles and order are all asked for. */
export async function axeFindings(context: Element = document.body): Promise<string[]> {
  const { violations } = await axe.run(context, {
    // A video that is not there would be waited for, ten seconds long.
    preload: false,
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    rules: {
      // A part alone on a page lies in no landmark; the window's own test asks for them.
      region: { enabled: false },
      "landmark-one-main": { enabled: false },
      "page-has-heading-one": { enabled: false },
    },
  });
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(
      ({ target, failureSummary }) => `${id}: ${target.join(" ")} ${failureSummary?.replaceAll("\n", " ") ?? ""}`,
    ),
  );
}

/** Waits until every animation has ended, so that colours are what they will stay. */
export async function settled(): Promise<void> {
  const ending = document
    .getAnimations()
    .filter((animation) => animation.effect?.getComputedTiming().endTime !== Infinity);
  await Promise.all(ending.map((animation) => animation.finished.catch(() => undefined)));
}
