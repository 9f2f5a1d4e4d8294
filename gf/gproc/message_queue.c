/*
 * Messages that wait for gproc_receive(): a queue for each group.
 *
 * Owns: the messages until they are taken. Any thread may enter. A group exists while it has a message, so that names
 * which nobody asks for take a place only as long as their messages do.
 */
#include <gf/gproc/deadline.h>
#include <gf/gproc/message.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define GROUPS_MAX 64
#define GROUP_MESSAGES_MAX 1000
/* All messages together: the other two bounds alone would allow 4 GB. */
#define QUEUED_BYTES_MAX (16u << 20)

struct group {
    gproc_message *first; /* NULL: the place is free */
    gproc_message *last;
    size_t count;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t arrived;
    struct group groups[GROUPS_MAX];
    size_t bytes;
} queues = {.lock = PTHREAD_MUTEX_INITIALIZER, .arrived = PTHREAD_COND_INITIALIZER};

int gf_message_parse(const char *packet, size_t size, pid_t sender, gproc_message **ret_message)
{
    struct gf_packet_header header;

    if (size < sizeof(header))
        return -EBADMSG;
    memcpy(&header, packet, sizeof(header));
    if (memcmp(header.magic, GF_PACKET_MAGIC, sizeof(header.magic)) != 0 || header.group_size > GPROC_GROUP_MAX ||
        header.data_size > GPROC_MESSAGE_MAX || size != sizeof(header) + header.group_size + header.data_size)
        return -EBADMSG;
    const char *group = packet + sizeof(header);
    if (memchr(group, '\0', header.group_size) != NULL)
        return -EBADMSG;
    gproc_message *message = calloc(1, sizeof(*message) + header.data_size + 1);
    if (message == NULL)
        return -ENOMEM;
    message->sender = sender;
    message->size = header.data_size;
    memcpy(message->group, group, header.group_size);
    memcpy(message->data, group + header.group_size, header.data_size);
    *ret_message = message;
    return 0;
}

/* With the lock; NULL: none. */
static struct group *find_group(const char *name)
{
    for (size_t i = 0; i < GROUPS_MAX; i++)
        if (queues.groups[i].first != NULL && strcmp(queues.groups[i].first->group, name) == 0)
            return &queues.groups[i];
    return NULL;
}

static struct group *free_group(void)
{
    for (size_t i = 0; i < GROUPS_MAX; i++)
        if (queues.groups[i].first == NULL)
            return &queues.groups[i];
    return NULL;
}

/* What a message counts against the bound: an empty one is memory too. */
static size_t weight_of(const gproc_message *message)
{
    return sizeof(*message) + message->size;
}

/* With the lock. */
static void append(struct group *group, gproc_message *message)
{
    if (group->first == NULL)
        group->first = message;
    else
        group->last->next = message;
    group->last = message;
    group->count++;
    queues.bytes += weight_of(message);
    pthread_cond_broadcast(&queues.arrived);
}

int gf_message_queue_push(gproc_message *message, bool (*confirm)(int peer), int peer)
{
    int result = 0;

    pthread_mutex_lock(&queues.lock);
    struct group *group = find_group(message->group);
    if (group == NULL)
        group = free_group();
    if (group == NULL || group->count >= GROUP_MESSAGES_MAX || weight_of(message) > QUEUED_BYTES_MAX - queues.bytes)
        result = -ENOBUFS;
    else if (!confirm(peer))
        result = -EPIPE;
    else
        append(group, message);
    pthread_mutex_unlock(&queues.lock);
    return result;
}

/* With the lock; NULL: none. */
static gproc_message *take_first(const char *name)
{
    struct group *group = find_group(name);

    if (group == NULL)
        return NULL;
    gproc_message *message = group->first;
    group->first = message->next;
    group->count--;
    queues.bytes -= weight_of(message);
    message->next = NULL;
    return message;
}

/* With the lock. False: the time is up. */
static bool wait_for_arrival(int64_t deadline)
{
    if (deadline == GF_DEADLINE_NEVER)
        return pthread_cond_wait(&queues.arrived, &queues.lock) == 0;
    const struct timespec until = {.tv_sec = (time_t)(deadline / 1000), .tv_nsec = (long)(deadline % 1000 * 1000000)};
    return pthread_cond_clockwait(&queues.arrived, &queues.lock, CLOCK_MONOTONIC, &until) == 0;
}

int gf_message_queue_pop(const char *group, int64_t deadline, gproc_message **ret_message)
{
    pthread_mutex_lock(&queues.lock);
    gproc_message *message = take_first(group);
    while (message == NULL && wait_for_arrival(deadline))
        message = take_first(group);
    pthread_mutex_unlock(&queues.lock);
    if (message == NULL)
        return -ETIMEDOUT;
    *ret_message = message;
    return 0;
}
