/*
 * A ticker: the water level of a made-up harbour, as server-sent events.
 *
 * Two things let it go on over a restart. The level is a function of the time and kept nowhere, so any process can tell
 * any tick; and each event has the number of its tick as id, which the browser sends as Last-Event-ID when it connects
 * again. It is then told what it has missed. Where ticks come from a database or a queue, the same holds for what is
 * kept there.
 */
#include "page.h"
#include "site.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MISSED_MAX 120     /* ticks that are told afterwards: what fits on the page's chart */
#define BEFORE 60          /* ticks from before that somebody new is told, so that the chart is not empty */
#define TICKS_A_STREAM 300 /* then the browser connects again; nobody holds a thread for ever */

/* ---- ticks ------------------------------------------------------------------------------------ */

static long long now_milliseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static long long current_tick(void)
{
    return now_milliseconds() / site.tick_milliseconds;
}

/* Tides of different length, in centimetres. */
static double level_at(long long tick)
{
    double t = (double)tick;

    return 250 + 120 * sin(t / 40) + 30 * sin(t / 9 + 1) + 8 * sin(t / 2.3);
}

static int send_tick(ghttp_request *r, long long tick)
{
    char id[32], data[128];

    snprintf(id, sizeof(id), "%lld", tick);
    snprintf(data, sizeof(data), "{\"tick\":%lld,\"level\":%.1f,\"process\":%d}", tick, level_at(tick), gproc_pid());
    return ghttp_response_event(r, NULL, id, data);
}

/* The first tick to tell: the one behind the last that the browser has, if there is one and it is not too long ago. */
static long long first_tick(const ghttp_request *r)
{
    const char *last = ghttp_request_header(r, "Last-Event-ID");
    long long current = current_tick(), id = last ? strtoll(last, NULL, 10) : 0;

    return id > current || id < current - MISSED_MAX ? current - BEFORE : id + 1;
}

/* Until the tick has come; in short naps, so that a restart does not wait for it. */
static void wait_for(const ghttp_request *r, long long tick)
{
    long long left;

    while ((left = tick * site.tick_milliseconds - now_milliseconds()) > 0 &&
           ghttp_server_is_serving(ghttp_request_server(r)))
        usleep((useconds_t)(left < 100 ? left : 100) * 1000);
}

/*
 * The stream. When a restart has handed the port over, it ends between two events; the browser then connects again by
 * itself, to the new process, after the time that "retry" tells it.
 */
static void stream(ghttp_request *r)
{
    long long tick = first_tick(r);

    ghttp_response_write(r, "retry: 300\n\n");
    for (int sent = 0; sent < TICKS_A_STREAM && ghttp_server_is_serving(ghttp_request_server(r)); tick++) {
        wait_for(r, tick);
        if (tick > current_tick())
            return; /* the wait was cut short */
        if (send_tick(r, tick) < 0)
            return; /* the browser has gone */
        sent++;
    }
}

static void show(ghttp_request *r)
{
    page_begin(r, "Ticker", "ticker.js");
    ghttp_response_write(
        r,
        "<p class=\"lead\">The water level of the harbour, tick by tick.</p>\n"
        "<section class=\"card ticker\" aria-label=\"Water level\">\n"
        "<p class=\"level\"><output id=\"level\">–</output> cm</p>\n"
        "<svg id=\"chart\" viewBox=\"0 0 600 160\" preserveAspectRatio=\"none\" role=\"img\" "
        "aria-label=\"The level of the last two minutes\"><polyline id=\"line\" points=\"\"></polyline></svg>\n"
        "<dl>\n<div><dt>Connection</dt><dd id=\"state\">connecting</dd></div>\n"
        "<div><dt>Told by process</dt><dd id=\"process\">–</dd></div>\n"
        "<div><dt>Ticks</dt><dd id=\"ticks\">0</dd></div>\n"
        "<div><dt>Ticks missed</dt><dd id=\"missed\">0</dd></div>\n</dl>\n</section>\n"
        "<p class=\"soft\">Restart the server on its <a href=\"/debug/admin\">admin page</a>, in another tab: another "
        "process tells the level, and no tick is missing.</p>\n"
        "<noscript><p class=\"problem\">The ticker needs JavaScript.</p></noscript>\n");
    page_end(r);
}

void ticker_bind(ghttp_server *s)
{
    ghttp_server_bind(s, "GET:/ticker", show);
    ghttp_server_bind(s, "GET:/ticker/events", stream);
}
