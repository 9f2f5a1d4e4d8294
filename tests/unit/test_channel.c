/* The channel: messages and descriptors arrive whole, in order, and before the news that their sender has gone. */
#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gf/ghttp/restart/channel.h>

static int ends[2];

static void init(void)
{
    cr_assert(gf_channel_new(ends) == 0);
}

static void finish(void)
{
    close(ends[0]);
    if (ends[1] >= 0)
        close(ends[1]);
}

TestSuite(channel, .init = init, .fini = finish);

static void say(int fd, const char *word, const int *fds, size_t count)
{
    struct cJSON *message = cJSON_CreateObject();
    cr_assert(cJSON_AddStringToObject(message, "type", word));
    cr_assert(gf_channel_send(fd, message, fds, count) == 0);
    cJSON_Delete(message);
}

static void expect_word(int fd, const char *word)
{
    struct cJSON *message = NULL;
    cr_assert(gf_channel_receive(fd, &message, NULL, NULL) == 0);
    cr_expect_str_eq(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(message, "type")), word);
    cJSON_Delete(message);
}

Test(channel, keeps_the_order_of_messages)
{
    struct cJSON *message;
    say(ends[0], "one", NULL, 0);
    say(ends[0], "two", NULL, 0);
    expect_word(ends[1], "one");
    expect_word(ends[1], "two");
    cr_expect(gf_channel_receive(ends[1], &message, NULL, NULL) == -EAGAIN);
}

/* A new process that refuses the old one does not read what that has sent. */
Test(channel, gives_the_last_words_of_a_peer_that_left_something_unread)
{
    struct cJSON *message;
    say(ends[0], "hello", NULL, 0);
    say(ends[1], "failed", NULL, 0);
    close(ends[1]);
    ends[1] = -1;
    expect_word(ends[0], "failed");
    cr_expect(gf_channel_receive(ends[0], &message, NULL, NULL) == -EPIPE);
}

Test(channel, passes_descriptors_on_close_on_exec)
{
    struct cJSON *message = NULL;
    int sent[2], received[2] = {-1, -1};
    size_t count = 2;
    char byte = 0;
    cr_assert(pipe(sent) == 0);
    say(ends[0], "pipe", sent, 2);
    cr_assert(gf_channel_receive(ends[1], &message, received, &count) == 0);
    cr_assert(count == 2);
    cr_expect(fcntl(received[0], F_GETFD) & FD_CLOEXEC);
    cr_assert(write(sent[1], "x", 1) == 1);
    cr_expect(read(received[0], &byte, 1) == 1 && byte == 'x');
    cJSON_Delete(message);
    for (int i = 0; i < 2; i++) {
        close(sent[i]);
        close(received[i]);
    }
}

Test(channel, refuses_what_is_no_message)
{
    static const char *const texts[] = {"x", "[1]", "\"type\"", "{\"type\":"};
    struct cJSON *message = NULL;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        cr_assert(send(ends[0], texts[i], strlen(texts[i]), 0) == (ssize_t)strlen(texts[i]));
        cr_expect(gf_channel_receive(ends[1], &message, NULL, NULL) == -EBADMSG, "%s", texts[i]);
        cr_expect(message == NULL);
    }
}
