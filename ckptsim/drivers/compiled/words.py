"""The draws of draws.py, any of them at once: Philox4x64-10 for compiled code.

Salmon, Moraes, Dror, Shaw, Parallel random numbers: as easy as 1, 2, 3 (SC11): ten rounds of
multiplying two words of the counter and mixing the halves of the products with the others and the
key, which moves on by a constant each round.
"""

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
from llvmlite.ir import IntType  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

from ckptsim.chance import UNIT, nanoseconds_of, quantile, takes_no_chance
from ckptsim.drivers.compiled.jit import borrowing, compiled, config

Words = tuple[np.uint64, np.uint64, np.uint64, np.uint64]

ROUNDS = 10
FACTOR_0 = np.uint64(0xD2E7470EE14C6C93)
FACTOR_1 = np.uint64(0xCA5A826395121157)
KEY_STEP_0 = np.uint64(0x9E3779B97F4A7C15)
KEY_STEP_1 = np.uint64(0xBB67AE8584CAA73B)


def upper_half(_typing: Any, _a: Any, _b: Any) -> tuple[Any, Any]:
    """The upper 64 bits of a product of two words, for which Python has no operator."""

    def generate(_: Any, builder: Any, _signature: Any, words: Any) -> Any:
        word, wide = words[0].type, IntType(128)
        product = builder.mul(*(builder.zext(each, wide) for each in words))
        return builder.trunc(builder.lshr(product, wide(64)), word)

    return types.uint64(types.uint64, types.uint64), generate


high_word = cast("Callable[[np.uint64, np.uint64], np.uint64]", intrinsic(upper_half))


@compiled
def block_compiled(seed: int, number: int, who: int, replication: int, purpose: int) -> Words:
    key_0, key_1 = np.uint64(seed), np.uint64(0)
    a, b = np.uint64(number), np.uint64(who)
    c, d = np.uint64(replication), np.uint64(purpose)
    for _ in range(ROUNDS):
        a, b, c, d = (
            high_word(FACTOR_1, c) ^ b ^ key_0,
            FACTOR_1 * c,
            high_word(FACTOR_0, a) ^ d ^ key_1,
            FACTOR_0 * a,
        )
        key_0 += KEY_STEP_0
        key_1 += KEY_STEP_1
    return a, b, c, d


def block_of_numpy(seed: int, number: int, who: int, replication: int, purpose: int) -> Words:
    """The same without Numba's compiler; NumPy counts up before it makes a block."""
    counter = np.array([number - 1, who, replication, purpose], np.uint64)
    a, b, c, d = np.random.Philox(key=np.array([seed, 0], np.uint64), counter=counter).random_raw(4)
    return a, b, c, d


block = block_of_numpy if config.DISABLE_JIT else block_compiled
"""The four words of a block of a stream; the first block has the number 1."""


@compiled
def uniform(word: np.uint64) -> float:
    """A word as a float in [0, 1)."""
    return float(word >> np.uint64(11)) * UNIT


@borrowing
def drawn(
    codes: Sequence[float], at: int, seed: int, replication: int, who: int, purpose: int, n: int
) -> int:
    """The n-th time of a stream, in nanoseconds, from the law that begins at `at` of the codes.

    The codes are an array.
    """
    if takes_no_chance(codes, at):
        return nanoseconds_of(quantile(codes, at, 0.0))
    words = block(seed, n // 4 + 1, who, replication, purpose)
    return nanoseconds_of(quantile(codes, at, uniform(words[n % 4])))
