/*
 * Signals: recorded in the signal context, handled on one thread of the library.
 *
 * Owns: the handlers, the dispositions of their signals, the thread that calls them and the eventfd which wakes it.
 * Any thread may enter; the lock is never held while a handler runs. Signal masks are left alone: the thread has that
 * of the thread which registered first, so that what a handler spawns finds nothing blocked.
 *
 * A signal is one bit of an atomic word, so a burst of one signal is one call, and no signal is lost however long
 * the handlers take. A bit without a handler stays until a handler for it comes.
 */
#include <gf/gproc/gproc.h>
#include <gf/gproc/signals.h>
#include <gf/gproc/start.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

GF_START_NEEDED;

/* A program has a handful; a loop that registers for ever is told so. */
#define HANDLERS_MAX 128
#define SIGNALS_MAX 64

struct handler {
    int signo;
    gproc_signal_handler *fn;
    void *arg;
    uint64_t order; /* of registration; grows for ever */
};

/* What the signal context touches: lock-free on every platform the library is built for. */
static _Atomic uint64_t recorded;
static atomic_int wake_fd = -1;

static struct {
    pthread_mutex_t lock;
    pthread_cond_t handler_ended;
    struct handler handlers[HANDLERS_MAX]; /* in the order of registration, without gaps */
    size_t count;
    uint64_t last_order;
    uint64_t running; /* the order of the handler that runs; 0: none */
    pthread_t thread;
    bool started;
    struct sigaction before[SIGNALS_MAX + 1]; /* what to put back; valid where installed */
    bool installed[SIGNALS_MAX + 1];
} signals = {.lock = PTHREAD_MUTEX_INITIALIZER, .handler_ended = PTHREAD_COND_INITIALIZER};

static uint64_t bit_of(int signo)
{
    return UINT64_C(1) << (signo - 1);
}

static void wake(void)
{
    uint64_t one = 1;
    int fd = atomic_load(&wake_fd);

    /* It fails only when the counter is full, and then the thread is awake already. */
    if (fd >= 0 && write(fd, &one, sizeof(one)) < 0)
        return;
}

/* The signal context. The bit comes first: a thread that starts meanwhile looks for bits after it has set the fd. */
static void record(int signo)
{
    int saved_errno = errno;

    atomic_fetch_or(&recorded, bit_of(signo));
    wake();
    errno = saved_errno;
}

static int install(int signo)
{
    struct sigaction action = {.sa_handler = record, .sa_flags = SA_RESTART | SA_ONSTACK};

    if (signals.installed[signo])
        return 0;
    /* One after another: under GCC 12's ThreadSanitizer a signal that comes while a handler runs is kept back until the
     * thread's next call. */
    sigfillset(&action.sa_mask);
    if (sigaction(signo, &action, &signals.before[signo]) < 0)
        return -errno;
    signals.installed[signo] = true;
    return 0;
}

static bool has_handler(int signo)
{
    for (size_t i = 0; i < signals.count; i++)
        if (signals.handlers[i].signo == signo)
            return true;
    return false;
}

static void uninstall(int signo)
{
    if (has_handler(signo))
        return;
    sigaction(signo, &signals.before[signo], NULL);
    signals.installed[signo] = false;
    atomic_fetch_and(&recorded, ~bit_of(signo));
}

/* ---- the thread ---- */

/* One signal for which there is a handler, taken out of the record; 0: none. */
static int take_signal(void)
{
    int signo = 0;

    pthread_mutex_lock(&signals.lock);
    uint64_t word = atomic_load(&recorded);
    for (size_t i = 0; i < signals.count && signo == 0; i++)
        if (word & bit_of(signals.handlers[i].signo))
            signo = signals.handlers[i].signo;
    if (signo != 0)
        atomic_fetch_and(&recorded, ~bit_of(signo));
    pthread_mutex_unlock(&signals.lock);
    return signo;
}

/* The handler of the signal that was registered next after a given one; it counts as running from here on. */
static bool begin_handler(int signo, uint64_t after, struct handler *ret_handler)
{
    bool found = false;

    pthread_mutex_lock(&signals.lock);
    for (size_t i = 0; i < signals.count && !found; i++)
        if (signals.handlers[i].signo == signo && signals.handlers[i].order > after) {
            *ret_handler = signals.handlers[i];
            signals.running = ret_handler->order;
            found = true;
        }
    pthread_mutex_unlock(&signals.lock);
    return found;
}

static void end_handler(void)
{
    pthread_mutex_lock(&signals.lock);
    signals.running = 0;
    pthread_cond_broadcast(&signals.handler_ended);
    pthread_mutex_unlock(&signals.lock);
}

static void call_handlers(int signo)
{
    struct handler handler = {.order = 0};

    while (begin_handler(signo, handler.order, &handler)) {
        handler.fn(signo, handler.arg);
        end_handler();
    }
}

static void *run(void *arg)
{
    struct pollfd woken = {.fd = atomic_load(&wake_fd), .events = POLLIN};
    uint64_t times;

    (void)arg;
    for (;;) {
        for (int signo = take_signal(); signo != 0; signo = take_signal())
            call_handlers(signo);
        /* poll(2) ends with a signal, read(2) would begin again: one that the kernel gives to this thread is handed out
         * by GCC 12's ThreadSanitizer at the thread's next call only. */
        if (poll(&woken, 1, -1) > 0 && read(woken.fd, &times, sizeof(times)) < 0 && errno != EINTR)
            return NULL;
    }
}

