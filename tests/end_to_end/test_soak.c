/*
 * The short form of bench/restart_soak.c: a few restarts under every kind of client at once. No request fails, and no
 * kept connection of plain HTTP is closed.
 */
#include "tests/support/soak.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

enum {
    RESTARTS = 15,
    PAUSE_MS = 200,
};

static struct soak_result result; /* too large for a stack */

Test(soak, every_client_through_restarts, .timeout = 120)
{
    struct soak_options options = {.restarts = RESTARTS, .pause_ms = PAUSE_MS, .kinds = SOAK_ALL};
    int error = soak_run(&options, &result);

    if (error || soak_outcomes_failures(result.outcomes) || soak_outcomes_closed(result.outcomes))
        soak_outcomes_print(result.outcomes, stderr);
    cr_assert(zero(int, error));
    cr_expect(eq(int, result.restarts, RESTARTS));
    cr_expect(zero(int, result.refused), "%s", result.refusal);
    cr_expect(zero(u64, soak_outcomes_failures(result.outcomes)));
    cr_expect(zero(u64, soak_outcomes_closed(result.outcomes)));
    cr_expect(zero(int, result.lost_sight));
    cr_expect(zero(int, result.warning_count), "%s", result.warnings[0]);
    cr_expect(eq(int, result.left, 1));
    for (int i = 0; i < SOAK_KINDS; i++)
        cr_expect(gt(u64, result.outcomes[i].result.requests, 0), "%s", result.outcomes[i].name);
    /* Every connection but the first of each client, and those that met the other end of a ticket's life. */
    cr_expect(gt(u64, result.outcomes[SOAK_RESUMED_HTTPS].result.resumed,
                 result.outcomes[SOAK_RESUMED_HTTPS].result.connections * 9 / 10));
}
