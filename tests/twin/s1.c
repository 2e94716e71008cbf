/* S1 in C, as one would write it by hand: one job, lease after lease, and no event list.
 *
 *     s1 SEED FIRST COUNT    runs so many replications, from number FIRST on
 *
 * The draws are those of ckptsim/draws.py, so the totals are those of its drivers, to the
 * nanosecond. For that, log1p has to be the C library's and nothing may be contracted:
 *
 *     gcc -O3 -std=c11 -ffp-contract=off -o s1 s1.c -lm
 */
#include <inttypes.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef uint64_t word;
typedef unsigned __int128 two_words;

#define SECOND INT64_C(1000000000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)

static const int64_t WORK = 24 * HOUR, INTERVAL = 84 * MINUTE, WRITE = 5 * MINUTE;
static const int64_t START = 2 * MINUTE; /* of every lease */
static const int64_t LIMIT = 6 * HOUR;
static const double EVICTIONS = 8 * 3600, GAP = 10 * 60; /* means, in seconds */

enum { OF_EVICTION = 0, OF_GAP = 3 }; /* draws.py: Purpose */

/* Where the time went, and how often; sums of more than 80,000 jobs wrap round. */
struct ledger {
    word makespan, useful, lost_limit, lost_eviction, write, cold_start, restart_lease;
    word leases, checkpoints;
};

/* A stream of draws: the words of its current block, and how many have been used in all. */
struct stream {
    word seed, replication, purpose, used, words[4];
};

/* Philox4x64-10: the block that the stream goes on with. */
static void refill(struct stream *s) {
    word a = s->used / 4 + 1, b = 0, c = s->replication, d = s->purpose;
    word key_0 = s->seed, key_1 = 0;
    for (int round = 0; round < 10; round++) {
        two_words from_a = (two_words)UINT64_C(0xD2E7470EE14C6C93) * a;
        two_words from_c = (two_words)UINT64_C(0xCA5A826395121157) * c;
        a = (word)(from_c >> 64) ^ b ^ key_0;
        b = (word)from_c;
        c = (word)(from_a >> 64) ^ d ^ key_1;
        d = (word)from_a;
        key_0 += UINT64_C(0x9E3779B97F4A7C15);
        key_1 += UINT64_C(0xBB67AE8584CAA73B);
    }
    s->words[0] = a, s->words[1] = b, s->words[2] = c, s->words[3] = d;
}

/* The next time of an exponential law, in nanoseconds. */
static int64_t next_time(struct stream *s, double mean) {
    if (s->used % 4 == 0)
        refill(s);
    double u = (double)(s->words[s->used++ % 4] >> 11) * 0x1p-53;
    return llrint(-mean * log1p(-u) * 1e9);
}

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* One lease: the work that is saved at its end. `now` moves on to that. */
static int64_t lease(int64_t saved, int64_t eviction, int64_t *now, struct ledger *books) {
    int64_t left = least(LIMIT, eviction), block = 0;
    word *lost = LIMIT <= eviction ? &books->lost_limit : &books->lost_eviction;
    word *starting = saved > 0 ? &books->restart_lease : &books->cold_start;
    int64_t spent = least(START, left);
    *now += left;
    *starting += spent;
    left -= spent;
    while (left > 0) {
        block = least(INTERVAL, WORK - saved);
        if (block > left) {
            *lost += left;
            return saved;
        }
        left -= block;
        if (saved + block == WORK) {
            books->useful += block;
            *now -= left;
            return WORK;
        }
        if (WRITE > left) {
            books->write += left;
            *lost += block;
            return saved;
        }
        left -= WRITE;
        books->write += WRITE;
        books->useful += block;
        books->checkpoints++;
        saved += block;
    }
    return saved;
}

/* One job, from its submission to its end. */
static void live(word seed, word replication, struct ledger *books) {
    struct stream evictions = {seed, replication, OF_EVICTION, 0, {0}};
    struct stream gaps = {seed, replication, OF_GAP, 0, {0}};
    int64_t now = 0, saved = 0;
    while (saved < WORK) {
        now += next_time(&gaps, GAP);
        saved = lease(saved, next_time(&evictions, EVICTIONS), &now, books);
        books->leases++;
    }
    books->makespan += now;
}

int main(int count, char **words) {
    if (count != 4) {
        fprintf(stderr, "usage: s1 SEED FIRST COUNT\n");
        return 2;
    }
    word seed = strtoull(words[1], 0, 10), first = strtoull(words[2], 0, 10);
    word jobs = strtoull(words[3], 0, 10);
    struct ledger books = {0};
    clock_t start = clock();
    for (word replication = first; replication < first + jobs; replication++)
        live(seed, replication, &books);
    double took = (double)(clock() - start) / CLOCKS_PER_SEC;
    const struct { const char *name; word value; } told[] = {
        {"makespan", books.makespan}, {"useful", books.useful},
        {"lost_limit", books.lost_limit}, {"lost_eviction", books.lost_eviction},
        {"write", books.write}, {"cold_start", books.cold_start},
        {"restart_lease", books.restart_lease}, {"leases", books.leases},
        {"checkpoints", books.checkpoints},
    };
    for (size_t n = 0; n < sizeof told / sizeof *told; n++)
        printf("%s %" PRIu64 "\n", told[n].name, told[n].value);
    printf("jobs_per_s %.0f\n", took > 0 ? (double)jobs / took : INFINITY);
}
