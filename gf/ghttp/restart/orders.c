#include "orders.h"

#include <limits.h>
#include <pthread.h>
#include <string.h>

#include <gf/glog/glog.h>
#include <gf/gproc/gproc.h>

#include "graceful.h"

#define GROUP "ghttp"
/* "restart ", and the longest path with its end. */
#define ORDER_MAX (8 + PATH_MAX)

/* It does not wait for the outcome: a shutdown may be next in the queue. */
static void restart(const char *path, pid_t sender)
{
    const char *why = gf_graceful_ask(path);

    if (why)
        glog_info("restart asked for by process %d: this process is %s already", (int)sender, why);
}

static void obey(const char *order, pid_t sender)
{
    if (!strcmp(order, "shutdown"))
        gf_graceful_shutdown();
    else if (!strcmp(order, "restart"))
        restart("", sender);
    else if (!strncmp(order, "restart ", 8))
        restart(order + 8, sender);
    else
        glog_warning("process %d asks for \"%.64s\"; \"restart\", \"restart PATH\" and \"shutdown\" are understood",
                     (int)sender, order);
}

static void hear(const gproc_message *message)
{
    char order[ORDER_MAX];
    size_t size;
    const char *data = gproc_message_data(message, &size);

    if (size >= sizeof(order) || memchr(data, 0, size)) {
        glog_warning("process %d sent an order that is none", (int)gproc_message_sender(message));
        return;
    }
    memcpy(order, data, size);
    order[size] = 0;
    obey(order, gproc_message_sender(message));
}

static void *orders_main(void *arg)
{
    gproc_message *message;

    (void)arg;
    while ((message = gproc_receive(GROUP, -1))) {
        hear(message);
        gproc_message_free(message);
    }
    return NULL;
}

int gf_orders_start(void)
{
    pthread_t thread;
    int result = gproc_listen();

    if (!result)
        result = -pthread_create(&thread, NULL, orders_main, NULL);
    if (!result)
        pthread_detach(thread);
    return result;
}
