/*
 * A message, the packet it travels in, and the queues where it waits for gproc_receive().
 */
#ifndef GF_GPROC_MESSAGE_H
#define GF_GPROC_MESSAGE_H

#include <gf/gproc/gproc.h>

struct gproc_message {
    struct gproc_message *next; /* in its queue */
    pid_t sender;
    size_t size;
    char group[GPROC_GROUP_MAX + 1];
    char data[]; /* size bytes and a 0 */
};

/* What precedes the group's name and the data in the packet. Both ends are on one machine: its byte order. */
struct gf_packet_header {
    char magic[4];
    uint32_t group_size;
    uint32_t data_size;
};

#define GF_PACKET_MAGIC "gfm1"
#define GF_PACKET_MAX (sizeof(struct gf_packet_header) + GPROC_GROUP_MAX + GPROC_MESSAGE_MAX)

/* A message made of a packet; -EBADMSG, -ENOMEM. Thread: any thread. */
int gf_message_parse(const char *packet, size_t size, pid_t sender, gproc_message **ret_message);

/*
 * Puts a message into its group's queue, which owns it then, if confirm(peer) says that its sender was told so. It is
 * told before anybody can take the message: who takes it may end the process at once. -ENOBUFS: a bound is reached,
 * -EPIPE: not confirmed; then the message is still the caller's. Thread: any thread.
 */
int gf_message_queue_push(gproc_message *message, bool (*confirm)(int peer), int peer);

/* The oldest message of a group; waits until deadline (as in deadline.h), -ETIMEDOUT. Thread: any thread. */
int gf_message_queue_pop(const char *group, int64_t deadline, gproc_message **ret_message);

/*
 * Starts the thread that takes messages from a listening socket, which it owns then; -EAGAIN, -ENOMEM. The thread
 * ends with the process.
 */
int gf_message_receiver_start(int listener);

#endif
