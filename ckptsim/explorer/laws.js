// The laws of how long a slot lasts, as ckptsim/lifetimes.py has them; times in seconds.
//
//   survival(t)      P(X > t) for t >= 0, and survivalLeft = P(X >= t), which is more at an atom
//   limitedMean(t)   E[min(X, t)], the integral of the survival from 0 to t
//   quantile(u)      the smallest t with survival(t) < 1 - u
//   kinks            times at which the law has an atom or an end

import { betaLower, gammaFunction, gammaLower, gammaUpper, normalBelow } from "./special.js";

const BISECTIONS = 200; // at most: it stops where two floats are neighbours

/** The law that a name and its parameters mean. */
export function lawOf({ law, ...parameters }) {
  return { kinks: [], ...LAWS[law](parameters) };
}

const LAWS = {
  none: () => ({
    survival: () => 1,
    survivalLeft: () => 1,
    limitedMean: (t) => t,
    quantile: () => Infinity,
    mean: Infinity,
  }),

  constant: ({ value }) => ({
    survival: (t) => (t < value ? 1 : 0),
    survivalLeft: (t) => (t <= value ? 1 : 0),
    limitedMean: (t) => Math.min(t, value),
    quantile: () => value,
    mean: value,
    kinks: [value],
  }),

  exponential: ({ mean }) =>
    smooth({
      survival: (t) => Math.exp(-t / mean),
      limitedMean: (t) => -mean * Math.expm1(-t / mean),
      quantile: (u) => -mean * Math.log1p(-u),
      mean,
    }),

  weibull({ shape, scale, mean = scale * gammaFunction(1 + 1 / shape) }) {
    scale ??= mean / gammaFunction(1 + 1 / shape);
    return smooth({
      survival: (t) => Math.exp(-((t / scale) ** shape)),
      limitedMean: (t) => mean * gammaLower(1 / shape, (t / scale) ** shape),
      quantile: (u) => scale * (-Math.log1p(-u)) ** (1 / shape),
      mean,
    });
  },

  lognormal({ median, sigma }) {
    const mean = median * Math.exp(sigma ** 2 / 2);
    const survival = (t) => normalBelow(-Math.log(t / median) / sigma);
    const limitedMean = (t) => {
      if (t <= 0 || t === Infinity) return t <= 0 ? 0 : mean;
      return mean * normalBelow(Math.log(t / median) / sigma - sigma) + t * survival(t);
    };
    return smooth({ survival, limitedMean, quantile: bisected(survival, median), mean });
  },

  loglogistic({ median, shape }) {
    const angle = Math.PI / shape;
    const mean = (median * angle) / Math.sin(angle);
    const limitedMean = (t) => {
      if (t === Infinity) return mean;
      const odds = (t / median) ** shape;
      const share = odds < Infinity ? odds / (1 + odds) : 1;
      return mean * betaLower(1 + 1 / shape, 1 - 1 / shape, share) + t / (1 + odds);
    };
    return smooth({
      survival: (t) => 1 / (1 + (t / median) ** shape),
      limitedMean,
      quantile: (u) => median * (u / (1 - u)) ** (1 / shape),
      mean,
    });
  },

  gamma({ mean, cv }) {
    const shape = cv ** -2;
    const scale = mean * cv ** 2;
    const survival = (t) => gammaUpper(shape, t / scale);
    const limitedMean = (t) => {
      if (t === Infinity) return mean;
      return mean * gammaLower(shape + 1, t / scale) + t * survival(t);
    };
    return smooth({ survival, limitedMean, quantile: bisected(survival, mean), mean });
  },

  hyperexponential({ p, mean1, mean2 }) {
    const [first, second] = [mean1, mean2].map((mean) => LAWS.exponential({ mean }));
    const both = (name) => (t) => p * first[name](t) + (1 - p) * second[name](t);
    const mean = p * mean1 + (1 - p) * mean2;
    const survival = both("survival");
    const quantile = bisected(survival, mean);
    return smooth({ survival, limitedMean: both("limitedMean"), quantile, mean });
  },

  uniform({ low, high }) {
    const survival = (t) => (high - Math.min(Math.max(t, low), high)) / (high - low);
    const limitedMean = (t) => {
      const x = Math.min(t, high);
      return x - Math.max(0, x - low) ** 2 / (2 * (high - low));
    };
    const quantile = (u) => low + (high - low) * u;
    return { ...smooth({ survival, limitedMean, quantile, mean: (low + high) / 2 }), kinks: [low, high] };
  },

  triangular({ low, mode, high }) {
    const [width, rising, falling] = [high - low, mode - low, high - mode];
    const mean = (low + mode + high) / 3;
    const survival = (t) => {
      if (t <= low || t >= high) return t <= low ? 1 : 0;
      if (t < mode) return 1 - (t - low) ** 2 / (width * rising);
      return (high - t) ** 2 / (width * falling);
    };
    const limitedMean = (t) => {
      const x = Math.min(t, high);
      if (x <= low) return x;
      if (x < mode) return x - (x - low) ** 3 / (3 * width * rising);
      return mean - (falling ? (high - x) ** 3 / (3 * width * falling) : 0);
    };
    const below = (u) => low + Math.sqrt(u * width * rising);
    const above = (u) => high - Math.sqrt((1 - u) * width * falling);
    const quantile = (u) => (u * width < rising ? below(u) : above(u));
    return { ...smooth({ survival, limitedMean, quantile, mean }), kinks: [low, mode, high] };
  },

  // Early losses, a quiet middle, a deadline about b (Kadupitiya, Jadhao, Sharma, HPDC 2020).
  bathtub({ a, tau1, tau2, b }) {
    const left = (t) => 1 - a * (-Math.expm1(-t / tau1) + Math.exp((t - b) / tau2));
    const highest = firstWhere((t) => left(t) <= 0, b - tau2 * Math.log(a) + tau2);
    const survival = (t) => (t >= highest ? 0 : Math.min(Math.max(left(t), 0), 1));
    const limitedMean = (t) => {
      const x = Math.min(t, highest);
      const early = -tau1 * Math.expm1(-x / tau1);
      const late = tau2 * (Math.exp((x - b) / tau2) - Math.exp(-b / tau2));
      return (1 - a) * x + a * (early - late);
    };
    const law = smooth({
      survival,
      limitedMean,
      quantile: (u) => firstWhere((t) => survival(t) < 1 - u, highest),
      mean: limitedMean(Infinity),
    });
    return { ...law, kinks: [0, highest], survivalLeft: (t) => (t <= 0 ? 1 : survival(t)) };
  },
};

/** The names of the laws. */
export const LAW_NAMES = Object.keys(LAWS);

/** A law without atoms. */
function smooth(law) {
  return { ...law, survivalLeft: law.survival };
}

/** The quantile of a law with no closed one; `about` is a time of the right order. */
function bisected(survival, about) {
  return (u) => {
    let high = about;
    while (survival(high) >= 1 - u) high *= 2;
    return firstWhere((t) => survival(t) < 1 - u, high);
  };
}

/** The first time up to `high` at which a condition holds that goes on holding. */
function firstWhere(holds, high) {
  let low = 0;
  for (let n = 0; n < BISECTIONS; n++) {
    // Far from 0 halving the ratio is as fast as halving the difference, and near it much faster.
    const middle = low > 0 && high > 4 * low ? Math.sqrt(low * high) : (low + high) / 2;
    if (middle <= low || middle >= high) break;
    if (holds(middle)) high = middle;
    else low = middle;
  }
  return high;
}
