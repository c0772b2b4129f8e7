// Shares of sentences whose clip shows what they say, and how far a share may fall short by chance.
import { choices, properties, type Properties } from "./world.ts";

export interface Pair {
  said: Properties;
  seen: Properties;
}

export type Shares = Record<keyof Properties, number>;

export function sharesOf(pairs: readonly Pair[]): Shares {
  return eachProperty((key) => meanOf(pairs.map(({ said, seen }) => (said[key] === seen[key] ? 1 : 0))));
}

/** The same with every clip held against every other sentence: what is left when the text has no say. */
export function shuffledShares(pairs: readonly Pair[]): Shares {
  const turns = pairs
    .slice(1)
    .map((_, turn) =>
      sharesOf(pairs.map(({ said }, index) => ({ said, seen: pairs[(index + turn + 1) % pairs.length]!.seen }))),
    );
  return eachProperty((key) => meanOf(turns.map((shares) => shares[key])));
}

/** The least share out of `count` sentences that still agrees with a published share out of `publishedCount`.
 *
 * Both are binomial samples of the same true share p, so their difference spreads with
 * sqrt(p (1 - p) (1/count + 1/publishedCount)). p is taken as (successes + 2) / (sentences + 4) (Agresti and Coull,
 * The American Statistician 52, 1998), since a published 100% has a spread too. Allowed are 2.33 spreads: a model that is
 * as good as it was falls below that in one of a hundred choices of sentences. */
export function leastShare(published: number, publishedCount: number, count: number): number {
  const p = (published * publishedCount + 2) / (publishedCount + 4);
  return published - 2.33 * Math.sqrt(p * (1 - p) * (1 / count + 1 / publishedCount));
}

/** The greatest shuffled share that is still chance: one over the choices, plus three binomial spreads. */
export function greatestByChance(property: keyof Properties, count: number): number {
  const chance = 1 / choices[property];
  return chance + 3 * Math.sqrt((chance * (1 - chance)) / count);
}

function eachProperty(share: (property: keyof Properties) => number): Shares {
  return Object.fromEntries(properties.map((key) => [key, share(key)])) as Shares;
}

/** The least mean of `values` that still agrees with a mean published of `publishedCount` like them: 2.33 spreads of the
 * difference below it, as in leastShare. */
export function leastMean(published: number, publishedCount: number, values: readonly number[]): number {
  const middle = meanOf(values);
  const variance = values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1);
  return published - 2.33 * Math.sqrt(variance * (1 / values.length + 1 / publishedCount));
}

export function meanOf(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0) / values.length;
}
