/*
 * The thread that takes messages: accepts, asks the kernel who is there, reads one packet, queues it, answers.
 *
 * Owns: the listening socket and the peers' sockets, which only this thread touches. It blocks in poll(2) alone, so a
 * peer that says nothing holds up nobody; it is sent away after a while, or when its place is needed.
 */
#include <gf/gproc/deadline.h>
#include <gf/gproc/message.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Processes that send at the same moment; a peer stays for as long as it takes to send one packet. */
#define PEERS_MAX 64
#define PEER_PATIENCE_MS 5000
/* What a peer gets at least when its place is needed: it may have connected a moment ago. */
#define CROWDED_PATIENCE_MS 100
/* Without a free descriptor accept(2) fails at once for ever: try again a little later. */
#define ACCEPT_PAUSE_MS 100

struct peer {
    int fd;
    pid_t pid;
    int64_t deadline;
};

struct receiver {
    int listener;
    int64_t accepts_from; /* when accepting is to be tried again */
    size_t count;
    struct peer peers[PEERS_MAX]; /* the oldest first */
    char packet[GF_PACKET_MAX];
};

static void drop_peer(struct receiver *receiver, size_t index)
{
    close(receiver->peers[index].fd);
    receiver->count--;
    memmove(&receiver->peers[index], &receiver->peers[index + 1],
            (receiver->count - index) * sizeof(receiver->peers[0]));
}

/* This user, or root, who may do everything anyway. */
static bool is_trusted(int fd, pid_t *ret_pid)
{
    struct ucred credentials;
    socklen_t size = sizeof(credentials);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
        return false;
    *ret_pid = credentials.pid;
    return credentials.uid == geteuid() || credentials.uid == 0;
}

/* The one that has been silent for longest goes, if it had its chance; else new ones wait. False: no place. */
static bool make_place(struct receiver *receiver)
{
    if (receiver->count < PEERS_MAX)
        return true;
    int64_t last_chance = receiver->peers[0].deadline - PEER_PATIENCE_MS + CROWDED_PATIENCE_MS;
    if (last_chance > gf_clock_ms()) {
        receiver->accepts_from = last_chance;
        return false;
    }
    drop_peer(receiver, 0);
    return true;
}

/* False: nobody else waits, or there is no place. */
static bool accept_peer(struct receiver *receiver)
{
    pid_t pid;

    if (!make_place(receiver))
        return false;
    int fd = accept4(receiver->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        if (errno == EINTR || errno == ECONNABORTED)
            return true;
        if (errno != EAGAIN)
            receiver->accepts_from = gf_clock_ms() + ACCEPT_PAUSE_MS;
        return false;
    }
    if (!is_trusted(fd, &pid)) {
        close(fd);
        return true;
    }
    receiver->peers[receiver->count++] = (struct peer){fd, pid, gf_clock_ms() + PEER_PATIENCE_MS};
    return true;
}

/* Never waits: the answer is the first thing in an empty buffer. */
static bool answer(int peer, int32_t code)
{
    return send(peer, &code, sizeof(code), MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)sizeof(code);
}

static bool answer_queued(int peer)
{
    return answer(peer, 0);
}

/* 0: queued, and the peer knows. */
static int take_packet(const char *packet, size_t size, const struct peer *peer)
{
    gproc_message *message;

    int result = gf_message_parse(packet, size, peer->pid, &message);
    if (result < 0)
        return result;
    result = gf_message_queue_push(message, answer_queued, peer->fd);
    if (result < 0)
        gproc_message_free(message);
    return result;
}

/* False: nothing has come yet. True: the peer has got its answer, or has gone. */
static bool serve_peer(struct receiver *receiver, const struct peer *peer)
{
    /* MSG_TRUNC: the real size of a packet that is too large. */
    ssize_t size = recv(peer->fd, receiver->packet, sizeof(receiver->packet), MSG_DONTWAIT | MSG_TRUNC);

    if (size < 0)
        return errno != EAGAIN && errno != EINTR;
    if (size == 0)
        return true;
    int result = -EMSGSIZE;
    if ((size_t)size <= sizeof(receiver->packet))
        result = take_packet(receiver->packet, (size_t)size, peer);
    if (result < 0)
        answer(peer->fd, result); /* one that has gone does not get it */
    return true;
}

/* What to wait for, and for how long. */
static int wait_for_events(struct receiver *receiver, struct pollfd fds[PEERS_MAX + 1])
{
    int64_t deadline = GF_DEADLINE_NEVER;
    bool accepts = receiver->accepts_from <= gf_clock_ms();

    if (!accepts)
        deadline = receiver->accepts_from;
    else if (receiver->count > 0)
        deadline = receiver->peers[0].deadline;
    fds[0] = (struct pollfd){.fd = accepts ? receiver->listener : -1, .events = POLLIN};
    for (size_t i = 0; i < receiver->count; i++)
        fds[i + 1] = (struct pollfd){.fd = receiver->peers[i].fd, .events = POLLIN};
    return poll(fds, receiver->count + 1, gf_deadline_left(deadline));
}

static void *run(void *arg)
{
    struct receiver *receiver = arg;
    struct pollfd fds[PEERS_MAX + 1];

    for (;;) {
        if (wait_for_events(receiver, fds) < 0)
            continue; /* EINTR or a moment without memory */
        int64_t now = gf_clock_ms();
        /* Backwards: a peer that leaves moves only those that were looked at. */
        for (size_t i = receiver->count; i-- > 0;)
            if ((fds[i + 1].revents != 0 && serve_peer(receiver, &receiver->peers[i])) ||
                receiver->peers[i].deadline <= now)
                drop_peer(receiver, i);
        /* A few at a time, so that those who have come are served in between. */
        for (int i = 0; fds[0].revents != 0 && i < PEERS_MAX / 2 && accept_peer(receiver); i++)
            ;
    }
    return NULL;
}

/* No signal for this thread: the program's own threads and the signal handlers' are there for that. */
static int start_detached(struct receiver *receiver)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all;

    int error = pthread_attr_init(&attributes);
    if (error != 0)
        return -error;
    sigfillset(&all);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    error = pthread_attr_setsigmask_np(&attributes, &all);
    if (error == 0)
        error = pthread_create(&thread, &attributes, run, receiver);
    pthread_attr_destroy(&attributes);
    return -error;
}

int gf_message_receiver_start(int listener)
{
    struct receiver *receiver = calloc(1, sizeof(*receiver));

    if (receiver == NULL)
        return -ENOMEM;
    receiver->listener = listener;
    int result = start_detached(receiver);
    if (result < 0)
        free(receiver);
    return result;
}
