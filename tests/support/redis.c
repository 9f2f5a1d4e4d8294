#include "tests/support/redis.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_MS 20000

int redis_init(struct redis *redis)
{
    *redis = (struct redis){.folder = "/tmp/gf-redis-XXXXXX"};
    if (!mkdtemp(redis->folder))
        return -errno;
    snprintf(redis->socket, sizeof(redis->socket), "%s/s", redis->folder);
    snprintf(redis->address, sizeof(redis->address), "unix:%s", redis->socket);
    return 0;
}

/* In the child. Debian's redis-tools has the server in it, under another name: which it is, it tells by its name. */
static void run(const struct redis *redis, pid_t parent)
{
    static const char *const paths[] = {"/usr/bin/redis-server", "/usr/bin/redis-check-rdb"};
    const char *arguments[] = {"redis-server",  "--port", "0",     "--unixsocket", redis->socket, "--save", "",
                               "--appendonly",  "no",     "--dir", redis->folder,  "--daemonize", "no",     NULL,
                               redis->password, NULL};
    int nothing = open("/dev/null", O_RDWR);

    if (redis->password[0])
        arguments[13] = "--requirepass";
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    for (int fd = 0; fd < 3; fd++)
        dup2(nothing, fd);
    close_range(3, ~0u, 0);
    for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
        execv(paths[i], (char *const *)arguments);
    _exit(127);
}

int redis_ask(const struct redis *redis, const char *command, char *answer, size_t size)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval timeout = {.tv_sec = START_MS / 1000};
    char line[512];
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), result = 0;
    ssize_t got = 0;

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", redis->socket);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    snprintf(line, sizeof(line), "%s\r\n", command);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        send(fd, line, strlen(line), MSG_NOSIGNAL) < 0 || (got = recv(fd, answer, size - 1, 0)) <= 0)
        result = errno ? -errno : -ECONNRESET;
    answer[got > 0 ? got : 0] = 0;
    close(fd);
    return result;
}

int redis_start(struct redis *redis)
{
    pid_t parent = getpid();
    char answer[256];

    unlink(redis->socket);
    redis->pid = fork();
    if (redis->pid < 0)
        return -errno;
    if (!redis->pid)
        run(redis, parent);
    for (int i = 0; i < START_MS / 10; i++) {
        if (waitpid(redis->pid, NULL, WNOHANG) == redis->pid) {
            fprintf(stderr, "no Redis can be started: install redis-tools or redis-server\n");
            redis->pid = 0;
            return -ENOENT;
        }
        if (!redis_ask(redis, "PING", answer, sizeof(answer)))
            return 0;
        usleep(10000);
    }
    return -ETIMEDOUT;
}

void redis_stop(struct redis *redis)
{
    if (redis->pid <= 0)
        return;
    kill(redis->pid, SIGKILL);
    waitpid(redis->pid, NULL, 0);
    redis->pid = 0;
}

void redis_finish(struct redis *redis)
{
    redis_stop(redis);
    unlink(redis->socket);
    rmdir(redis->folder);
}
