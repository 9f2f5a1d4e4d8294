#include "stand_in.h"

#include <cjson/cJSON.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <gf/glog/glog.h>

#include "channel.h"
#include "machine.h"

/* How often it looks, and how long the state machine may take from "ready" to the end of the hand-over: that is a few
 * milliseconds. If a machine without any time to spare needs longer, what is done here is what it is about to do. */
#define LOOK_MS 100
#define PATIENCE_MS 1000

static struct {
    pthread_t thread;
    bool begun;
    int end_fd;
    int control;
    pid_t new_pid;
    bool ceased; /* read when the thread has ended */
} stand_in;

/* The word lies in the channel: the machine has not come to read it. */
static bool has_unread_ready(void)
{
    struct cJSON *message = NULL;
    const char *type;
    bool is_ready;

    if (gf_channel_peek(stand_in.control, &message) < 0)
        return false;
    type = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(message, "type"));
    is_ready = type && !strcmp(type, "ready");
    cJSON_Delete(message);
    return is_ready;
}

static bool is_handing_over(void)
{
    enum gf_graceful_state state;

    pthread_mutex_lock(&gf_machine.lock);
    state = gf_machine.state;
    pthread_mutex_unlock(&gf_machine.lock);
    return state == GF_GRACEFUL_HANDING_OVER;
}

static void *run(void *arg)
{
    struct pollfd end = {.fd = stand_in.end_fd, .events = POLLIN};
    int64_t since_ms = 0;

    (void)arg;
    while (poll(&end, 1, LOOK_MS) <= 0) {
        if (!is_handing_over() && !has_unread_ready()) {
            since_ms = 0;
        } else if (!since_ms) {
            since_ms = gf_machine_now_ms();
        } else if (gf_machine_now_ms() - since_ms >= PATIENCE_MS) {
            gf_machine_cease_all();
            stand_in.ceased = true;
            glog_error("the thread of restarts hangs: this process accepts no more, process %d serves",
                       (int)stand_in.new_pid);
            gf_channel_say(stand_in.control, "accept");
            return NULL;
        }
    }
    return NULL;
}

/* Signals are for others. */
static bool start_thread(void)
{
    sigset_t all, before;
    int result;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    result = pthread_create(&stand_in.thread, NULL, run, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return !result;
}

void gf_stand_in_begin(int control, pid_t new_pid)
{
    stand_in.end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (stand_in.end_fd < 0)
        return;
    stand_in.control = control;
    stand_in.new_pid = new_pid;
    stand_in.ceased = false;
    stand_in.begun = start_thread();
    if (!stand_in.begun)
        close(stand_in.end_fd);
}

bool gf_stand_in_end(void)
{
    uint64_t one = 1;

    if (!stand_in.begun)
        return false;
    if (write(stand_in.end_fd, &one, sizeof(one)) != sizeof(one))
        glog_warning("the stand-in of the thread of restarts cannot be told to end");
    pthread_join(stand_in.thread, NULL);
    close(stand_in.end_fd);
    stand_in.begun = false;
    return stand_in.ceased;
}
