/*
 * The server of the soak: answers that only one request can have, fast and slow, small and large.
 *
 *   soak_server <port> <https port> <certificate> <key>    on 127.0.0.1
 *
 *   /echo?n=           the pid, then 1 to 40 lines of the number n
 *   /sleep?n=&ms=      the pid and n, before sleeping and after
 *   /upload?n=         the pid, n, how many bytes of the body have come and how many of them are right
 *   /download?n=&size= a body of so many bytes that begins at another letter for another n
 *   /debug/admin       the page that restarts
 *
 * Each answer to a GET without size is text whose first number is the pid that answers.
 */
#include <gf/gf.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LETTERS = 23 };

static void echo(ghttp_request *r)
{
    long n = ghttp_request_get_int(r, "n", 0);

    ghttp_response_writefln(r, "%d", gproc_pid());
    for (long i = 0; i <= n % 40; i++)
        ghttp_response_writefln(r, "%ld:%ld", n, i);
}

static void sleep_between(ghttp_request *r)
{
    long n = ghttp_request_get_int(r, "n", 0);

    ghttp_response_writefln(r, "%d %ld", gproc_pid(), n);
    usleep((useconds_t)ghttp_request_get_int(r, "ms", 0) * 1000);
    ghttp_response_writefln(r, "%d %ld", gproc_pid(), n);
}

static char letter(long n, size_t at)
{
    return (char)('a' + ((size_t)n + at) % LETTERS);
}

static void upload(ghttp_request *r)
{
    long n = ghttp_request_get_int(r, "n", 0);
    size_t size, right = 0;
    const char *body = ghttp_request_body(r, &size);

    while (right < size && body[right] == letter(n, right))
        right++;
    ghttp_response_writefln(r, "%d %ld %zu %zu", gproc_pid(), n, size, right);
}

static void download(ghttp_request *r)
{
    char piece[LETTERS * 1000];
    long n = ghttp_request_get_int(r, "n", 0), left = ghttp_request_get_int(r, "size", 0);

    for (size_t i = 0; i < sizeof(piece); i++)
        piece[i] = letter(n, i);
    for (; left > 0; left -= (long)sizeof(piece))
        ghttp_response_write_bytes(r, piece, left < (long)sizeof(piece) ? (size_t)left : sizeof(piece));
}

int main(int count, char **arguments)
{
    ghttp_server *s = g_server("soak");
    char address[64], https_address[64];

    if (count != 5) {
        fprintf(stderr, "usage: %s <port> <https port> <certificate> <key>\n", arguments[0]);
        return 2;
    }
    snprintf(address, sizeof(address), "127.0.0.1:%s", arguments[1]);
    snprintf(https_address, sizeof(https_address), "127.0.0.1:%s", arguments[2]);
    ghttp_server_bind(s, "/echo", echo);
    ghttp_server_bind(s, "/sleep", sleep_between);
    ghttp_server_bind(s, "POST:/upload", upload);
    ghttp_server_bind(s, "/download", download);
    ghttp_server_set_graceful(s, true);
    ghttp_server_set(s, "gracefulProbation", "200ms"); /* else a generation would live for 5 s with nothing to do */
    ghttp_server_enable_admin(s, NULL);
    ghttp_server_set_address(s, address);
    ghttp_server_set_https_address(s, https_address);
    ghttp_server_enable_https(s, arguments[3], arguments[4]);
    return ghttp_server_run(s);
}
