/* What a read from memory takes that has to wait for the one before, at random in so many bytes.
 *
 *     latency BYTES    prints nanoseconds of CPU time
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define LINE 64 /* bytes of the cache that come and go together */
#define READS 4000000

struct line {
    uint64_t next;
    char rest[LINE - sizeof(uint64_t)];
};

static uint64_t draw(void) { return (uint64_t)rand() << 31 ^ (uint64_t)rand(); }

/* Makes one round trip through all the lines (Sattolo's shuffle). */
static void link_up(struct line *lines, uint64_t count) {
    for (uint64_t n = 0; n < count; n++)
        lines[n].next = n;
    for (uint64_t n = count - 1; n > 0; n--) {
        uint64_t other = draw() % n, next = lines[n].next;
        lines[n].next = lines[other].next;
        lines[other].next = next;
    }
}

int main(int count, char **words) {
    uint64_t bytes = count == 2 ? strtoull(words[1], 0, 10) : 0, lines_count = bytes / LINE, at = 0;
    struct line *lines = lines_count ? malloc(lines_count * LINE) : 0;
    if (!lines)
        return 2;
    link_up(lines, lines_count);
    for (uint64_t n = 0; n < lines_count; n++)
        at = lines[at].next;
    clock_t start = clock();
    for (int n = 0; n < READS; n++)
        at = lines[at].next;
    double took = (double)(clock() - start) / CLOCKS_PER_SEC;
    printf("%.1f\n", took / READS * 1e9);
    return at >= lines_count; /* never; so the reads are not left out */
}