static int start_thread(void)
{
    pthread_attr_t attributes;

    if (signals.started)
        return 0;
    if (atomic_load(&wake_fd) < 0) {
        int fd = eventfd(0, EFD_CLOEXEC);
        if (fd < 0)
            return -errno;
        atomic_store(&wake_fd, fd);
    }
    int error = pthread_attr_init(&attributes);
    if (error != 0)
        return -error;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    error = pthread_create(&signals.thread, &attributes, run, NULL);
    pthread_attr_destroy(&attributes);
    signals.started = error == 0;
    return -error;
}

/* ---- registration ---- */

/* Not those that the kernel keeps to itself, nor those that a faulty instruction raises again when it is resumed. */
static bool can_be_handled(int signo)
{
    static const int refused[] = {SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS};

    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        if (signo == refused[i])
            return false;
    return signo >= 1 && signo <= SIGNALS_MAX;
}

int gproc_on_signal(int signo, gproc_signal_handler *handler, void *arg)
{
    int result;

    if (handler == NULL || !can_be_handled(signo))
        return -EINVAL;
    pthread_mutex_lock(&signals.lock);
    result = signals.count < HANDLERS_MAX ? start_thread() : -ENOSPC;
    if (result == 0)
        result = install(signo);
    if (result == 0)
        signals.handlers[signals.count++] = (struct handler){signo, handler, arg, ++signals.last_order};
    pthread_mutex_unlock(&signals.lock);
    if (result == 0)
        wake(); /* the signal may be recorded already, with no handler until now */
    return result;
}

int gproc_off_signal(int signo, gproc_signal_handler *handler, void *arg)
{
    int result = -ENOENT;

    pthread_mutex_lock(&signals.lock);
    for (size_t i = 0; i < signals.count && result < 0; i++) {
        struct handler *at = &signals.handlers[i];
        if (at->signo != signo || at->fn != handler || at->arg != arg)
            continue;
        uint64_t order = at->order;
        memmove(at, at + 1, (signals.count - i - 1) * sizeof(*at));
        signals.count--;
        uninstall(signo);
        while (signals.running == order && !pthread_equal(pthread_self(), signals.thread))
            pthread_cond_wait(&signals.handler_ended, &signals.lock);
        result = 0;
    }
    pthread_mutex_unlock(&signals.lock);
    return result;
}

/* ---- over a restart ---- */

/* Those of a process that executes anew in its own place come first: it may be a script that it executes, to which no
 * signal that ends it may be blocked. */
static const int kept_over_exec[] = {SIGHUP, SIGUSR1, SIGTERM, SIGINT, SIGQUIT};

#define KEPT_COUNT (sizeof(kept_over_exec) / sizeof(kept_over_exec[0]))
#define KEPT_ANEW_COUNT 2

static void fill_set(sigset_t *set, size_t count)
{
    sigemptyset(set);
    for (size_t i = 0; i < count; i++)
        sigaddset(set, kept_over_exec[i]);
}

void gf_signals_inherited_block(sigset_t *ret_set)
{
    fill_set(ret_set, KEPT_COUNT);
}

void gf_signals_anew_block(sigset_t *ret_set)
{
    fill_set(ret_set, KEPT_ANEW_COUNT);
}

/* A handler and not SIG_IGN, which whatever the program starts would inherit. */
static void survive(int signo)
{
    (void)signo;
}

/* Until its word "ready", a successor's standard error is a pipe to the process before it. If that is killed, a line
 * on it must not be the end of the successor too. */
static void survive_broken_pipe(void)
{
    struct sigaction action = {.sa_handler = survive, .sa_flags = SA_RESTART}, before;

    if (!sigaction(SIGPIPE, NULL, &before) && before.sa_handler == SIG_DFL)
        sigaction(SIGPIPE, &action, NULL);
}

void gf_signals_end_start(void)
{
    struct sigaction action = {.sa_handler = SIG_DFL}, before;

    if (!sigaction(SIGPIPE, NULL, &before) && before.sa_handler == survive)
        sigaction(SIGPIPE, &action, NULL);
}

/* First the handlers, then the mask: whatever waits comes at once. */
static void begin(size_t recorded_count, size_t blocked_count)
{
    sigset_t blocked;

    for (size_t i = 0; i < recorded_count; i++)
        install(kept_over_exec[i]);
    fill_set(&blocked, blocked_count);
    pthread_sigmask(SIG_UNBLOCK, &blocked, NULL);
}

void gf_signals_begin(bool record_them)
{
    if (record_them)
        survive_broken_pipe();
    begin(record_them ? KEPT_COUNT : 0, KEPT_COUNT);
}

void gf_signals_begin_anew(void)
{
    begin(KEPT_ANEW_COUNT, KEPT_ANEW_COUNT);
}

void gf_signals_settle_hangup(void)
{
    struct sigaction now;
    bool waited = false;

    pthread_mutex_lock(&signals.lock);
    if (signals.installed[SIGHUP] && !has_handler(SIGHUP) && !sigaction(SIGHUP, NULL, &now) &&
        now.sa_handler == record) { /* else it is the program's own by now */
        waited = atomic_load(&recorded) & bit_of(SIGHUP);
        uninstall(SIGHUP);
    }
    pthread_mutex_unlock(&signals.lock);
    if (waited)
        kill(getpid(), SIGHUP);
}
