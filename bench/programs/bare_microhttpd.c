/*
 * The fastest server that libmicrohttpd makes by itself with one thread: its own epoll loop, turbo, a response made
 * anew for each request as any program with content of its own has to. It answers what gf_hello.c answers.
 *
 *   bare_microhttpd <port>                         http on 127.0.0.1
 *   bare_microhttpd <port> <certificate> <key>     https
 */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CONNECTIONS_MAX = 2000,
    FILE_MAX = 64 << 10,
};

static enum MHD_Result answer(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *upload, size_t *upload_size, void **state)
{
    static char body[] = "Hello, World\n";
    static char seen;
    struct MHD_Response *response;
    enum MHD_Result result;

    (void)arg, (void)method, (void)version, (void)upload, (void)upload_size;
    if (!*state) { /* the head alone: an answer now would close the connection */
        *state = &seen;
        return MHD_YES;
    }
    if (strcmp(url, "/"))
        return MHD_NO;
    response = MHD_create_response_from_buffer(strlen(body), body, MHD_RESPMEM_PERSISTENT);
    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, "Server", "GoFrame HTTP Server");
    MHD_add_response_header(response, "Content-Type", "text/plain; charset=utf-8");
    result = MHD_queue_response(connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return result;
}

/* The whole file and a 0, in memory that lives as long as the process; NULL with errno set. */
static char *read_text(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = calloc(1, FILE_MAX + 1);

    if (file && text)
        text[fread(text, 1, FILE_MAX, file)] = 0;
    if (file)
        fclose(file);
    else
        perror(path);
    return file ? text : NULL;
}

static struct MHD_Daemon *start(int port, char *certificate, char *key)
{
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_TURBO | MHD_USE_ERROR_LOG;
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((in_port_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, certificate}, {MHD_OPTION_HTTPS_MEM_KEY, 0, key}, {MHD_OPTION_END, 0, NULL}};
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};

    return MHD_start_daemon(certificate ? flags | MHD_USE_TLS : flags, (uint16_t)port, NULL, NULL, answer, NULL,
                            MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
                            MHD_OPTION_ARRAY, certificate ? tls : none, MHD_OPTION_END);
}

int main(int count, char **arguments)
{
    char *certificate = NULL, *key = NULL;
    struct MHD_Daemon *daemon;
    sigset_t ends;
    int signo;

    if (count != 2 && count != 4) {
        fprintf(stderr, "usage: %s <port> [<certificate> <key>]\n", arguments[0]);
        return 2;
    }
    if (count == 4 && (!(certificate = read_text(arguments[2])) || !(key = read_text(arguments[3]))))
        return 1;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ends, NULL); /* before the daemon's thread, which inherits it */
    daemon = start(atoi(arguments[1]), certificate, key);
    if (!daemon) {
        fprintf(stderr, "%s: cannot start on port %s\n", arguments[0], arguments[1]);
        return 1;
    }
    sigwait(&ends, &signo);
    MHD_stop_daemon(daemon);
    free(certificate);
    free(key);
    return 0;
}
