// The special functions that the laws need: the logarithm of gamma, incomplete gamma and beta, the
// normal law. Good to about 1e-13 where the page uses them (tests/test_explorer.py compares the
// answers with SciPy's).

const TINY = 1e-300; // in place of 0, in Lentz's continued fractions
const CLOSE_ENOUGH = 1e-16;
const TERMS_MOST = 10000;
const LANCZOS = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313,
  -176.61502916214059, 12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6,
  1.5056327351493116e-7,
]; // g = 7 (Godfrey 2001)
const STIRLING = [1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360]; // of 1/a, 1/a³, …

const ERF_ABOVE = [
  9.60497373987051638749, 90.0260197203842689217, 2232.00534594684319226, 7003.32514112805075473,
  55592.3013010394962768,
];
const ERF_BELOW = [
  1, 33.5617141647503099647, 521.357949780152679795, 4594.32382970980127987, 22629.0000613890934246,
  49267.3942608635921086,
];
const ERFC_NEAR = [
  [
    2.46196981473530512524e-10, 0.564189564831068821977, 7.46321056442269912687,
    48.6371970985681366614, 196.520832956077098242, 526.445194995477358631, 934.52852717195760754,
    1027.55188689515710272, 557.535335369399327526,
  ],
  [
    1, 13.2281951154744992508, 86.7072140885989742329, 354.937778887819891062,
    975.708501743205489753, 1823.90916687909736289, 2246.33760818710981792, 1656.66309194161350182,
    557.535340817727675546,
  ],
];
const ERFC_FAR = [
  [
    0.564189583547755073984, 1.27536670759978104416, 5.01905042251180477414, 6.16021097993053585195,
    7.4097426995044893916, 2.9788666537210024067,
  ],
  [
    1, 2.2605286322011727659, 9.39603524938001434673, 12.0489539808096656605, 17.0814450747565897222,
    9.60896809063285878198, 3.3690764510008151605,
  ],
];

/** log Γ(x) for x > 0. */
export function logGamma(x) {
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x);
  let sum = LANCZOS[0];
  for (let n = 1; n < LANCZOS.length; n++) sum += LANCZOS[n] / (x - 1 + n);
  const t = x + 6.5;
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(sum);
}

/** Γ(x) for x > 0. */
export function gammaFunction(x) {
  return Math.exp(logGamma(x));
}

/** x^a e^(-x) / Γ(a + 1), without the difference of large numbers where a is large. */
function gammaTerm(a, x) {
  if (a < 20) return Math.exp(a * Math.log(x) - x - logGamma(a + 1));
  const off = (x - a) / a;
  const correction = STIRLING.reduce((sum, each, n) => sum + each / a ** (2 * n + 1), 0);
  return Math.exp(a * (Math.log1p(off) - off) - correction) / Math.sqrt(2 * Math.PI * a);
}

/** The regularised incomplete gamma functions of a > 0 and x >= 0: [lower, upper]. */
function incompleteGamma(a, x) {
  if (x <= 0) return [0, 1];
  if (x === Infinity) return [1, 0];
  if (x < a + 1) {
    const lower = gammaTerm(a, x) * gammaSeries(a, x);
    return [lower, 1 - lower];
  }
  const upper = gammaTerm(a, x) * a * gammaFraction(a, x);
  return [1 - upper, upper];
}

function gammaSeries(a, x) {
  let term = 1;
  let sum = 1;
  for (let n = 1; n < TERMS_MOST && term > CLOSE_ENOUGH * sum; n++) {
    term *= x / (a + n);
    sum += term;
  }
  return sum;
}

/** The continued fraction of Γ(a, x) e^x / x^a, by Lentz's method (Numerical Recipes 6.2). */
function gammaFraction(a, x) {
  let b = x + 1 - a;
  let c = 1 / TINY;
  let d = 1 / b;
  let value = d;
  for (let n = 1; n < TERMS_MOST; n++) {
    const each = -n * (n - a);
    b += 2;
    d = 1 / (each * d + b || TINY);
    c = b + each / c || TINY;
    value *= d * c;
    if (Math.abs(d * c - 1) <= CLOSE_ENOUGH) break;
  }
  return value;
}

export function gammaLower(a, x) {
  return incompleteGamma(a, x)[0];
}

export function gammaUpper(a, x) {
  return incompleteGamma(a, x)[1];
}

/** The probability that a standard normal number is below x. */
export function normalBelow(x) {
  const z = Math.abs(x) * Math.SQRT1_2;
  const half = 0.5 * (z < 1 ? 1 - errorSmall(z) : errorComplement(z));
  return x < 0 ? half : 1 - half;
}

/** erf(z) for 0 <= z < 1 (the rational functions are those of Moshier's Cephes library). */
function errorSmall(z) {
  return (z * polynomial(ERF_ABOVE, z * z)) / polynomial(ERF_BELOW, z * z);
}

/** erfc(z) = 1 - erf(z) for z >= 1. */
function errorComplement(z) {
  const [above, below] = z < 8 ? ERFC_NEAR : ERFC_FAR;
  return (Math.exp(-z * z) * polynomial(above, z)) / polynomial(below, z);
}

function polynomial(coefficients, x) {
  return coefficients.reduce((sum, each) => sum * x + each, 0);
}

/** The regularised incomplete beta function of a, b > 0 and 0 <= x <= 1. */
export function betaLower(a, b, x) {
  if (x <= 0 || x >= 1) return x <= 0 ? 0 : 1;
  const logs = a * Math.log(x) + b * Math.log1p(-x);
  const front = Math.exp(logs + logGamma(a + b) - logGamma(a) - logGamma(b));
  const isLeft = x < (a + 1) / (a + b + 2);
  return isLeft ? (front * betaFraction(a, b, x)) / a : 1 - (front * betaFraction(b, a, 1 - x)) / b;
}

/** Its continued fraction, by Lentz's method (Numerical Recipes 6.4). */
function betaFraction(a, b, x) {
  let c = 1;
  let d = 1 / (1 - ((a + b) * x) / (a + 1) || TINY);
  let value = d;
  const step = (each) => {
    d = 1 / (1 + each * d || TINY);
    c = 1 + each / c || TINY;
    value *= d * c;
  };
  for (let n = 1; n < TERMS_MOST; n++) {
    const at = a + 2 * n;
    step((n * (b - n) * x) / ((at - 1) * at));
    step((-(a + n) * (a + b + n) * x) / (at * (at + 1)));
    if (Math.abs(d * c - 1) <= CLOSE_ENOUGH) break;
  }
  return value;
}
